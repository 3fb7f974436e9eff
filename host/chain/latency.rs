//! How old events are when the first plugin gets them: the time since the kernel's own stamp.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::stats::counters::LatencyStats;
use crate::stats::counters::Quantiles;
use crate::stats::histogram;
use crate::stream::batch::Batch;
use crate::stream::clock::Clock;

/// Precision of a histogram in decimal digits. With two digits it takes 21 KiB.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Maximum value of a histogram: an hour in microseconds.
const MAX_US: u64 = 3_600_000_000;

/// Bounds of the classes.
const BOUNDS: &[Duration] = &[
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// The ages of the events of a live run.
#[derive(Debug)]
pub(super) struct Latency {
    clock: Clock,
    at_once: Ages,
    /// Those of events that have waited for their owner.
    waited: Ages,
}

/// Ages: in fine classes for quantiles, and in few for metrics.
#[derive(Debug)]
struct Ages {
    /// In microseconds. `None` only if the constants above were invalid.
    fine: Option<Histogram<u64>>,
    classes: histogram::Histogram,
}

impl Latency {
    /// No events yet. `clock` tells the kernel's time since boot.
    pub(super) fn new(clock: Clock) -> Latency {
        let ages = || Ages {
            fine: Histogram::new_with_bounds(1, MAX_US, SIGNIFICANT_DIGITS).ok(),
            classes: histogram::Histogram::new(BOUNDS),
        };
        Latency {
            clock,
            at_once: ages(),
            waited: ages(),
        }
    }

    /// Records the ages of the events of a batch that the first plugin gets now.
    pub(super) fn record(&mut self, batch: &Batch) {
        let now = self.clock.now().boot();
        let mut waited = batch.waited.iter().peekable();
        for (number, event) in (0..).zip(batch.events()) {
            let ages = match waited.next_if_eq(&&number) {
                Some(_) => &mut self.waited,
                None => &mut self.at_once,
            };
            let age = now.saturating_sub(event.time());
            ages.classes.record(age);
            if let Some(fine) = &mut ages.fine {
                fine.saturating_record(age.as_micros().try_into().unwrap_or(MAX_US));
            }
        }
    }

    /// The quantiles so far.
    pub(super) fn stats(&self) -> LatencyStats {
        LatencyStats {
            at_once: quantiles(&self.at_once),
            waited: quantiles(&self.waited),
        }
    }
}

fn quantiles(Ages { fine, classes }: &Ages) -> Quantiles {
    let Some(fine) = fine else {
        return Quantiles::default();
    };
    let at = |quantile| Duration::from_micros(fine.value_at_quantile(quantile));
    Quantiles {
        events: fine.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(fine.max()),
        histogram: *classes,
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
        assert_eq!(
            (at_once.histogram.count(), waited.histogram.count()),
            (2, 2)
        );
        let beyond_2s = |quantiles: Quantiles| {
            quantiles
                .histogram
                .cumulative()
                .find(|(bound, _)| *bound == Some(Duration::from_secs(2)))
        };
        assert_eq!(beyond_2s(waited), Some((Some(Duration::from_secs(2)), 0)));
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
