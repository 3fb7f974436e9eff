//! The alerts that wait for a webhook, one delivery after the other.
//!
//! An alert that is raised again within a minute is delivered once, at the end of that minute, with the number of
//! times. A delivery does not change once it was attempted: each further attempt has the same identifier and the same
//! body.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use crate::alert::Alert;
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

/// Maximum number of deliveries that wait.
pub(super) const MAX_WAITING: usize = 4_096;

/// Maximum size of the alerts that wait, in bytes, unless it is one alert.
const MAX_BYTES: usize = 8 << 20;

/// Number of alerts whose last delivery is remembered.
const MAX_REMEMBERED: usize = 10_000;

/// What is the same for all deliveries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Time within which an alert that is raised again is not delivered again.
    pub(super) again_after: Duration,
    /// Time after which a delivery is given up.
    pub(super) max_age: Duration,
}

/// The alerts for a webhook.
pub(crate) struct Queue {
    rules: Rules,
    counted: Counted,
    health: Health,
    backoff: Backoff,
    /// In the order in which they were raised.
    waiting: BTreeMap<u64, Waiting>,
    /// The last one that waits for an alert, by the hash of its identity. Different ones have different hashes, but for
    /// one case in 10¹².
    last: HashMap<u64, u64, RandomState>,
    /// Size of the alerts that wait.
    bytes: usize,
    /// Number of deliveries so far.
    sequence: u64,
    /// Steady time of the last delivery of an alert that fires, by the hash of its identity.
    delivered: LinkedHashMap<u64, Duration, RandomState>,
    hasher: RandomState,
    /// What is being delivered, or will be tried again.
    current: Option<Delivery>,
    /// Begin of all identifiers of this run.
    run: u64,
}

struct Waiting {
    alert: Alert,
    hash: u64,
    raised: u64,
    /// The steady time at which it was first raised.
    since: Duration,
    /// The steady time before which it is not delivered.
    not_before: Duration,
}

/// An alert to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The same for each attempt, and different for each delivery.
    pub(super) id: String,
    /// The alert, as it was last raised.
    pub(super) alert: Alert,
    /// Number of times that it was raised.
    pub(super) raised: u64,
    /// Hash of the identity of the alert.
    hash: u64,
    /// The steady time at which it was first raised.
    since: Duration,
}

impl Queue {
    /// An empty queue, for the receiver with this name.
    pub(super) fn new(name: String, rules: Rules, backoff: Backoff) -> Queue {
        Queue {
            rules,
            counted: Counted {
                name,
                ..Counted::default()
            },
            health: Health::new("alert", "alerts"),
            backoff,
            waiting: BTreeMap::new(),
            last: HashMap::default(),
            bytes: 0,
            sequence: 0,
            delivered: LinkedHashMap::default(),
            hasher: RandomState::default(),
            current: None,
            run: fastrand::u64(..),
        }
    }

    /// Counts an alert together with one of the same state that waits, if nothing else was raised for it since.
    fn merge(&mut self, alert: &Alert, hash: u64) -> bool {
        let last = self
            .last
            .get(&hash)
            .and_then(|sequence| self.waiting.get_mut(sequence));
        let Some(waiting) = last else {
            return false;
        };
        if waiting.alert.state != alert.state || self.rules.again_after.is_zero() {
            // The end of an alert ends the wait of what was raised before it.
            waiting.not_before = Duration::ZERO;
            return false;
        }
        let bytes = self.bytes - waiting.alert.bytes() + alert.bytes();
        // Without room for a longer text, the one before stays.
        if bytes <= MAX_BYTES.max(self.bytes) {
            self.bytes = bytes;
            waiting.alert = alert.clone();
        }
        waiting.raised += 1;
        true
    }

    fn push(&mut self, alert: &Alert, hash: u64, now: Moment) {
        let before = self.delivered_before(alert, hash, now);
        let not_before = before.map_or(Duration::ZERO, |before| before + self.rules.again_after);
        self.bytes += alert.bytes();
        self.last.insert(hash, self.sequence);
        let waiting = Waiting {
            alert: alert.clone(),
            hash,
            raised: 1,
            since: now.steady,
            not_before,
        };
        self.waiting.insert(self.sequence, waiting);
        self.sequence += 1;
    }

    /// When an alert that fires was delivered, if it has not ended since.
    fn delivered_before(&self, alert: &Alert, hash: u64, now: Moment) -> Option<Duration> {
        if alert.state == State::Resolved || self.last.contains_key(&hash) {
            return None;
        }
        match &self.current {
            Some(current) if current.hash == hash => {
                (current.alert.state == State::Firing).then_some(now.steady)
            }
            _ => self.delivered.get(&hash).copied(),
        }
    }

