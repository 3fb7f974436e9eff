//! The counters of a receiver.

use std::time::Duration;

/// What became of what was handed over for one receiver: alerts; for collectors of logs, alerts and events; for those
/// of metrics, sets of them. Each that was received is in exactly one of the other counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Name of the receiver, such as `alertmanager am-1:9093`. It has no secret in it.
    pub name: String,
    /// Handed over, and alerts of the limit of alerts. An alert that is repeated for the receiver is not counted again.
    pub received: u64,
    /// Accepted by the receiver. Several that were handed over may be in one that was delivered.
    pub sent: u64,
    /// Not delivered yet.
    pub queued: u64,
    /// Not queued, because there was no room, or because the limit of alerts held them back.
    pub dropped: u64,
    /// Queued, but refused by the receiver, or not delivered within the time limit.
    pub failed: u64,
    /// The last failure.
    pub last_error: Option<LastError>,
}

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// The cause, in one line without control characters.
    pub cause: String,
    /// When, as a time since 1970-01-01T00:00:00Z.
    pub at: Duration,
}

impl Counted {
    /// Returns whether every alert is accounted for.
    pub fn balances(&self) -> bool {
        self.received == self.sent + self.queued + self.dropped + self.failed
    }

    /// Adds the counters of an earlier receiver of the same name, or of a later one.
    pub(crate) fn add(&mut self, other: Counted) {
        self.received += other.received;
        self.sent += other.sent;
        self.queued += other.queued;
        self.dropped += other.dropped;
        self.failed += other.failed;
        let errors = [self.last_error.take(), other.last_error];
        self.last_error = errors.into_iter().flatten().max_by_key(|error| error.at);
    }

    /// Counts a received alert as queued.
    pub(crate) fn queue(&mut self) {
        self.received += 1;
        self.queued += 1;
    }

    /// Counts a received alert as dropped.
    pub(crate) fn drop_one(&mut self) {
        self.received += 1;
        self.dropped += 1;
    }

    /// Counts queued alerts as sent.
    pub(crate) fn send(&mut self, alerts: u64) {
        self.queued -= alerts;
        self.sent += alerts;
    }

    /// Counts queued alerts as failed.
    pub(crate) fn fail(&mut self, alerts: u64) {
        self.queued -= alerts;
        self.failed += alerts;
    }
}
