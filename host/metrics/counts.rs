//! Counts the events of a stream before any plugin sees them.

use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::OwnerStatus;
use retrans_event::RTT_BUCKETS;
use retrans_event::TcpState;
use retrans_event::Tracepoint;

use crate::stats::histogram::Histogram;
use crate::stream::batch::Item;

/// Bounds of the classes of round-trip times.
const RTT: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Bounds of the classes of retransmission timeouts. By default the kernel's shortest is 200 ms, and its longest 120 s.
const RTO: &[Duration] = &[
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(250),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(32),
    Duration::from_secs(64),
    Duration::from_secs(120),
];

/// Numbers of values, with one for those that this version does not know: a file can have any.
const KINDS: usize = Kind::ALL.len() + 1;
const STATES: usize = TcpState::ALL.len() + 1;
const STATUSES: usize = OwnerStatus::ALL.len() + 1;
const TRACEPOINTS: usize = Tracepoint::ALL.len() + 1;

/// What is called a value that this version does not know.
pub const OTHER: &str = "other";

/// What was counted of the events of one kind.
#[derive(Debug, Clone)]
pub struct OfKind {
    /// Events and segments, by IP version and state.
    sums: [[(u64, u64); STATES]; 2],
    /// Failed attempts.
    pub failed: u64,
    /// Smoothed round-trip times.
    pub rtt: Histogram,
    /// Retransmission timeouts.
    pub rto: Histogram,
}

/// Sums of censuses.
#[derive(Debug, Clone, Default)]
pub struct OfCensus {
    /// Sums of the numbers of all rows. Of the number of open connections, that of the last census.
    pub sums: Option<CensusRow>,
    /// Round-trip times by class of a row, over all censuses.
    pub rtt: [u64; RTT_BUCKETS],
}

/// What was counted of a stream.
#[derive(Debug, Clone)]
pub struct Counts {
    kinds: [OfKind; KINDS],
    owners: [u64; STATUSES],
    tracepoints: [u64; TRACEPOINTS],
    census: OfCensus,
    lost: u64,
}

impl Default for Counts {
    fn default() -> Counts {
        let of_kind = || OfKind {
            sums: [[(0, 0); STATES]; 2],
            failed: 0,
            rtt: Histogram::new(RTT),
            rto: Histogram::new(RTO),
        };
        Counts {
            kinds: std::array::from_fn(|_| of_kind()),
            owners: [0; STATUSES],
            tracepoints: [0; TRACEPOINTS],
            census: OfCensus::default(),
            lost: 0,
        }
    }
}

/// Events and segments of one cause, one version of IP and one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Cause.
    pub kind: &'static str,
    /// Version of IP.
    pub ip_version: &'static str,
    /// State of the connection.
    pub state: &'static str,
    /// Number of events.
    pub events: u64,
    /// Number of segments.
    pub segments: u64,
}

