//! Events and alerts that wait to be sent as log records, in batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::record::Item;
use crate::alert::Alert;
use crate::counted::Counted;
use crate::health::Health;
use crate::health::Note;
use crate::moment::Moment;
use crate::outbox::Next;
use crate::outbox::Outbox;
use crate::outbox::earlier;
use crate::retry::Backoff;
use crate::retry::Outcome;

/// Maximum number of records in a request.
pub(super) const MAX_BATCH: usize = 512;

/// Maximum size of what is in a request, in bytes, unless it is one record.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Maximum size of what waits, in bytes, unless it is one record.
const MAX_BYTES: usize = 16 << 20;

/// Time for which records wait for others.
const LINGER: Duration = Duration::from_secs(1);

/// Records that wait.
pub(crate) struct Logs {
    counted: Counted,
    health: Health,
    backoff: Backoff,
    max_age: Duration,
    /// Each with the steady time since when it waits.
    waiting: VecDeque<(Item, Duration)>,
    /// Size of what waits.
    bytes: usize,
    /// What is being delivered, or will be tried again.
    current: Option<Batch>,
}

/// Records of a request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(super) items: Arc<[Item]>,
    /// The steady time since when the first one waits.
    since: Duration,
}

impl Logs {
    /// Nothing waits for the receiver with this name.
    pub(super) fn new(name: String, max_age: Duration, backoff: Backoff) -> Logs {
        Logs {
            counted: Counted {
                name,
                ..Counted::default()
            },
            health: Health::new("record", "records"),
            backoff,
            max_age,
            waiting: VecDeque::new(),
            bytes: 0,
            current: None,
        }
    }

    /// Takes an item, or counts it as dropped if there is no room.
    pub(crate) fn push(&mut self, item: Item, now: Moment) {
        let bytes = item.bytes();
        if !self.waiting.is_empty() && self.bytes + bytes > MAX_BYTES {
            self.counted.drop_one();
            let why = format!("{} wait, and there is no room for more", self.waiting.len());
            self.health.lost(1, &why, now);
            return;
        }
        self.counted.queue();
        self.bytes += bytes;
        self.waiting.push_back((item, now.steady));
    }

    /// The steady time at which a batch is due. `None`: nothing waits.
    fn due(&self) -> Option<Duration> {
        let (_, since) = self.waiting.front()?;
        let is_full = self.waiting.len() >= MAX_BATCH || self.bytes >= MAX_BATCH_BYTES;
        Some(if is_full {
            Duration::ZERO
        } else {
            *since + LINGER
        })
    }

    fn take(&mut self) -> Option<Batch> {
        let (first, since) = self.waiting.pop_front()?;
        let mut size = first.bytes();
        let mut items = vec![first];
        while items.len() < MAX_BATCH
            && let Some((item, _)) = self.waiting.front()
            && size + item.bytes() <= MAX_BATCH_BYTES
            && let Some((item, _)) = self.waiting.pop_front()
        {
            size += item.bytes();
            items.push(item);
        }
        self.bytes -= size;
        Some(Batch {
            items: items.into(),
            since,
        })
    }

    fn wait(&self, wake: Option<Duration>) -> Next<Batch> {
        Next::Wait(self.health.next().map_or(wake, |at| earlier(wake, at)))
    }

    fn lose(&mut self, records: u64, why: &str, now: Moment) {
        self.counted.fail(records);
        self.health.lost(records, why, now);
    }
}

impl Outbox for Logs {
    type Job = Batch;

    fn accept(&mut self, alert: &Alert, now: Moment) {
        self.push(Item::Alert(Box::new(alert.clone())), now);
    }

    fn hold_back(&mut self) {
        self.counted.drop_one();
    }

    fn next(&mut self, _: usize, now: Moment, is_closing: bool) -> Next<Batch> {
        let not_before = self.backoff.not_before();
        if let Some(current) = &self.current {
            let too_old_at = current.since + self.max_age;
            if too_old_at > now.steady {
                return match not_before > now.steady {
                    true => self.wait(Some(not_before.min(too_old_at))),
                    false => Next::Deliver(current.clone()),
                };
            }
            let records = current.items.len() as u64;
            self.current = None;
            let why = format!("not delivered within {} s", self.max_age.as_secs());
            self.lose(records, &why, now);
        }
        let due = self.due().map(|due| due.max(not_before));
        match due {
            Some(due) if is_closing && not_before > now.steady => self.wait(Some(due)),
            Some(due) if is_closing || due <= now.steady => match self.take() {
                Some(batch) => {
                    self.current = Some(batch.clone());
                    Next::Deliver(batch)
                }
                None => self.wait(None),
            },
            due => self.wait(due),
        }
    }

