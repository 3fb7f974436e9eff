//! What became of the frames of a publisher.

use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;

/// Frames, and the events in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Number of frames.
    pub frames: u64,
    /// Number of events in them.
    pub events: u64,
}

impl Amount {
    pub(super) fn add(&mut self, events: u64) {
        self.frames += 1;
        self.events += events;
    }

    pub(super) fn take(&mut self, events: u64) {
        self.frames -= 1;
        self.events -= events;
    }
}

/// The counters of a publisher. Each frame that was handed over or inherited is in exactly one of `acknowledged`,
/// `dropped` and `queued`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishCounts {
    /// Handed over to [`Publisher::publish`](super::Publisher::publish).
    pub published: Amount,
    /// Found in the spool's directory: left there by earlier runs.
    pub inherited: Amount,
    /// Acknowledged by the broker.
    pub acknowledged: Amount,
    /// Not known to be delivered: the oldest when the spool was full, and frames that could not be written, read or
    /// sent. The broker may have one of each partition for each lost connection: a frame whose answer was lost, and
    /// that gave way before it could be sent again. Consumers count it as consumed.
    pub dropped: Amount,
    /// In the spool. After the end of the run: left in the directory for the next one.
    pub queued: Amount,
    /// Of the acknowledged frames, those that the broker had already.
    pub duplicates: u64,
    /// Size of the spool in bytes, with its acknowledged frames that are not removed yet.
    pub spool_bytes: u64,
    /// Ends of files of earlier runs that could not be read, because a run ended while it wrote.
    pub torn: u64,
    /// Attempts to write to the directory that failed.
    pub write_errors: u64,
    /// The last failure.
    pub last_error: Option<PublishError>,
}

/// Why something was not published at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishError {
    /// The cause, in one line.
    pub cause: String,
    /// When, as Unix time in seconds.
    pub at: u64,
}

impl PublishCounts {
    /// Returns whether every frame and every event is accounted for.
    pub fn balances(&self) -> bool {
        let all = |of: fn(&Amount) -> u64| {
            let came = of(&self.published) + of(&self.inherited);
            came == of(&self.acknowledged) + of(&self.dropped) + of(&self.queued)
        };
        all(|amount| amount.frames) && all(|amount| amount.events)
    }

    pub(super) fn fail(&mut self, cause: &str) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.last_error = Some(PublishError {
            cause: cause.replace(char::is_control, " "),
            at: now.unwrap_or_default().as_secs(),
        });
    }
}