impl Counts {
    /// Adds an item.
    pub fn add(&mut self, item: &Item) {
        match item {
            Item::Events(batch) => {
                self.lost = self.lost.saturating_add(batch.lost);
                batch.events().for_each(|event| self.event(event));
            }
            Item::Census(census) => self.census(census.rows()),
            Item::Mark(mark) | Item::End(mark) => {
                self.lost = self.lost.saturating_add(mark.lost);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let kind = &mut self.kinds[place(Kind::ALL, event.kind())];
        let version = usize::from(!event.is_ipv4());
        let sum = &mut kind.sums[version][place(TcpState::ALL, event.state())];
        sum.0 += 1;
        sum.1 += u64::from(event.segments().unwrap_or(0));
        kind.failed += u64::from(!event.sent());
        if let Some(rtt) = event.srtt() {
            kind.rtt.record(rtt);
        }
        if let Some(rto) = event.rto() {
            kind.rto.record(rto);
        }
        self.owners[place(OwnerStatus::ALL, event.owner().status())] += 1;
        self.tracepoints[place(Tracepoint::ALL, event.tracepoint())] += 1;
    }

    fn census(&mut self, rows: impl Iterator<Item = CensusRow>) {
        let sums = self.census.sums.get_or_insert(CensusRow::EMPTY);
        sums.open = 0;
        for row in rows {
            // A file can have any numbers.
            let numbers = [
                (&mut sums.open, row.open),
                (&mut sums.opened, row.opened),
                (&mut sums.closed, row.closed),
                (&mut sums.segments, row.segments),
                (&mut sums.retransmitted_segments, row.retransmitted_segments),
                (&mut sums.bytes, row.bytes),
                (&mut sums.retransmitted_bytes, row.retransmitted_bytes),
                (&mut sums.dsacks, row.dsacks),
                (&mut sums.rtt_sum_us, row.rtt_sum_us),
            ];
            for (sum, number) in numbers {
                *sum = sum.saturating_add(number);
            }
            for (sum, number) in self.census.rtt.iter_mut().zip(row.rtt_buckets) {
                *sum = sum.saturating_add(number.into());
            }
        }
    }

    /// Events and segments: those that were counted, and those of each cause in its usual state also if there were none.
    /// A counter that begins at 0 shows its first event as an increase.
    pub fn sums(&self) -> impl Iterator<Item = Sum> {
        let kinds = names(Kind::ALL, Kind::name).zip(&self.kinds);
        kinds.flat_map(|(kind, of_kind)| {
            let versions = ["4", "6"].into_iter().zip(&of_kind.sums);
            versions.flat_map(move |(ip_version, sums)| {
                let states = names(TcpState::ALL, TcpState::name).zip(sums);
                states.filter_map(move |(state, (events, segments))| {
                    let is_shown = *events > 0 || usual_state(kind) == Some(state);
                    is_shown.then_some(Sum {
                        kind,
                        ip_version,
                        state,
                        events: *events,
                        segments: *segments,
                    })
                })
            })
        })
    }

    /// What was counted of each cause.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &OfKind)> {
        names(Kind::ALL, Kind::name).zip(&self.kinds)
    }

    /// Number of events of each status of an owner.
    pub fn owners(&self) -> impl Iterator<Item = (&'static str, u64)> {
        names(OwnerStatus::ALL, OwnerStatus::name).zip(self.owners)
    }

    /// Number of events of each tracepoint.
    pub fn tracepoints(&self) -> impl Iterator<Item = (&'static str, u64)> {
        names(Tracepoint::ALL, Tracepoint::name).zip(self.tracepoints)
    }

    /// Sums of censuses.
    pub fn of_census(&self) -> &OfCensus {
        &self.census
    }

    /// Number of events that were lost before the source had them.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// The state of the connection at most events of a cause; none for causes that are seldom.
fn usual_state(kind: &str) -> Option<&'static str> {
    let state = match kind {
        "syn" => TcpState::SynSent,
        "syn_ack" => TcpState::SynRecv,
        "tail_loss_probe" | "timeout" | "loss_recovery" | "fast" => TcpState::Established,
        _ => return None,
    };
    state.name()
}

/// The place of a value in the table of all, or that of those that are not in it.
fn place<T: PartialEq>(all: &[T], value: T) -> usize {
    let place = all.iter().position(|known| *known == value);
    place.unwrap_or(all.len())
}

/// The names of all values, and of those that are none.
fn names<T: Copy>(
    all: &'static [T],
    name: impl Fn(T) -> Option<&'static str>,
) -> impl Iterator<Item = &'static str> {
    let known = all.iter().map(move |value| name(*value).unwrap_or(OTHER));
    known.chain([OTHER])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::net::Ipv6Addr;

    use retrans_event::Record;

    use super::*;
    use crate::stream::batch::Batch;
    use crate::stream::census::Census;
    use crate::stream::moment::Mark;

