//! What the host keeps for one instance while it runs: its call, its limits, and what it has said.

use super::bad_answer::BadAnswer;
use super::files::Files;
use super::logs::Logs;
use super::meter::CpuDeadline;
use super::meter::LogBudget;
use super::meter::MemoryLimiter;
use super::staged::Staged;
use crate::plugin::spec::grants::Granted;
use crate::plugin::spec::limits::Limits;
use crate::stream::batch::Batch;
use crate::stream::batch::Moment;
use crate::stream::labels::Labels;

/// The data of a plugin's store.
#[derive(Debug)]
pub struct HostState {
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryLimiter,
    pub(crate) deadline: CpuDeadline,
    pub(crate) call: Call,
    pub(crate) staged: Staged,
    /// Handles of WASI that the plugin holds.
    pub(crate) handles: u32,
    /// Environment variables that were granted, and their values.
    pub(crate) variables: Vec<(String, String)>,
    /// What it reads while it is configured.
    pub(crate) files: Files,
    pub(crate) logs: Logs,
}

/// What the running call is about.
#[derive(Debug, Default)]
pub struct Call {
    /// Number of its events.
    pub count: u32,
    /// Bytes of each record.
    pub record_size: u32,
    /// Labels of its events.
    pub labels: Labels,
    /// Events lost since the last call that returned well.
    pub lost: u64,
    /// Bytes of labels that the plugin has put on other events of this batch.
    pub label_bytes: usize,
    /// What clocks show.
    pub clock: Moment,
}

/// What came before a call with events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earlier {
    /// Events lost since the last call that returned well.
    pub lost: u64,
    /// Bytes of labels that the plugin has put on other events of this batch.
    pub label_bytes: usize,
    /// What clocks show: the stream's last mark, or its start. Neither depends on where batches end.
    pub clock: Moment,
}

impl Call {
    /// About no events.
    pub(crate) fn at(clock: Moment) -> Call {
        Call {
            clock,
            ..Call::default()
        }
    }

    /// With these events. Their labels are its own until they are put back.
    pub(crate) fn about(batch: &mut Batch, earlier: Earlier) -> Call {
        Call {
            count: batch.len() as u32,
            record_size: batch.record_size() as u32,
            lost: earlier.lost,
            label_bytes: earlier.label_bytes,
            clock: earlier.clock,
            labels: std::mem::take(&mut batch.labels),
        }
    }
}

impl HostState {
    pub(crate) fn new(
        instance: &str,
        limits: Limits,
        granted: Granted,
        log_lines: LogBudget,
    ) -> HostState {
        HostState {
            memory: MemoryLimiter::new(&limits),
            deadline: CpuDeadline::new(limits.start_time),
            call: Call::default(),
            staged: Staged::default(),
            handles: 0,
            variables: granted.variables,
            files: Files::new(granted.directories),
            logs: Logs::new(instance, log_lines),
            limits,
        }
    }

    /// Makes room for so many bytes more in what the call stages.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), BadAnswer> {
        // A few bytes for each item: no list of empty ones may grow without end.
        self.staged.bytes = self.staged.bytes.saturating_add(bytes).saturating_add(64);
        if self.staged.bytes > self.limits.output {
            return Err(BadAnswer::TooMuch(self.limits.output));
        }
        Ok(())
    }
}