    /// Takes the next delivery that is due, or when one is.
    fn take(&mut self, now: Moment, is_closing: bool) -> Result<Delivery, Option<Duration>> {
        let mut next = None;
        let mut due = None;
        for (sequence, waiting) in &self.waiting {
            if is_closing || waiting.not_before <= now.steady {
                due = Some(*sequence);
                break;
            }
            next = earlier(next, waiting.not_before);
        }
        let taken = due.and_then(|sequence| Some((sequence, self.waiting.remove(&sequence)?)));
        let Some((sequence, waiting)) = taken else {
            return Err(next);
        };
        self.bytes -= waiting.alert.bytes();
        if self.last.get(&waiting.hash) == Some(&sequence) {
            self.last.remove(&waiting.hash);
        }
        Ok(Delivery {
            id: format!("{:016x}-{sequence}", self.run),
            alert: waiting.alert,
            raised: waiting.raised,
            hash: waiting.hash,
            since: waiting.since,
        })
    }

    /// Counts a delivery as failed if it is too old.
    fn is_too_old(&mut self, delivery: &Delivery, now: Moment) -> bool {
        let max_age = self.rules.max_age;
        let is_too_old = now.steady >= delivery.since + max_age;
        if is_too_old {
            self.counted.fail(delivery.raised);
            let last = self.health.last_error().map(|error| error.cause.clone());
            let last = last.unwrap_or_else(|| "others came first".to_owned());
            let why = format!("not delivered within {} s: {last}", max_age.as_secs());
            self.health.lost(delivery.raised, &why, now);
        }
        is_too_old
    }

    /// Remembers when an alert was delivered. After its end, it is delivered at once when it fires again.
    fn remember(&mut self, delivery: &Delivery, now: Moment) {
        self.delivered.remove(&delivery.hash);
        if delivery.alert.state == State::Firing && !self.rules.again_after.is_zero() {
            self.delivered.insert(delivery.hash, now.steady);
            if self.delivered.len() > MAX_REMEMBERED {
                self.delivered.pop_front();
            }
        }
    }
}

impl Outbox for Queue {
    type Job = Delivery;

    fn accept(&mut self, alert: &Alert, now: Moment) {
        let hash = self.hasher.hash_one(alert.identity());
        if self.merge(alert, hash) {
            self.counted.queue();
            return;
        }
        let has_room = self.waiting.is_empty() || self.bytes + alert.bytes() <= MAX_BYTES;
        if has_room && self.waiting.len() < MAX_WAITING {
            self.push(alert, hash, now);
            self.counted.queue();
        } else {
            self.counted.drop_one();
            let why = format!("{} wait, and there is no room for more", self.waiting.len());
            self.health.lost(1, &why, now);
        }
    }

    fn hold_back(&mut self) {
        self.counted.drop_one();
    }

    fn next(&mut self, _: usize, now: Moment, is_closing: bool) -> Next<Delivery> {
        loop {
            let not_before = self.backoff.not_before();
            let delivery = match self.current.take() {
                Some(delivery) => delivery,
                // What waits is not taken before it can be sent, so that it still takes in what is raised.
                None if not_before > now.steady => {
                    let wake = (!self.waiting.is_empty()).then_some(not_before);
                    return Next::Wait(self.health.next().map_or(wake, |at| earlier(wake, at)));
                }
                None => match self.take(now, is_closing) {
                    Ok(delivery) => delivery,
                    Err(wake) => {
                        return Next::Wait(self.health.next().map_or(wake, |at| earlier(wake, at)));
                    }
                },
            };
            if self.is_too_old(&delivery, now) {
                continue;
            }
            let too_old_at = delivery.since + self.rules.max_age;
            self.current = Some(delivery.clone());
            if not_before > now.steady {
                let wake = Some(not_before.min(too_old_at));
                return Next::Wait(self.health.next().map_or(wake, |at| earlier(wake, at)));
            }
            return Next::Deliver(delivery);
        }
    }

    fn answered(&mut self, _: usize, outcome: Outcome, now: Moment) {
        let Some(delivery) = self.current.take() else {
            return;
        };
        match outcome {
            // A delivery has no parts.
            Outcome::Delivered | Outcome::Partly { .. } => {
                self.health.is_well(now);
                self.backoff.succeeded();
                self.counted.send(delivery.raised);
                self.remember(&delivery, now);
            }
            Outcome::Refused(why) => {
                self.health.is_well(now);
                self.backoff.succeeded();
                self.counted.fail(delivery.raised);
                self.health.lost(delivery.raised, &why, now);
            }
            Outcome::Later { why, retry_after } => {
                self.health.failed(&why, self.counted.queued, now);
                self.backoff.failed(now.steady, retry_after);
                self.current = Some(delivery);
            }
        }
    }

    fn close(&mut self) {
        self.backoff.hurry();
    }

    fn notes(&mut self, _: usize, now: Moment, is_closing: bool) -> Vec<Note> {
        self.health.notes(now, is_closing)
    }

    fn counted(&self) -> Vec<Counted> {
        vec![Counted {
            last_error: self.health.last_error().cloned(),
            ..self.counted.clone()
        }]
    }
}

#[cfg(test)]
mod tests;
