//! The alerts that are active or have ended, and what each replica is to be told.
//!
//! An alert is here once, however often it is raised. It is delivered when it is raised or resolved, and repeated as
//! long as it is here: Alertmanager takes one that is not repeated for resolved, and has none after a restart.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::entry::Entry;
use super::entry::Progress;
use super::entry::Told;
use super::labels;
use super::labels::Labels;
use crate::alert::Alert;
use crate::alert::Severity;
use crate::alert::State;
use crate::counted::Counted;
use crate::health::Health;
use crate::health::Note;
use crate::moment::Moment;
use crate::outbox::Next;
use crate::outbox::Outbox;
use crate::outbox::earlier;
use crate::retry::Backoff;
use crate::retry::Outcome;

/// Maximum number of alerts that are kept.
pub(super) const MAX_ALERTS: usize = 4_096;

/// Maximum size of the alerts that are kept, in bytes, without changes of their summaries.
const MAX_BYTES: usize = 8 << 20;

/// What is the same for all alerts.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) instance: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) generator_url: Option<String>,
    pub(super) resolve_after: Duration,
    pub(super) repeat: Duration,
}

/// Alerts, for one or several replicas.
pub(crate) struct Active {
    rules: Rules,
    entries: LinkedHashMap<Labels, Entry, RandomState>,
    /// Size of the entries.
    bytes: usize,
    /// Plugins that resolve their alerts, so that an alert that is not raised again goes on.
    resolving: HashSet<String, RandomState>,
    replicas: Vec<Replica>,
}

struct Replica {
    counted: Counted,
    health: Health,
    backoff: Backoff,
    /// What is being delivered.
    in_flight: Vec<InFlight>,
}

struct InFlight {
    labels: Labels,
    /// Number of times that the alert was raised or resolved, of which the request tells.
    pending: u64,
    has_ended: bool,
}

impl Active {
    /// No alerts, for these replicas: the name of each, and when it is tried again.
    pub(super) fn new(
        rules: Rules,
        resolving: &[String],
        replicas: Vec<(String, Backoff)>,
    ) -> Active {
        let replicas = replicas.into_iter().map(|(name, backoff)| Replica {
            counted: Counted {
                name,
                ..Counted::default()
            },
            health: Health::new("alert", "alerts"),
            backoff,
            in_flight: Vec::new(),
        });
        Active {
            rules,
            entries: LinkedHashMap::default(),
            bytes: 0,
            resolving: resolving.iter().cloned().collect(),
            replicas: replicas.collect(),
        }
    }

    fn raise(&mut self, alert: &Alert, now: Moment) {
        let mut labels = labels::of(alert, &self.rules.instance, &self.rules.labels);
        // An alert whose severity has changed is another one for Alertmanager: that before has ended.
        for other in Severity::ALL
            .into_iter()
            .filter(|other| *other != alert.severity)
        {
            if let Some(entry) = self.entries.get_mut(labels.with(other)) {
                entry.resolved.get_or_insert(now);
            }
        }
        let labels = labels.with(alert.severity);
        if self.entries.contains_key(labels) || self.make_room(alert, labels, now) {
            self.change(labels, |entry| entry.raise(alert, now));
        }
    }

    /// Notes that a plugin resolves its alerts. Those that are active go on until then.
    pub(crate) fn learn_resolving(&mut self, plugin: &str) {
        if self.resolving.contains(plugin) {
            return;
        }
        self.resolving.insert(plugin.to_owned());
        for (labels, entry) in &mut self.entries {
            entry.is_resolving |= labels
                .iter()
                .any(|(name, value)| name == "plugin" && *value == plugin);
        }
    }

    fn resolve(&mut self, alert: &Alert, now: Moment) {
        self.learn_resolving(&alert.plugin);
        let mut labels = labels::of(alert, &self.rules.instance, &self.rules.labels);
        // It has the severity with which it was raised.
        let firing = Severity::ALL.into_iter().find(|severity| {
            let entry = self.entries.get(labels.with(*severity));
            entry.is_some_and(|entry| entry.resolved.is_none())
        });
        let labels = labels.with(firing.unwrap_or(alert.severity));
        if self.entries.contains_key(labels) || self.make_room(alert, labels, now) {
            self.change(labels, |entry| entry.resolve(alert, now));
        }
    }

    /// Adds an entry, if there is room. If there is none, alerts that are over make room. Counts the alert as dropped
    /// if there is still none.
    fn make_room(&mut self, alert: &Alert, labels: &[(String, String)], now: Moment) -> bool {
        let labels = Labels::from(labels);
        let mut entry = Entry::new(alert, self.replicas.len(), now);
        entry.is_resolving = self.resolving.contains(&alert.plugin);
        let bytes = entry.bytes(&labels);
        let is_full = |active: &Active| {
            active.entries.len() >= MAX_ALERTS || active.bytes + bytes > MAX_BYTES
        };
        if is_full(self) {
            self.forget(Entry::is_over);
        }
        if is_full(self) {
            let why = format!(
                "{} alerts are active, and there is no room for more",
                self.entries.len()
            );
            for replica in &mut self.replicas {
                replica.counted.drop_one();
                replica.health.lost(1, &why, now);
            }
            return false;
        }
        self.bytes += bytes;
        self.entries.insert(labels, entry);
        true
    }

    /// Changes an entry, and counts the alert that does so.
    fn change(&mut self, labels: &[(String, String)], change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(labels) {
            let before = entry.summary.len();
            change(entry);
            self.bytes = self.bytes - before + entry.summary.len();
            self.replicas
                .iter_mut()
                .for_each(|replica| replica.counted.queue());
        }
    }

