//! Resource usage and faults of a plugin.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::stats::counters::PluginUsage;
use crate::stats::histogram;

/// Precision of the histogram in decimal digits. With two digits it takes 30 KiB.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Maximum value of the histogram: an hour in nanoseconds.
const MAX_CALL_NS: u64 = 3_600_000_000_000;

/// Bounds of the classes of the CPU time of calls.
const BOUNDS: &[Duration] = &[
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(20),
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
    Duration::from_secs(1),
];

/// Usage of one plugin, over all its instances.
#[derive(Debug)]
pub(super) struct Usage {
    total: Duration,
    /// Histogram of the CPU time of calls in nanoseconds. `None` only if the constants above were invalid.
    calls: Option<Histogram<u64>>,
    /// The same in few classes, for metrics.
    classes: histogram::Histogram,
    memory: (usize, usize),
    pub(super) changed: u64,
    pub(super) restarts: u64,
    pub(super) reloads: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Usage {
    /// Returns usage of zero.
    pub(super) fn new() -> Usage {
        Usage {
            total: Duration::ZERO,
            calls: Histogram::new_with_bounds(1, MAX_CALL_NS, SIGNIFICANT_DIGITS).ok(),
            classes: histogram::Histogram::new(BOUNDS),
            memory: (0, 0),
            changed: 0,
            restarts: 0,
            reloads: 0,
            faults: BTreeMap::new(),
        }
    }

    /// Returns the CPU time so far.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// Records a call and its CPU time.
    pub(super) fn record_call(&mut self, cpu: Duration) {
        self.total += cpu;
        self.classes.record(cpu);
        if let Some(calls) = &mut self.calls {
            calls.saturating_record(u64::try_from(cpu.as_nanos()).unwrap_or(MAX_CALL_NS).max(1));
        }
    }

    /// Adds CPU time outside of calls, such as for the start of an instance.
    pub(super) fn add_other_time(&mut self, cpu: Duration) {
        self.total += cpu;
    }

    /// Records the size of an instance's memory in bytes: current and maximum.
    pub(super) fn record_memory(&mut self, (current, peak): (usize, usize)) {
        self.memory = (current, self.memory.1.max(peak));
    }

    /// Counts a fault with this cause.
    pub(super) fn count_fault(&mut self, cause: &'static str) {
        *self.faults.entry(cause).or_default() += 1;
    }

    /// Returns the usage for the statistics.
    pub(super) fn stats(&self, plugin: &str) -> PluginUsage {
        let quantile = |quantile| {
            let value = |calls: &Histogram<u64>| calls.value_at_quantile(quantile);
            Duration::from_nanos(self.calls.as_ref().map_or(0, value))
        };
        let calls = self.calls.as_ref();
        PluginUsage {
            plugin: plugin.to_owned(),
            calls: calls.map_or(0, Histogram::len),
            changed: self.changed,
            cpu: self.total,
            call_cpu: self.classes,
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: Duration::from_nanos(calls.map_or(0, Histogram::max)),
            memory: self.memory.0 as u64,
            memory_max: self.memory.1 as u64,
            restarts: self.restarts,
            reloads: self.reloads,
            faults: self.faults.clone(),
            // The slot knows them.
            is_in_quarantine: false,
            metrics_refused: 0,
        }
    }
}
