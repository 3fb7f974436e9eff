//! What a plugin has used, and how often it failed.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::stats::counters::PluginUsage;

/// Two digits of a figure are more than anybody needs, and take 30 KiB.
const DIGITS: u8 = 2;

/// The longest time that is told apart, an hour in nanoseconds.
const MAX_CALL_NS: u64 = 3_600_000_000_000;

/// Figures of one plugin, over all its instances.
#[derive(Debug)]
pub(super) struct Usage {
    total: Duration,
    /// Nanoseconds of each call; `None` only if the constants above made no sense.
    calls: Option<Histogram<u64>>,
    memory: (usize, usize),
    pub(super) changed: u64,
    pub(super) restarts: u64,
    pub(super) reloads: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Usage {
    /// Nothing yet.
    pub(super) fn new() -> Usage {
        Usage {
            total: Duration::ZERO,
            calls: Histogram::new_with_bounds(1, MAX_CALL_NS, DIGITS).ok(),
            memory: (0, 0),
            changed: 0,
            restarts: 0,
            reloads: 0,
            faults: BTreeMap::new(),
        }
    }

    /// CPU time so far.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// A call took so much CPU time.
    pub(super) fn call(&mut self, cpu: Duration) {
        self.total += cpu;
        if let Some(calls) = &mut self.calls {
            calls.saturating_record(u64::try_from(cpu.as_nanos()).unwrap_or(MAX_CALL_NS).max(1));
        }
    }

    /// Something else did, such as to start it anew.
    pub(super) fn other(&mut self, cpu: Duration) {
        self.total += cpu;
    }

    /// An instance has so many bytes of memory now, and had so many at most.
    pub(super) fn memory(&mut self, (now, most): (usize, usize)) {
        self.memory = (now, self.memory.1.max(most));
    }

    /// It failed for this cause.
    pub(super) fn fault(&mut self, cause: &'static str) {
        *self.faults.entry(cause).or_default() += 1;
    }

    /// As statistics.
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
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: Duration::from_nanos(calls.map_or(0, Histogram::max)),
            memory: self.memory.0 as u64,
            memory_max: self.memory.1 as u64,
            restarts: self.restarts,
            reloads: self.reloads,
            faults: self.faults.clone(),
        }
    }
}
