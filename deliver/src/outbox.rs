//! What waits to be delivered. An outbox knows neither the network nor a clock: it is told what time it is, and what
//! became of what it handed out.

use std::time::Duration;

use crate::alert::Alert;
use crate::counted::Counted;
use crate::health::Note;
use crate::moment::Moment;
use crate::retry::Outcome;

/// What to do next for a receiver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<J> {
    /// Deliver this, and report what became of it.
    Deliver(J),
    /// Nothing before this steady time, or before something else happens.
    Wait(Option<Duration>),
}

/// What waits for one or several receivers.
pub(crate) trait Outbox: Send + 'static {
    /// What is delivered at once.
    type Job: Send + 'static;

    /// Takes an alert, and counts it for each receiver.
    fn accept(&mut self, alert: &Alert, now: Moment);

    /// Counts an alert that the limit of alerts holds back.
    fn hold_back(&mut self);

    /// What to do for a receiver, to which nothing is being delivered. When closing, everything that is queued is due,
    /// and nothing else is.
    fn next(&mut self, receiver: usize, now: Moment, is_closing: bool) -> Next<Self::Job>;

    /// What became of the last job for a receiver.
    fn answered(&mut self, receiver: usize, outcome: Outcome, now: Moment);

    /// From now on it is closing: a receiver that failed is tried again at once.
    fn close(&mut self);

    /// Takes what is to be said about a receiver.
    fn notes(&mut self, receiver: usize, now: Moment, is_closing: bool) -> Vec<Note>;

    /// The counters of each receiver.
    fn counted(&self) -> Vec<Counted>;
}

/// The earlier one of two steady times.
pub(crate) fn earlier(time: Option<Duration>, other: Duration) -> Option<Duration> {
    Some(time.map_or(other, |time| time.min(other)))
}
