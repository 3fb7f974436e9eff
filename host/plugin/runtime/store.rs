//! The host's data for one instance: the running call, its limits, and its staged effects.

use std::sync::Arc;

use super::bad_answer::BadAnswer;
use super::census_parts::CensusParts;
use super::granted_files::Files;
use super::limiters::CpuDeadline;
use super::limiters::LogBudget;
use super::limiters::MemoryLimiter;
use super::logs::Logs;
use super::samples::Samples;
use super::staged_effects::Staged;
use crate::plugin::load::epochs::RunningCall;
use crate::plugin::run::RunInfo;
use crate::plugin::spec::grants::ResolvedGrants;
use crate::plugin::spec::limits::Limits;
use crate::stream::batch::Batch;
use crate::stream::census::Census;
use crate::stream::labels::Labels;
use crate::stream::moment::Moment;

/// The data of an instance's wasmtime store.
#[derive(Debug)]
pub struct HostState {
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryLimiter,
    pub(crate) deadline: CpuDeadline,
    /// `None` between two calls. A new instance is in one: its start function may loop.
    pub(crate) running: Option<RunningCall>,
    pub(crate) call: Call,
    pub(crate) staged: Staged,
    /// Number of WASI handles that the plugin holds.
    pub(crate) handles: u32,
    /// Names and values of the granted environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Granted files, which are open during `configure` only.
    pub(crate) files: Files,
    pub(crate) logs: Logs,
    /// What samples of the running functions are added to.
    pub(crate) samples: Option<Samples>,
    pub(crate) run: RunInfo,
}

/// The running call.
#[derive(Debug, Default)]
pub struct Call {
    /// Number of events of the call.
    pub count: u32,
    /// Size of each record in bytes.
    pub record_size: u32,
    /// Labels of the call's events.
    pub labels: Labels,
    /// Number of events that were lost since the last call that succeeded.
    pub lost: u64,
    /// Bytes of labels that the plugin has put on other events of this batch.
    pub label_bytes: usize,
    /// The time that the plugin's clocks show.
    pub clock: Moment,
    /// The rows of censuses that the call has not taken yet.
    pub census: CensusParts,
}

/// What a call with events depends on, beside the events.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallContext {
    /// Number of events that were lost since the last call that succeeded.
    pub lost: u64,
    /// Bytes of labels that the plugin has put on other events of this batch.
    pub label_bytes: usize,
    /// The time that the plugin's clocks show: the stream's last mark, or its start before the first mark. Neither
    /// depends on the bounds of batches.
    pub clock: Moment,
}

/// What a call of a timer depends on, beside the time.
#[derive(Debug, Clone, Default)]
pub struct TimerContext {
    /// Number of events that were lost since the last call that succeeded.
    pub lost: u64,
    /// The censuses since the last tick.
    pub censuses: Vec<Arc<Census>>,
}

impl Call {
    /// Returns a call without events.
    pub(crate) fn without_events(clock: Moment) -> Call {
        Call {
            clock,
            ..Call::default()
        }
    }

    /// Returns a call with the events of a batch. Takes the labels out of the batch; the caller puts them back after
    /// the call.
    pub(crate) fn with_events(batch: &mut Batch, context: CallContext) -> Call {
        Call {
            count: batch.len() as u32,
            record_size: batch.record_size() as u32,
            lost: context.lost,
            label_bytes: context.label_bytes,
            clock: context.clock,
            labels: std::mem::take(&mut batch.labels),
            census: CensusParts::default(),
        }
    }
}

impl HostState {
    pub(crate) fn new(
        instance: &str,
        limits: Limits,
        granted: ResolvedGrants,
        log_lines: LogBudget,
    ) -> HostState {
        HostState {
            memory: MemoryLimiter::new(&limits),
            deadline: CpuDeadline::new(limits.start_time),
            running: Some(RunningCall::begin()),
            call: Call::default(),
            staged: Staged::default(),
            handles: 0,
            variables: granted.variables,
            files: Files::new(granted.directories),
            logs: Logs::new(instance, log_lines),
            samples: None,
            run: RunInfo::default(),
            limits,
        }
    }

    /// Counts `bytes` more of staged output. Returns an error beyond the limit on output.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), BadAnswer> {
        // 64 bytes more for each item, so that even empty items cannot grow without limit.
        self.staged.bytes = self.staged.bytes.saturating_add(bytes).saturating_add(64);
        if self.staged.bytes > self.limits.output {
            return Err(BadAnswer::TooMuchOutput(self.limits.output));
        }
        Ok(())
    }
}
