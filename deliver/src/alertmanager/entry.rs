//! An alert that is active or has ended, and how much of it each replica knows.

use std::net::SocketAddr;
use std::time::Duration;

use super::labels::Labels;
use crate::alert::Alert;
use crate::moment::Moment;
use crate::text;

/// Maximum length of a summary, in bytes. What is longer is cut, and ends in `…`.
const MAX_SUMMARY: usize = 4 << 10;

/// Shortest time between two deliveries of an alert whose state has changed.
const CHANGE_GAP: Duration = Duration::from_secs(1);

/// Shortest time between two deliveries of an alert that was only raised again.
const RAISE_GAP: Duration = Duration::from_secs(5);

/// Time for which an alert is kept that a replica does not get, unless it fires for longer.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// Time after which an alert of a plugin that resolves its alerts is ended. It is there for an end that got lost.
const RESOLVE_AFTER_OF_RESOLVING: Duration = Duration::from_secs(86_400);

/// Time for which an alert that has ended is kept and repeated, as in Prometheus: a replica may have missed its end.
const KEEP_ENDED: Duration = Duration::from_secs(900);

/// An alert.
pub(super) struct Entry {
    pub(super) summary: String,
    pub(super) connection: Option<(SocketAddr, SocketAddr)>,
    /// When it was first raised, as a time since 1970-01-01T00:00:00Z.
    pub(super) starts_at: Duration,
    /// The steady time at which it was last raised.
    pub(super) raised_at: Duration,
    /// Its plugin resolves its alerts, so that an alert that is not raised again goes on.
    pub(super) is_resolving: bool,
    /// When the plugin ended it.
    pub(super) resolved: Option<Moment>,
    /// For each replica.
    pub(super) progress: Vec<Progress>,
}

/// What a replica knows of an alert.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Number of times that the alert was raised or resolved and the replica does not know of.
    pub(super) pending: u64,
    /// When the replica last accepted the alert, and whether it had ended.
    pub(super) told: Option<Told>,
    /// The replica may have forgotten the alert, because it was away.
    pub(super) may_have_forgotten: bool,
    /// The steady time at which the replica last learned that the alert was raised.
    pub(super) learned_at: Duration,
    /// When the alert ended for this replica, because it was not raised again.
    pub(super) timed_out: Option<Moment>,
    /// A request with this alert and others was refused: it is sent alone.
    pub(super) is_alone: bool,
    /// The steady time at which the alert was refused alone.
    pub(super) refused_at: Option<Duration>,
}

/// What a replica accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// The steady time.
    pub(super) at: Duration,
    /// The alert had ended.
    pub(super) has_ended: bool,
}

/// When an alert is to be sent to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The steady time.
    pub(super) at: Duration,
    /// The replica knows all of it: it is a repetition.
    pub(super) is_repeat: bool,
}

impl Entry {
    /// An alert that no replica knows of.
    pub(super) fn new(alert: &Alert, replicas: usize, now: Moment) -> Entry {
        Entry {
            summary: text::cut(&alert.summary, MAX_SUMMARY),
            connection: alert.connection,
            // The clock of a stream may be ahead.
            starts_at: alert.wall_time.min(now.wall),
            raised_at: now.steady,
            is_resolving: false,
            resolved: None,
            progress: vec![Progress::default(); replicas],
        }
    }

    /// It is raised, for the first time or again.
    pub(super) fn raise(&mut self, alert: &Alert, now: Moment) {
        if (0..self.progress.len()).all(|replica| self.ended(replica).is_some()) {
            let ended = self
                .progress
                .iter()
                .filter_map(|progress| progress.timed_out);
            let ended = ended.chain(self.resolved).map(|moment| moment.wall).max();
            let earliest = ended.unwrap_or_default();
            self.starts_at = alert.wall_time.clamp(earliest.min(now.wall), now.wall);
        }
        self.resolved = None;
        self.raised_at = now.steady;
        self.describe(alert);
        for progress in &mut self.progress {
            progress.timed_out = None;
            progress.pending += 1;
        }
    }

