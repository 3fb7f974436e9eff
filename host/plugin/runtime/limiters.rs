//! Measures what a running plugin uses of its limits: memory, CPU time, log lines.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use wasmtime::ResourceLimiter;

use super::cpu_clock;
use crate::plugin::spec::limits;
use crate::plugin::spec::limits::Limits;

/// Use of one resource, linear memory in bytes or tables in elements, and its limit.
#[derive(Debug, Clone, Copy)]
struct ResourceUsage {
    current: usize,
    peak: usize,
    limit: usize,
    /// Amount of the last growth, to be subtracted again if the system refuses it.
    last_growth: usize,
}

impl ResourceUsage {
    fn new(limit: usize) -> ResourceUsage {
        ResourceUsage {
            current: 0,
            peak: 0,
            limit,
            last_growth: 0,
        }
    }

    /// Counts the growth of one memory or table from `old` to `new`. Returns false, and counts nothing, if the sum
    /// over all of them would exceed the limit.
    fn grow(&mut self, old: usize, new: usize) -> bool {
        let growth = new.saturating_sub(old);
        let current = self.current.saturating_add(growth);
        if current > self.limit {
            self.last_growth = 0;
            return false;
        }
        (self.current, self.last_growth) = (current, growth);
        self.peak = self.peak.max(current);
        true
    }

    /// Subtracts the last growth: the system refused it.
    fn undo(&mut self) {
        self.current -= std::mem::take(&mut self.last_growth);
    }
}

/// Refuses growth of memory and tables beyond the limits, and records the refusal: the guest usually reports it as a
/// bare `unreachable`.
#[derive(Debug)]
pub struct MemoryLimiter {
    memory: ResourceUsage,
    table: ResourceUsage,
    instances: usize,
    refused: Option<GrowthRefused>,
}

/// Growth of memory or tables that was refused, with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrowthRefused {
    /// Linear memory; the limit is in bytes.
    #[error("it ran out of memory: {}", limits::show_limit("memory", *.0 as u64))]
    Memory(usize),
    /// Tables; the limit is in elements.
    #[error("it ran out of room in tables: {}", limits::show_limit("table", *.0 as u64))]
    Table(usize),
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> MemoryLimiter {
        MemoryLimiter {
            memory: ResourceUsage::new(limits.memory),
            table: ResourceUsage::new(limits.table),
            instances: limits.instances,
            refused: None,
        }
    }

    /// Begins a call. A refusal of an earlier call does not explain a fault of this one.
    pub(crate) fn begin_call(&mut self) {
        self.refused = None;
    }

    /// Returns the first refusal of this call, if there was one.
    pub(crate) fn refused(&self) -> Option<GrowthRefused> {
        self.refused
    }

    /// Returns the size of linear memory in bytes: current and maximum.
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.memory.current, self.memory.peak)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = self.memory.grow(current, desired);
        if !granted {
            let refused = GrowthRefused::Memory(self.memory.limit);
            self.refused.get_or_insert(refused);
        }
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.undo();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = self.table.grow(current, desired);
        if !granted {
            self.refused
                .get_or_insert(GrowthRefused::Table(self.table.limit));
        }
        Ok(granted)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.table.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }
}

/// Deadline of one call, in CPU time of this thread. By wall time, a busy machine would fault a plugin that is within
/// its limit.
#[derive(Debug)]
pub struct CpuDeadline {
    allowed: Duration,
    started: Duration,
    used: Duration,
}

/// A call took more CPU time than this.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("took more than {0:?} of CPU time")]
pub struct DeadlineMissed(pub Duration);

impl CpuDeadline {
    /// Starts a deadline that allows this much CPU time from now on.
    pub(crate) fn new(allowed: Duration) -> CpuDeadline {
        CpuDeadline {
            allowed,
            started: cpu_clock::now(),
            used: Duration::ZERO,
        }
    }

    /// Returns an error if the deadline has passed.
    pub(crate) fn check(&self) -> Result<(), DeadlineMissed> {
        self.check_at(cpu_clock::now())
    }

    /// Ends the call. Returns an error if it took too long.
    pub(crate) fn end(&mut self) -> Result<(), DeadlineMissed> {
        let now = cpu_clock::now();
        self.used = now.saturating_sub(self.started);
        self.check_at(now)
    }

    /// Returns the CPU time of the call after [`CpuDeadline::end`].
    pub(crate) fn used(&self) -> Duration {
        self.used
    }

    fn check_at(&self, now: Duration) -> Result<(), DeadlineMissed> {
        match now.saturating_sub(self.started) > self.allowed {
            true => Err(DeadlineMissed(self.allowed)),
            false => Ok(()),
        }
    }
}

/// Limit on the log lines of a plugin in each second. All instances share it, so that a plugin that fails repeatedly
/// cannot log more than another.
#[derive(Debug, Clone)]
pub struct LogBudget(Arc<Mutex<LogLines>>);

#[derive(Debug)]
struct LogLines {
    allowed: u64,
    second: Duration,
    used: u64,
    suppressed: u64,
}

impl LogBudget {
    pub(crate) fn new(allowed: u64) -> LogBudget {
        LogBudget(Arc::new(Mutex::new(LogLines {
            allowed,
            second: Duration::ZERO,
            used: 0,
            suppressed: 0,
        })))
    }

    /// Requests one log line. Returns `None` if the budget of this second is used up. Otherwise returns the number of
    /// lines that were suppressed since the last one that was logged.
    pub(crate) fn take(&self) -> Option<u64> {
        self.lines().take()
    }

    /// Returns the number of lines that may be logged in a second.
    pub(crate) fn allowed(&self) -> u64 {
        self.lines().allowed
    }

    /// Suppresses a line.
    pub(crate) fn suppress(&self) {
        self.lines().suppressed += 1;
    }

    /// Returns the number of lines that were suppressed since the last one that was logged, and resets it.
    pub(crate) fn take_suppressed(&self) -> u64 {
        std::mem::take(&mut self.lines().suppressed)
    }

    fn lines(&self) -> MutexGuard<'_, LogLines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogLines {
    fn take(&mut self) -> Option<u64> {
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
    fn lines_beyond_the_budget_are_counted_and_reported_with_the_next_one() {
        let budget = LogBudget::new(2);
        // The second may change once between these calls, not twice.
        let granted: Vec<_> = (0..10).filter_map(|_| budget.take()).collect();
        assert!((2..=4).contains(&granted.len()), "{granted:?}");
        let reported: u64 = granted.iter().sum();
        assert_eq!(
            granted.len() as u64 + reported + budget.lines().suppressed,
            10
        );
        budget.lines().second = Duration::ZERO;
        assert!(budget.take().is_some_and(|before| before > 0));
    }
}