    fn forget(&mut self, is_forgotten: impl Fn(&Entry) -> bool) {
        let bytes = &mut self.bytes;
        self.entries.retain(|labels, entry| {
            let forget = is_forgotten(entry);
            if forget {
                *bytes -= entry.bytes(labels);
            }
            !forget
        });
    }

    /// Ends what was not raised again, gives up what is too old, and forgets what is done. Returns the steady time at
    /// which there is something to do again, apart from deliveries.
    fn settle(&mut self, receiver: usize, now: Moment) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        let mut expired = 0;
        let resolve_after = self.rules.resolve_after;
        for (_, entry) in &mut self.entries {
            if entry
                .too_old_at(receiver, resolve_after)
                .is_some_and(|at| at <= now.steady)
            {
                expired += std::mem::take(&mut entry.progress[receiver].pending);
            }
            match entry.times_out_at(receiver, resolve_after) {
                Some(at) if at <= now.steady => entry.progress[receiver].timed_out = Some(now),
                Some(at) => next = earlier(next, at),
                None => {}
            }
            if let Some(at) = entry.too_old_at(receiver, resolve_after) {
                next = earlier(next, at);
            }
        }
        if expired > 0 {
            let replica = &mut self.replicas[receiver];
            replica.counted.fail(expired);
            replica
                .health
                .lost(expired, "it could not be reached for too long", now);
        }
        self.forget(|entry| entry.is_done(now));
        next
    }

    fn delivered(&mut self, receiver: usize, in_flight: Vec<InFlight>, now: Moment) {
        let replica = &mut self.replicas[receiver];
        replica.health.is_well(now);
        let was_away = replica.backoff.is_failing();
        replica.backoff.succeeded();
        if was_away {
            // It may have been restarted, and know nothing.
            for (_, entry) in &mut self.entries {
                entry.progress[receiver].may_have_forgotten = true;
            }
        }
        for sent in in_flight {
            let Some(entry) = self.entries.get_mut(&sent.labels) else {
                continue;
            };
            let progress = &mut entry.progress[receiver];
            let pending = sent.pending.min(progress.pending);
            replica.counted.send(pending);
            progress.pending -= pending;
            if pending > 0 && !sent.has_ended {
                progress.learned_at = now.steady;
            }
            progress.told = Some(Told {
                at: now.steady,
                has_ended: sent.has_ended,
            });
            progress.may_have_forgotten = false;
            progress.is_alone = false;
            progress.refused_at = None;
        }
    }

    fn refused(&mut self, receiver: usize, in_flight: &[InFlight], why: &str, now: Moment) {
        let replica = &mut self.replicas[receiver];
        // It has answered.
        replica.health.is_well(now);
        replica.backoff.succeeded();
        let is_alone = in_flight.len() == 1;
        for sent in in_flight {
            let Some(entry) = self.entries.get_mut(&sent.labels) else {
                continue;
            };
            let progress: &mut Progress = &mut entry.progress[receiver];
            progress.is_alone = true;
            if is_alone {
                let pending = sent.pending.min(progress.pending);
                progress.pending -= pending;
                progress.refused_at = Some(now.steady);
                replica.counted.fail(pending);
                match pending {
                    0 => replica
                        .health
                        .warn(&format!("an alert is not accepted any more: {why}"), now),
                    _ => replica.health.lost(pending, why, now),
                }
            }
        }
    }
}

impl Outbox for Active {
    /// The body of a request.
    type Job = Vec<u8>;

    fn accept(&mut self, alert: &Alert, now: Moment) {
        match alert.state {
            State::Firing => self.raise(alert, now),
            State::Resolved => self.resolve(alert, now),
        }
    }

    fn hold_back(&mut self) {
        self.replicas
            .iter_mut()
            .for_each(|replica| replica.counted.drop_one());
    }

    fn next(&mut self, receiver: usize, now: Moment, is_closing: bool) -> Next<Vec<u8>> {
        let settle_at = self.settle(receiver, now);
        let replica = &self.replicas[receiver];
        let mut wake = settle_at;
        wake = replica.health.next().map_or(wake, |at| earlier(wake, at));
        let not_before = replica.backoff.not_before();
        match self.select(receiver, now, is_closing) {
            Ok(_) if not_before > now.steady => Next::Wait(earlier(wake, not_before)),
            Ok(batch) => Next::Deliver(self.begin(receiver, batch, now)),
            Err(Some(due)) => Next::Wait(earlier(wake, due.max(not_before))),
            Err(None) => Next::Wait(wake),
        }
    }

    fn answered(&mut self, receiver: usize, outcome: Outcome, now: Moment) {
        let in_flight = std::mem::take(&mut self.replicas[receiver].in_flight);
        match outcome {
            // Alertmanager never accepts a part only.
            Outcome::Delivered | Outcome::Partly { .. } => self.delivered(receiver, in_flight, now),
            Outcome::Refused(why) => self.refused(receiver, &in_flight, &why, now),
            Outcome::Later { why, retry_after } => {
                let replica = &mut self.replicas[receiver];
                replica.health.failed(&why, replica.counted.queued, now);
                replica.backoff.failed(now.steady, retry_after);
            }
        }
    }

    fn close(&mut self) {
        self.replicas
            .iter_mut()
            .for_each(|replica| replica.backoff.hurry());
    }

    fn notes(&mut self, receiver: usize, now: Moment, is_closing: bool) -> Vec<Note> {
        self.replicas[receiver].health.notes(now, is_closing)
    }

    fn counted(&self) -> Vec<Counted> {
        let replicas = self.replicas.iter();
        let counted = replicas.map(|replica| Counted {
            last_error: replica.health.last_error().cloned(),
            ..replica.counted.clone()
        });
        counted.collect()
    }
}

mod request;
#[cfg(test)]
mod tests;
