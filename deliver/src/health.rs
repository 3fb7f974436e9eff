//! What is said about a receiver in the log: the first of several failures, the first success after them, and what was
//! lost, once a minute.

use std::time::Duration;

use crate::counted::LastError;
use crate::moment::Moment;

/// Time within which losses are told together.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Whether a receiver can be reached, and what was not told yet.
#[derive(Debug)]
pub(crate) struct Health {
    /// What is delivered: the word for one, and for several.
    unit: (&'static str, &'static str),
    /// Since when the receiver fails.
    failing_since: Option<Duration>,
    /// Number of what was lost, and why the last one was.
    lost: Option<(u64, String)>,
    /// When losses were told the last time.
    told_at: Option<Duration>,
    last_error: Option<LastError>,
    notes: Vec<Note>,
}

/// A line for the log, without the name of the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// Something was lost, or cannot be delivered for now.
    Warning(String),
    /// What a warning said is over.
    Info(String),
}

impl Health {
    /// A receiver of which nothing is known.
    pub(crate) fn new(one: &'static str, several: &'static str) -> Health {
        Health {
            unit: (one, several),
            failing_since: None,
            lost: None,
            told_at: None,
            last_error: None,
            notes: Vec::new(),
        }
    }

    /// The last failure.
    pub(crate) fn last_error(&self) -> Option<&LastError> {
        self.last_error.as_ref()
    }

    /// The receiver has answered as it should.
    pub(crate) fn is_well(&mut self, now: Moment) {
        if let Some(since) = self.failing_since.take() {
            let seconds = (now.steady - since).as_secs();
            self.notes
                .push(Note::Info(format!("delivers again, after {seconds} s")));
        }
    }

    /// The receiver cannot be reached, or does not accept anything for now.
    pub(crate) fn failed(&mut self, why: &str, queued: u64, now: Moment) {
        self.set_error(why, now);
        if self.failing_since.is_none() {
            self.failing_since = Some(now.steady);
            self.notes.push(Note::Warning(format!(
                "cannot deliver: {why}; {} not delivered yet, and it is tried again",
                self.count(queued, "is", "are")
            )));
        }
    }

    /// Something is wrong, of which nothing is lost.
    pub(crate) fn warn(&mut self, what: &str, now: Moment) {
        self.set_error(what, now);
        self.notes.push(Note::Warning(what.to_owned()));
    }

    /// Something was lost.
    pub(crate) fn lost(&mut self, number: u64, why: &str, now: Moment) {
        self.set_error(why, now);
        let before = self.lost.take().map_or(0, |(before, _)| before);
        self.lost = Some((before + number, why.to_owned()));
    }

    /// The steady time at which there is something to tell.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.lost.as_ref()?;
        Some(
            self.told_at
                .map_or(Duration::ZERO, |told| told + TELL_EVERY),
        )
    }

    /// Takes what is to be told now. At the end, everything is.
    pub(crate) fn notes(&mut self, now: Moment, is_end: bool) -> Vec<Note> {
        if self.next().is_some_and(|next| is_end || next <= now.steady)
            && let Some((number, why)) = self.lost.take()
        {
            self.told_at = Some(now.steady);
            let lost = self.count(number, "was", "were");
            self.notes
                .push(Note::Warning(format!("{lost} lost: {why}")));
        }
        std::mem::take(&mut self.notes)
    }

    /// A number, its unit, and the verb that fits it.
    fn count(&self, number: u64, one: &str, several: &str) -> String {
        match number {
            1 => format!("1 {} {one}", self.unit.0),
            number => format!("{number} {} {several}", self.unit.1),
        }
    }

    fn set_error(&mut self, why: &str, now: Moment) {
        self.last_error = Some(LastError {
            cause: why.to_owned(),
            at: now.wall,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Note {
        Note::Warning(text.to_owned())
    }

    #[test]
    fn a_row_of_failures_is_told_once_and_so_is_its_end() {
        let mut health = Health::new("alert", "alerts");
        health.is_well(Moment::at(1));
        assert_eq!(health.notes(Moment::at(1), false), []);
        health.failed("connection refused", 1, Moment::at(2));
        health.failed("connection refused", 5, Moment::at(3));
        let expected = "cannot deliver: connection refused; 1 alert is not delivered yet, and it is tried again";
        assert_eq!(health.notes(Moment::at(3), false), [warning(expected)]);
        health.is_well(Moment::at(9));
        health.is_well(Moment::at(10));
        let expected = Note::Info("delivers again, after 7 s".to_owned());
        assert_eq!(health.notes(Moment::at(10), false), [expected]);
    }

    #[test]
    fn losses_are_told_at_once_and_then_once_a_minute_with_their_number() {
        let mut health = Health::new("alert", "alerts");
        health.lost(1, "no room", Moment::at(1));
        assert_eq!(
            health.notes(Moment::at(1), false),
            [warning("1 alert was lost: no room")]
        );
        health.lost(2, "no room", Moment::at(2));
        health.lost(3, "refused", Moment::at(3));
        assert_eq!(health.notes(Moment::at(60), false), []);
        assert_eq!(health.next(), Some(Duration::from_secs(61)));
        let expected = [warning("5 alerts were lost: refused")];
        assert_eq!(health.notes(Moment::at(61), false), expected);
        assert_eq!(health.next(), None);
        health.lost(1, "refused", Moment::at(62));
        assert_eq!(
            health.notes(Moment::at(62), true),
            [warning("1 alert was lost: refused")]
        );
    }

    #[test]
    fn the_last_failure_is_kept_with_its_time() {
        let mut health = Health::new("alert", "alerts");
        health.failed("timed out", 1, Moment::at(5));
        health.is_well(Moment::at(6));
        let error = health.last_error().expect("an error");
        assert_eq!(
            (error.cause.as_str(), error.at),
            ("timed out", Moment::at(5).wall)
        );
    }
}