    fn answered(&mut self, _: usize, outcome: Outcome, now: Moment) {
        let Some(batch) = self.current.take() else {
            return;
        };
        let records = batch.items.len() as u64;
        let (refused, why) = match outcome {
            Outcome::Later { why, retry_after } => {
                self.health.failed(&why, self.counted.queued, now);
                self.backoff.failed(now.steady, retry_after);
                self.current = Some(batch);
                return;
            }
            Outcome::Delivered => (0, String::new()),
            Outcome::Partly { refused, why } => (refused.min(records), why),
            Outcome::Refused(why) => (records, why),
        };
        self.health.is_well(now);
        self.backoff.succeeded();
        self.counted.send(records - refused);
        if refused > 0 {
            self.lose(refused, &why, now);
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
mod tests {
    use super::*;
    use crate::alert::State;
    use crate::retry::Retry;
    use crate::testing::alert;

    fn logs() -> Logs {
        let backoff = Backoff::new(Retry::default(), Some(1));
        Logs::new(
            "otlp logs a".to_owned(),
            Duration::from_secs(3_600),
            backoff,
        )
    }

    fn push(logs: &mut Logs, records: usize, now: Moment) {
        for number in 0..records {
            logs.accept(&alert(&number.to_string(), State::Firing), now);
        }
    }

    /// Number of records of the next request.
    fn next(logs: &mut Logs, now: Moment) -> usize {
        match logs.next(0, now, false) {
            Next::Deliver(batch) => batch.items.len(),
            Next::Wait(_) => 0,
        }
    }

    /// Sent, queued, dropped and failed.
    fn counted(logs: &Logs) -> (u64, u64, u64, u64) {
        let counted = logs.counted().swap_remove(0);
        assert!(counted.balances(), "{counted:?}");
        (
            counted.sent,
            counted.queued,
            counted.dropped,
            counted.failed,
        )
    }

    fn later() -> Outcome {
        Outcome::Later {
            why: "it answered 503 Service Unavailable".to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn records_wait_a_second_for_others_and_a_full_batch_does_not() {
        let mut logs = logs();
        push(&mut logs, 3, Moment::at(0));
        assert_eq!(next(&mut logs, Moment::at_ms(999)), 0);
        assert_eq!(next(&mut logs, Moment::at(1)), 3);
        logs.answered(0, Outcome::Delivered, Moment::at(1));
        push(&mut logs, MAX_BATCH + 1, Moment::at(2));
        assert_eq!(next(&mut logs, Moment::at(2)), MAX_BATCH);
        logs.answered(0, Outcome::Delivered, Moment::at(2));
        assert_eq!(next(&mut logs, Moment::at(2)), 0);
        assert_eq!(next(&mut logs, Moment::at(3)), 1);
        logs.answered(0, Outcome::Delivered, Moment::at(3));
        assert_eq!(counted(&logs), (MAX_BATCH as u64 + 4, 0, 0, 0));
        assert_eq!(logs.bytes, 0);
    }

    #[test]
    fn a_batch_is_tried_again_as_it_is_and_given_up_after_its_time() {
        let mut logs = logs();
        push(&mut logs, 3, Moment::at(0));
        assert_eq!(next(&mut logs, Moment::at(1)), 3);
        logs.answered(0, later(), Moment::at(1));
        push(&mut logs, 2, Moment::at(1));
        assert_eq!(next(&mut logs, Moment::at(1)), 0);
        assert_eq!(next(&mut logs, Moment::at(3)), 3);
        logs.answered(0, later(), Moment::at(3));
        assert_eq!(next(&mut logs, Moment::at(3_600)), 2);
        assert_eq!(counted(&logs), (0, 2, 0, 3));
    }

    #[test]
    fn of_a_part_that_is_refused_the_number_is_counted_as_failed() {
        let mut logs = logs();
        for (outcome, expected) in [
            (
                Outcome::Partly {
                    refused: 2,
                    why: "too old".to_owned(),
                },
                (3, 0, 0, 2),
            ),
            (Outcome::Refused("no".to_owned()), (3, 0, 0, 7)),
            (
                Outcome::Partly {
                    refused: 99,
                    why: "more than there are".to_owned(),
                },
                (3, 0, 0, 12),
            ),
        ] {
            push(&mut logs, 5, Moment::at(0));
            assert_eq!(next(&mut logs, Moment::at(9)), 5);
            logs.answered(0, outcome, Moment::at(9));
            assert_eq!(counted(&logs), expected);
        }
    }

    #[test]
    fn beyond_its_size_records_are_counted_as_dropped() {
        let mut logs = logs();
        let mut large = alert("a", State::Firing);
        large.summary = "x".repeat(5 << 20);
        for _ in 0..5 {
            logs.accept(&large, Moment::at(0));
        }
        assert_eq!(counted(&logs), (0, 3, 2, 0));
        assert_eq!(next(&mut logs, Moment::at(0)), 1);
    }

    #[test]
    fn when_closing_nothing_waits_for_others() {
        let mut logs = logs();
        push(&mut logs, 1, Moment::at(0));
        logs.close();
        assert!(matches!(
            logs.next(0, Moment::at(0), true),
            Next::Deliver(_)
        ));
        logs.answered(0, later(), Moment::at(0));
        assert!(matches!(
            logs.next(0, Moment::at(0), true),
            Next::Wait(Some(_))
        ));
        assert!(matches!(
            logs.next(0, Moment::at(1), true),
            Next::Deliver(_)
        ));
        logs.answered(0, Outcome::Delivered, Moment::at(1));
        assert_eq!(logs.next(0, Moment::at(1), true).waits(), Some(None));
        assert_eq!(counted(&logs), (1, 0, 0, 0));
    }

    impl Next<Batch> {
        fn waits(&self) -> Option<Option<Duration>> {
            match self {
                Next::Deliver(_) => None,
                Next::Wait(until) => Some(*until),
            }
        }
    }
}