    fn event(kind: Kind, state: TcpState) -> Record {
        let mut event = Record::new();
        event.set_kind(kind);
        event.set_state(state);
        event.set_segments(Some(2));
        event.set_peer((Ipv4Addr::new(192, 0, 2, 1), 443).into());
        event
    }

    fn counted(events: &[Record]) -> Counts {
        let mut batch = Batch::new();
        batch.lost = 3;
        events.iter().for_each(|event| batch.push(event.as_bytes()));
        let mut counts = Counts::default();
        counts.add(&Item::Events(batch));
        counts
    }

    #[test]
    fn every_event_is_in_one_sum() {
        let mut six = event(Kind::Fast, TcpState::CloseWait);
        six.set_peer((Ipv6Addr::LOCALHOST, 443).into());
        let counts = counted(&[
            event(Kind::Timeout, TcpState::Established),
            event(Kind::Timeout, TcpState::Established),
            six,
            // Of a file that someone has written.
            event(Kind::Other(200), TcpState::Other(99)),
        ]);
        let shown = |sum: &Sum| {
            (
                sum.kind,
                sum.ip_version,
                sum.state,
                sum.events,
                sum.segments,
            )
        };
        let sums: Vec<_> = counts.sums().collect();
        let more: Vec<_> = sums
            .iter()
            .filter(|sum| sum.events > 0)
            .map(shown)
            .collect();
        assert_eq!(
            more,
            [
                ("timeout", "4", "ESTABLISHED", 2, 4),
                ("fast", "6", "CLOSE_WAIT", 1, 2),
                ("other", "4", "other", 1, 2),
            ]
        );
        // Those that begin at 0: six causes and two versions, one of which has events.
        assert_eq!(sums.len() - more.len(), 11);
        assert!(
            sums.iter()
                .any(|sum| shown(sum) == ("syn", "6", "SYN_SENT", 0, 0))
        );
        assert_eq!(counts.lost(), 3);
        let owners: Vec<_> = counts.owners().filter(|(_, count)| *count > 0).collect();
        assert_eq!(owners, [("unknown", 4)]);
        let tracepoints: u64 = counts.tracepoints().map(|(_, count)| count).sum();
        assert_eq!(tracepoints, 4);
    }

    #[test]
    fn times_are_in_the_histograms_of_their_kind() {
        let mut one = event(Kind::Timeout, TcpState::Established);
        one.set_srtt(Some(Duration::from_micros(300)));
        one.set_rto(Some(Duration::from_millis(204)));
        let counts = counted(&[one, event(Kind::Fast, TcpState::Established)]);
        let (_, timeout) = counts
            .kinds()
            .find(|(kind, _)| *kind == "timeout")
            .expect("a kind");
        assert_eq!(timeout.rtt.count(), 1);
        assert_eq!(timeout.rto.sum(), Duration::from_millis(204));
        let others: u64 = counts.kinds().map(|(_, kind)| kind.rtt.count()).sum();
        assert_eq!(others, 1);
    }

    #[test]
    fn censuses_are_added_up_and_open_connections_are_those_of_the_last_one() {
        let mut counts = Counts::default();
        assert!(counts.of_census().sums.is_none());
        for open in [7, 3] {
            let row = CensusRow {
                open,
                segments: 100,
                retransmitted_segments: 1,
                ..CensusRow::EMPTY
            };
            counts.add(&Item::Census(Census::new([row, row])));
        }
        let sums = counts.of_census().sums.expect("two censuses");
        assert_eq!((sums.open, sums.segments), (6, 400));
        assert_eq!(sums.retransmitted_segments, 4);
        // A census without rows: no connection is open.
        counts.add(&Item::Census(Census::default()));
        assert_eq!(counts.of_census().sums.map(|sums| sums.open), Some(0));
        counts.add(&Item::Mark(Mark {
            lost: 5,
            ..Mark::default()
        }));
        assert_eq!(counts.lost(), 5);
    }
}
