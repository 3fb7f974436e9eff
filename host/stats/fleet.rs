//! The counters of a fleet: what a host has published, and what a consumer has got from the broker.

use std::fmt;
use std::ops::AddAssign;
use std::ops::Sub;

use serde::Deserialize;
use serde::Serialize;

/// Events that a host publishes. Those that were handed over, and those of earlier runs, are acknowledged, dropped or
/// spooled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishStats {
    /// Events that were handed over.
    pub events: u64,
    /// Events that the broker has stored.
    pub acknowledged: u64,
    /// Events that were dropped, because the spool was full or the run has ended.
    pub dropped: u64,
    /// Events that wait in the spool; at the end: those that are left for the next run.
    pub spooled: u64,
    /// Events of earlier runs that were in the spool.
    pub earlier: u64,
}

impl PublishStats {
    /// Returns whether each event is accounted for.
    pub fn balances(&self) -> bool {
        self.events + self.earlier == self.acknowledged + self.dropped + self.spooled
    }
}

/// Writes a line of the ledger.
impl fmt::Display for PublishStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PublishStats {
            events,
            acknowledged,
            dropped,
            spooled,
            earlier,
        } = self;
        write!(
            f,
            "ledger: published events={events} acknowledged={acknowledged} dropped={dropped} spooled={spooled}"
        )?;
        match earlier {
            0 => writeln!(f),
            earlier => writeln!(f, " earlier={earlier}"),
        }
    }
}

/// Events that a consumer got from the broker, over all partitions that it has had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetStats {
    /// Events in the frames that arrived.
    pub received: u64,
    /// Events that were passed to the chain.
    pub delivered: u64,
    /// Events of frames that had arrived before.
    pub duplicate: u64,
    /// Events that were too old to be passed on.
    pub late: u64,
    /// Events of frames that could not be read.
    pub damaged: u64,
    /// Frames that could not be read.
    pub damaged_frames: u64,
    /// Frames that agents have published and that did not arrive.
    pub missing_frames: u64,
    /// Events that the hosts themselves have lost.
    pub lost: u64,
}

/// A partition that a consumer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionStats {
    /// Its number.
    pub partition: u16,
    /// Events that were passed to its chain since it has it.
    pub delivered: u64,
    /// Messages that were not read yet.
    pub lag: u64,
}

impl FleetStats {
    /// Returns whether each event is accounted for.
    pub fn balances(&self) -> bool {
        self.received == self.delivered + self.duplicate + self.late + self.damaged
    }
}

impl AddAssign for FleetStats {
    fn add_assign(&mut self, other: FleetStats) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.damaged += other.damaged;
        self.damaged_frames += other.damaged_frames;
        self.missing_frames += other.missing_frames;
        self.lost = self.lost.saturating_add(other.lost);
    }
}

/// What was counted since an earlier value.
impl Sub for FleetStats {
    type Output = FleetStats;

    fn sub(self, earlier: FleetStats) -> FleetStats {
        FleetStats {
            received: self.received - earlier.received,
            delivered: self.delivered - earlier.delivered,
            duplicate: self.duplicate - earlier.duplicate,
            late: self.late - earlier.late,
            damaged: self.damaged - earlier.damaged,
            damaged_frames: self.damaged_frames - earlier.damaged_frames,
            missing_frames: self.missing_frames - earlier.missing_frames,
            lost: self.lost - earlier.lost,
        }
    }
}

/// Writes a line of the ledger.
impl fmt::Display for FleetStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FleetStats {
            received,
            delivered,
            duplicate,
            late,
            damaged,
            damaged_frames,
            missing_frames,
            lost,
        } = self;
        writeln!(
            f,
            "ledger: fleet received={received} delivered={delivered} duplicate={duplicate} late={late} \
             damaged={damaged} damaged_frames={damaged_frames} missing_frames={missing_frames} lost={lost}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_balance_where_their_parts_do() {
        let one = FleetStats {
            received: 10,
            delivered: 6,
            duplicate: 1,
            late: 2,
            damaged: 1,
            damaged_frames: 1,
            missing_frames: 3,
            lost: 4,
        };
        let mut sum = one;
        sum += one;
        assert!(one.balances() && sum.balances());
        assert_eq!((sum.received, sum.lost, sum.missing_frames), (20, 8, 6));
        assert_eq!(sum - one, one);
        assert!(
            !FleetStats {
                received: 11,
                ..one
            }
            .balances()
        );
        assert_eq!(
            one.to_string(),
            "ledger: fleet received=10 delivered=6 duplicate=1 late=2 damaged=1 damaged_frames=1 missing_frames=3 lost=4\n"
        );
    }

    #[test]
    fn what_is_published_is_stored_dropped_or_spooled() {
        let stats = PublishStats {
            events: 7,
            acknowledged: 4,
            dropped: 2,
            spooled: 1,
            earlier: 0,
        };
        assert!(stats.balances());
        assert_eq!(
            stats.to_string(),
            "ledger: published events=7 acknowledged=4 dropped=2 spooled=1\n"
        );
    }
}
