//! What the next request to a replica has in it.

use std::time::Duration;

use super::Active;
use super::InFlight;
use crate::alertmanager::entry::Entry;
use crate::alertmanager::labels::Labels;
use crate::alertmanager::wire::Posted;
use crate::moment::Moment;
use crate::outbox::earlier;

/// Maximum number of alerts in a request.
pub(super) const MAX_BATCH: usize = 64;

/// Maximum size of the alerts in a request, in bytes, unless it is one alert.
const MAX_BATCH_BYTES: usize = 256 << 10;

impl Active {
    /// The alerts for the next request to a replica, or when there are some.
    pub(super) fn select(
        &self,
        receiver: usize,
        now: Moment,
        is_closing: bool,
    ) -> Result<Vec<Labels>, Option<Duration>> {
        let (mut changed, mut repeated, mut alone, mut next) = (Vec::new(), Vec::new(), None, None);
        let repeat = self.rules.repeat;
        for (labels, entry) in &self.entries {
            let Some(due) = entry.due(receiver, repeat, is_closing) else {
                continue;
            };
            let is_alone = entry.progress[receiver].is_alone;
            if due.at <= now.steady {
                match (is_alone, due.is_repeat) {
                    (true, _) => alone = alone.or(Some(labels)),
                    (_, false) => changed.push((labels, entry)),
                    (_, true) => repeated.push((labels, entry)),
                }
                continue;
            }
            next = earlier(next, due.at);
            // Those that are soon repeated come along, so that there are fewer requests.
            if due.is_repeat && !is_alone && due.at <= now.steady + repeat / 4 {
                repeated.push((labels, entry));
            }
        }
        // One that was refused together with others goes first: there are at most as many as in a request.
        if let Some(alone) = alone {
            return Ok(vec![Labels::clone(alone)]);
        }
        let is_due = !changed.is_empty()
            || repeated.iter().any(|(_, entry)| {
                let due = entry.due(receiver, repeat, is_closing);
                due.is_some_and(|due| due.at <= now.steady)
            });
        if !is_due {
            return Err(next);
        }
        let mut bytes = 0;
        let fits = |(labels, entry): &(&Labels, &Entry)| {
            bytes += entry.bytes(labels);
            bytes <= MAX_BATCH_BYTES
        };
        let mut candidates = changed.into_iter().chain(repeated);
        let first = candidates.next().into_iter();
        let batch = first.chain(candidates.take_while(fits)).take(MAX_BATCH);
        Ok(batch.map(|(labels, _)| Labels::clone(labels)).collect())
    }

    /// Begins the delivery of alerts, and returns the body of the request.
    pub(super) fn begin(&mut self, receiver: usize, batch: Vec<Labels>, now: Moment) -> Vec<u8> {
        let in_flight = &mut self.replicas[receiver].in_flight;
        let mut posted = Vec::with_capacity(batch.len());
        for labels in &batch {
            let Some(entry) = self.entries.get(labels) else {
                continue;
            };
            let ended = entry.ended(receiver);
            let until = now.wall + 4 * self.rules.repeat;
            let ends_at = ended.map_or(until, |ended| ended.wall);
            let url = self.rules.generator_url.as_deref();
            posted.push(Posted::new(labels, entry, ends_at, url));
            in_flight.push(InFlight {
                labels: Labels::clone(labels),
                pending: entry.progress[receiver].pending,
                has_ended: ended.is_some(),
            });
        }
        // Maps of texts can always be written.
        serde_json::to_vec(&posted).unwrap_or_default()
    }
}
