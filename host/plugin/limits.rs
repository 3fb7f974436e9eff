//! What a plugin may use: CPU time, memory, and room for what it says.

use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use wasmtime::ResourceLimiter;

/// Limits of one plugin.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// CPU time of a call with events, a tick, or the end of the stream.
    pub call_time: Duration,
    /// CPU time to begin: instantiate, describe, configure.
    pub start_time: Duration,
    /// Bytes of linear memory.
    pub memory: usize,
    /// Elements of a table.
    pub table_elements: usize,
    /// Bytes that one host call may hand over, and that one call may stage in all.
    pub staged: usize,
    /// Log lines a second.
    pub log_lines: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            call_time: Duration::from_millis(250),
            start_time: Duration::from_secs(2),
            memory: 64 << 20,
            table_elements: 100_000,
            staged: 8 << 20,
            log_lines: 100,
        }
    }
}

/// Says no to memory beyond the limit, and remembers that it did: what the guest makes of it is
/// most often a bare `unreachable`.
#[derive(Debug)]
pub struct MemoryLimiter {
    memory: usize,
    table_elements: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limits: &Limits) -> MemoryLimiter {
        MemoryLimiter {
            memory: limits.memory,
            table_elements: limits.table_elements,
            refused: false,
        }
    }

    /// What was refused during an earlier call explains nothing about the next one.
    pub(super) fn begin(&mut self) {
        self.refused = false;
    }

    /// Was more asked for than is allowed, during this call?
    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.refused |= desired > self.memory;
        Ok(desired <= self.memory)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.refused |= desired > self.table_elements;
        Ok(desired <= self.table_elements)
    }

    // A component is a handful of core instances: itself, the adapter of its language, and shims.
    fn instances(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }

    fn tables(&self) -> usize {
        64
    }
}

/// A deadline in CPU time of this thread: on a busy machine wall time would blame the innocent.
///
/// Checked at epochs only. The first one of a call begins the measurement, so that a short call
/// pays for no clock at all.
#[derive(Debug)]
pub struct CpuDeadline {
    allowed: Duration,
    started: Option<Duration>,
}

/// A call took more CPU time than it was allowed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("took more than {0:?} of CPU time")]
pub struct DeadlineMissed(pub Duration);

impl CpuDeadline {
    pub(super) fn new(allowed: Duration) -> CpuDeadline {
        CpuDeadline {
            allowed,
            started: None,
        }
    }

    /// Called at every epoch while the plugin runs.
    pub(super) fn check(&mut self) -> Result<(), DeadlineMissed> {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let now = Duration::new(
            time.tv_sec.try_into().unwrap_or(0),
            time.tv_nsec.try_into().unwrap_or(0),
        );
        let started = *self.started.get_or_insert(now);
        if now - started > self.allowed {
            return Err(DeadlineMissed(self.allowed));
        }
        Ok(())
    }
}

/// So many log lines a second, and a count of those beyond.
#[derive(Debug)]
pub struct LogBudget {
    allowed: u32,
    second: Duration,
    used: u32,
    suppressed: u64,
}

impl LogBudget {
    pub(super) fn new(allowed: u32) -> LogBudget {
        LogBudget {
            allowed,
            second: Duration::ZERO,
            used: 0,
            suppressed: 0,
        }
    }

    /// May one more line be logged? With the number of those held back before it, once.
    pub(super) fn take(&mut self) -> Option<u64> {
        let time = clock_gettime(ClockId::MonotonicCoarse);
        let second = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
        if second != self.second {
            self.second = second;
            self.used = 0;
        }
        if self.used == self.allowed {
            self.suppressed += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_budget_are_counted_and_told_with_the_next_one() {
        let mut budget = LogBudget::new(2);
        // The clock may turn over once between these calls, not twice.
        let granted: Vec<_> = (0..10).filter_map(|_| budget.take()).collect();
        assert!((2..=4).contains(&granted.len()), "{granted:?}");
        let told: u64 = granted.iter().sum();
        assert_eq!(granted.len() as u64 + told + budget.suppressed, 10);
        budget.second = Duration::ZERO;
        assert!(budget.take().is_some_and(|before| before > 0));
    }
}