    /// Its plugin ends it.
    pub(super) fn resolve(&mut self, alert: &Alert, now: Moment) {
        let ended = Moment {
            wall: alert
                .wall_time
                .clamp(self.starts_at.min(now.wall), now.wall),
            ..now
        };
        self.resolved.get_or_insert(ended);
        self.describe(alert);
        for progress in &mut self.progress {
            progress.pending += 1;
        }
    }

    fn describe(&mut self, alert: &Alert) {
        self.summary = text::cut(&alert.summary, MAX_SUMMARY);
        self.connection = alert.connection.or(self.connection);
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn bytes(&self, labels: &Labels) -> usize {
        let labels = labels.iter();
        let labels: usize = labels
            .map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len())
            .sum();
        size_of::<Entry>()
            + self.progress.len() * size_of::<Progress>()
            + self.summary.len()
            + labels
    }

    /// When it ended for a replica. `None`: it fires.
    pub(super) fn ended(&self, replica: usize) -> Option<Moment> {
        self.resolved.or(self.progress[replica].timed_out)
    }

    /// The steady time at which it ends for a replica that knows of it, unless it is raised again. A replica that was
    /// away learns first that the alert fires: it says nothing of one that has ended before.
    pub(super) fn times_out_at(&self, replica: usize, resolve_after: Duration) -> Option<Duration> {
        let progress = &self.progress[replica];
        let fires = progress.pending == 0 && self.ended(replica).is_none();
        fires.then(|| self.raised_at.max(progress.learned_at) + self.lifetime(resolve_after))
    }

    /// Time for which it fires if it is raised once.
    fn lifetime(&self, resolve_after: Duration) -> Duration {
        let at_least = if self.is_resolving {
            RESOLVE_AFTER_OF_RESOLVING
        } else {
            Duration::ZERO
        };
        resolve_after.max(at_least)
    }

    /// The steady time after which a replica that could not be told is not told any more.
    pub(super) fn too_old_at(&self, replica: usize, resolve_after: Duration) -> Option<Duration> {
        let too_old_at = match self.resolved {
            Some(resolved) => resolved.steady + MAX_AGE,
            None => self.raised_at + MAX_AGE.max(self.lifetime(resolve_after)),
        };
        (self.progress[replica].pending > 0).then_some(too_old_at)
    }

    /// When a replica is to be told.
    pub(super) fn due(&self, replica: usize, repeat: Duration, is_closing: bool) -> Option<Due> {
        let progress = &self.progress[replica];
        let is_pending = progress.pending > 0;
        let due = |at, is_repeat| Some(Due { at, is_repeat });
        if is_closing {
            return if is_pending {
                due(Duration::ZERO, false)
            } else {
                None
            };
        }
        if let Some(refused_at) = progress.refused_at {
            return if is_pending {
                due(refused_at + repeat, false)
            } else {
                None
            };
        }
        let Some(told) = progress.told else {
            return if is_pending {
                due(Duration::ZERO, false)
            } else {
                None
            };
        };
        if progress.may_have_forgotten {
            due(Duration::ZERO, !is_pending)
        } else if told.has_ended != self.ended(replica).is_some() {
            due(told.at + CHANGE_GAP, false)
        } else if is_pending {
            due(told.at + RAISE_GAP.min(repeat), false)
        } else {
            due(told.at + repeat, true)
        }
    }

    /// Returns whether it has ended for every replica, and each knows as much of it as it ever will.
    pub(super) fn is_over(&self) -> bool {
        let mut replicas = self.progress.iter().enumerate();
        replicas.all(|(replica, progress)| {
            let told_end = progress.told.is_none_or(|told| told.has_ended);
            self.ended(replica).is_some() && progress.pending == 0 && told_end
        })
    }

    /// Returns whether it can be forgotten.
    pub(super) fn is_done(&self, now: Moment) -> bool {
        let mut replicas = self.progress.iter().enumerate();
        replicas.all(|(replica, progress)| {
            let ended = self.ended(replica);
            progress.pending == 0
                && ended.is_some_and(|ended| ended.steady + KEEP_ENDED <= now.steady)
        })
    }
}
