//! How old events are when the first plugin gets them: the time since the kernel's own stamp.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::source::clock::Clock;
use crate::stats::counters::LatencyStats;
use crate::stats::counters::Quantiles;
use crate::stream::batch::Batch;

/// Precision of a histogram in decimal digits. With two digits it takes 21 KiB.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Maximum value of a histogram: an hour in microseconds.
const MAX_US: u64 = 3_600_000_000;

/// The ages of the events of a live run.
#[derive(Debug)]
pub(super) struct Latency {
    clock: Clock,
    /// In microseconds. `None` only if the constants above were invalid.
    at_once: Option<Histogram<u64>>,
    /// Those of events that have waited for their owner.
    waited: Option<Histogram<u64>>,
}

impl Latency {
    /// No events yet. `clock` tells the kernel's time since boot.
    pub(super) fn new(clock: Clock) -> Latency {
        let histogram = || Histogram::new_with_bounds(1, MAX_US, SIGNIFICANT_DIGITS).ok();
        Latency {
            clock,
            at_once: histogram(),
            waited: histogram(),
        }
    }

    /// Records the ages of the events of a batch that the first plugin gets now.
    pub(super) fn record(&mut self, batch: &Batch) {
        let now = self.clock.now().boot();
        let mut waited = batch.waited.iter().peekable();
        for (number, event) in (0..).zip(batch.events()) {
            let histogram = match waited.next_if_eq(&&number) {
                Some(_) => &mut self.waited,
                None => &mut self.at_once,
            };
            let age = now.saturating_sub(event.time());
            if let Some(histogram) = histogram {
                histogram.saturating_record(age.as_micros().try_into().unwrap_or(MAX_US));
            }
        }
    }

    /// The quantiles so far.
    pub(super) fn stats(&self) -> LatencyStats {
        LatencyStats {
            at_once: quantiles(self.at_once.as_ref()),
            waited: quantiles(self.waited.as_ref()),
        }
    }
}

fn quantiles(histogram: Option<&Histogram<u64>>) -> Quantiles {
    let Some(histogram) = histogram else {
        return Quantiles::default();
    };
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    Quantiles {
        events: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    #[test]
    fn events_that_have_waited_have_a_histogram_of_their_own() {
        let clock = Clock::default();
        let mut latency = Latency::new(clock);
        let mut batch = Batch::new();
        let now = clock.now().boot();
        for age in [1, 90_000, 2, 80_000] {
            let mut event = Record::new();
            event.set_time(now.saturating_sub(Duration::from_millis(age)));
            batch.push(event.as_bytes());
        }
        batch.waited = vec![1, 3];
        latency.record(&batch);
        let LatencyStats { at_once, waited } = latency.stats();
        assert_eq!((at_once.events, waited.events), (2, 2));
        // This thread may have been interrupted since the clock was read.
        assert!(at_once.p50 >= Duration::from_millis(1), "{at_once:?}");
        assert!(at_once.p50 < Duration::from_secs(60), "{at_once:?}");
        // Two digits: 1 % less at most.
        assert!(waited.p50 >= Duration::from_millis(79_000), "{waited:?}");
        assert!(waited.max >= Duration::from_millis(89_000), "{waited:?}");
        assert!(
            waited.p50 <= waited.p99 && waited.p99 <= waited.max,
            "{waited:?}"
        );
    }
}
