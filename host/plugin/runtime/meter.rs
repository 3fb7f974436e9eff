//! What a running plugin has used of its limits.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use wasmtime::ResourceLimiter;

use super::cpu;
use crate::plugin::spec::limits;
use crate::plugin::spec::limits::Limits;

/// Bytes of linear memory, or elements of tables: how many there are, were, and may be.
#[derive(Debug, Clone, Copy)]
struct Used {
    now: usize,
    most: usize,
    limit: usize,
    /// What the last growth added, in case that the system refuses it.
    added: usize,
}

impl Used {
    fn new(limit: usize) -> Used {
        Used {
            now: 0,
            most: 0,
            limit,
            added: 0,
        }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let added = desired.saturating_sub(current);
        let now = self.now.saturating_add(added);
        if now > self.limit {
            self.added = 0;
            return false;
        }
        (self.now, self.added) = (now, added);
        self.most = self.most.max(now);
        true
    }

    fn undo(&mut self) {
        self.now -= std::mem::take(&mut self.added);
    }
}

/// Says no to memory beyond the limit, and remembers that it did: what the guest makes of it is
/// most often a bare `unreachable`.
#[derive(Debug)]
pub struct MemoryLimiter {
    memory: Used,
    table: Used,
    instances: usize,
    refused: Option<Refused>,
}

/// More than a plugin may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Of linear memory.
    #[error("it ran out of memory: {}", limits::shown("memory", *.0 as u64))]
    Memory(usize),
    /// Of tables.
    #[error("it ran out of room in tables: {}", limits::shown("table", *.0 as u64))]
    Table(usize),
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> MemoryLimiter {
        MemoryLimiter {
            memory: Used::new(limits.memory),
            table: Used::new(limits.table),
            instances: limits.instances,
            refused: None,
        }
    }

    /// What was refused during an earlier call explains nothing about the next one.
    pub(crate) fn begin(&mut self) {
        self.refused = None;
    }

    /// What was refused first during this call, if anything.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Bytes of linear memory, now and at most.
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.memory.now, self.memory.most)
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
            let refused = Refused::Memory(self.memory.limit);
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
            self.refused.get_or_insert(Refused::Table(self.table.limit));
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

/// A deadline of one call in CPU time of this thread: on a busy machine wall time would blame the
/// innocent.
#[derive(Debug)]
pub struct CpuDeadline {
    allowed: Duration,
    started: Duration,
    used: Duration,
}

/// A call took more CPU time than it was allowed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("took more than {0:?} of CPU time")]
pub struct DeadlineMissed(pub Duration);

impl CpuDeadline {
    /// From now on.
    pub(crate) fn new(allowed: Duration) -> CpuDeadline {
        CpuDeadline {
            allowed,
            started: cpu::now(),
            used: Duration::ZERO,
        }
    }

    /// Is there time left?
    pub(crate) fn check(&self) -> Result<(), DeadlineMissed> {
        self.check_at(cpu::now())
    }

    /// The call is over. Was it in time?
    pub(crate) fn end(&mut self) -> Result<(), DeadlineMissed> {
        let now = cpu::now();
        self.used = now.saturating_sub(self.started);
        self.check_at(now)
    }

    /// How long the call took, once it is over.
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

/// So many log lines a second, over all instances of a plugin: one that fails over and over may say
/// no more than another.
#[derive(Debug, Clone)]
pub struct LogBudget(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    allowed: u64,
    second: Duration,
    used: u64,
    suppressed: u64,
}

impl LogBudget {
    pub(crate) fn new(allowed: u64) -> LogBudget {
        LogBudget(Arc::new(Mutex::new(Lines {
            allowed,
            second: Duration::ZERO,
            used: 0,
            suppressed: 0,
        })))
    }

    /// May one more line be logged? With the number of those held back before it, once.
    pub(crate) fn take(&self) -> Option<u64> {
        self.lines().take()
    }

    /// How many were held back since the last one that was logged.
    pub(crate) fn take_suppressed(&self) -> u64 {
        std::mem::take(&mut self.lines().suppressed)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
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
    fn lines_beyond_the_budget_are_counted_and_told_with_the_next_one() {
        let budget = LogBudget::new(2);
        // The clock may turn over once between these calls, not twice.
        let granted: Vec<_> = (0..10).filter_map(|_| budget.take()).collect();
        assert!((2..=4).contains(&granted.len()), "{granted:?}");
        let told: u64 = granted.iter().sum();
        assert_eq!(granted.len() as u64 + told + budget.lines().suppressed, 10);
        budget.lines().second = Duration::ZERO;
        assert!(budget.take().is_some_and(|before| before > 0));
    }
}
