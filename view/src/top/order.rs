//! What rows are sorted by.

use std::time::Duration;

use super::model::Model;
use super::recent;
use super::row::Row;
use super::tables::GROUPINGS;
use crate::key::Key;
use crate::key::Part;
use crate::key::Value;

/// The time over which the rate of the table is taken.
pub const RATE_SPAN: Duration = Duration::from_secs(10);

/// A longer one.
pub const LONG_RATE_SPAN: Duration = recent::LONGEST;

/// What rows are sorted by, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Segments.
    #[default]
    Segments,
    /// Events.
    Events,
    /// Segments a second over the last 10 seconds.
    Rate,
    /// The same over the last minute.
    LongRate,
    /// The share of segments that were sent again, where it is known.
    Ratio,
    /// Round-trip time of the latest event.
    Rtt,
    /// Retransmission timeout of the latest event.
    Rto,
    /// Attempts that failed.
    Failed,
    /// Time of the latest event.
    Latest,
}

impl Order {
    /// All, in the order of the key that goes to the next.
    pub const ALL: [Order; 9] = [
        Order::Segments,
        Order::Events,
        Order::Rate,
        Order::LongRate,
        Order::Ratio,
        Order::Rtt,
        Order::Rto,
        Order::Failed,
        Order::Latest,
    ];

    /// The one that is this number of places further.
    pub fn moved(self, by: isize) -> Order {
        let place = Order::ALL.iter().position(|order| *order == self);
        let place = place.unwrap_or(0) as isize + by;
        Order::ALL[place.rem_euclid(Order::ALL.len() as isize) as usize]
    }

    /// What a row is measured by.
    fn measure(self, model: &Model, part: Part, key: &Key, row: &Row) -> u64 {
        let scaled = |number: f64| (number * 1e6) as u64;
        match self {
            Order::Segments => row.sums.segments,
            Order::Events => row.sums.events,
            Order::Rate => scaled(row.recent.rate(model.now, RATE_SPAN)),
            Order::LongRate => scaled(row.recent.rate(model.now, LONG_RATE_SPAN)),
            // A ratio of 0 comes before one that is not known.
            Order::Ratio => ratio(model, part, key, row).map_or(0, |ratio| 1 + scaled(ratio)),
            Order::Rtt => row.latest.srtt_us.unwrap_or(0).into(),
            Order::Rto => row.latest.rto_us.unwrap_or(0).into(),
            Order::Failed => row.sums.failed,
            Order::Latest => row.latest.wall_time.as_nanos() as u64,
        }
    }
}

/// The share of segments that were sent again, from 0 to 1. It is known of a peer by a census, and of a connection by
/// its latest event.
pub fn ratio(model: &Model, part: Part, key: &Key, row: &Row) -> Option<f64> {
    match (part, key.values()) {
        (Part::Peer, [Value::Address(peer)]) => model.ratios.peer(*peer)?.ratio(),
        (Part::Connection, _) => row.latest.ratio(),
        _ => None,
    }
}

/// The first rows of a grouping, by its number.
pub fn rows(model: &Model, grouping: usize, order: Order, number: usize) -> Vec<(&Key, &Row)> {
    let part = GROUPINGS[grouping % GROUPINGS.len()];
    let groups = model.shown().groups(grouping);
    groups.top_by(number, |key, row| order.measure(model, part, key, row))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use retrans_event::CensusRow;
    use retrans_event::synth::Synth;

    use super::*;
    use crate::top::model::Source;

    #[test]
    fn rows_are_sorted_by_each_column() {
        let mut model = Model::new(Source::Live("btf".to_owned()));
        for event in Synth::new(1).take(3_000) {
            model.event(&event, "");
        }
        let place = |part| GROUPINGS.iter().position(|other| *other == part);
        let peers = place(Part::Peer).expect("it is one");
        let peer = rows(&model, peers, Order::Segments, 3)[2].0.clone();
        let [Value::Address(address)] = peer.values() else {
            panic!("{peer}");
        };
        model.census([CensusRow {
            peer_address: *address,
            segments: 100,
            retransmitted_segments: 50,
            ..CensusRow::EMPTY
        }]);
        assert_eq!(rows(&model, peers, Order::Ratio, 1)[0].0, &peer);
        for part in [Part::Connection, Part::Process] {
            let grouping = place(part).expect("it is one");
            for order in Order::ALL {
                let rows = rows(&model, grouping, order, 50);
                let measures = rows
                    .iter()
                    .map(|(key, row)| Reverse(order.measure(&model, part, key, row)));
                assert!(measures.is_sorted(), "{order:?}");
                assert!(rows.len() == 50, "{order:?}");
            }
        }
        let connections = place(Part::Connection).expect("it is one");
        let first = rows(&model, connections, Order::Ratio, 1)[0];
        assert!(ratio(&model, Part::Connection, first.0, first.1) > Some(0.0));
    }

    #[test]
    fn the_order_goes_round() {
        let mut order = Order::default();
        for _ in 0..Order::ALL.len() {
            order = order.moved(1);
        }
        assert_eq!(order, Order::Segments);
        assert_eq!(order.moved(-1), Order::Latest);
        assert_eq!(order.moved(-1).moved(1), Order::Segments);
    }
}
