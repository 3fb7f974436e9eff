//! What the host keeps for one plugin while it runs: its call, its limits, and what it has staged.

use std::time::Duration;

use retrans_event::Event;

use super::files::Files;
use super::limits::Limits;
use super::logs::Logs;
use super::meter::CpuDeadline;
use super::meter::LogBudget;
use super::meter::MemoryLimiter;
use super::powers::Granted;
use crate::alert::Severity;
use crate::alert::State as AlertState;
use crate::batch::Batch;
use crate::labels::Column;
use crate::labels::Labels;

/// The data of a plugin's store.
#[derive(Debug)]
pub struct State {
    pub(super) limits: Limits,
    pub(super) memory: MemoryLimiter,
    pub(super) deadline: CpuDeadline,
    pub(super) call: Call,
    pub(super) staged: Staged,
    /// Handles of WASI that the plugin holds.
    pub(super) handles: u32,
    /// Environment variables that were granted, and their values.
    pub(super) variables: Vec<(String, String)>,
    /// What it reads while it is configured.
    pub(super) files: Files,
    pub(super) logs: Logs,
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
    /// The stream's time since boot.
    pub time: Duration,
    /// The stream's time of day.
    pub wall_time: Duration,
}

impl Call {
    /// With these events. Their labels are its own until they are put back.
    pub(super) fn about(batch: &mut Batch, lost: u64) -> Call {
        let last = batch.events().last();
        Call {
            count: batch.len() as u32,
            record_size: batch.record_size() as u32,
            lost,
            time: last.map_or(Duration::ZERO, Event::time),
            wall_time: last.map_or(Duration::ZERO, Event::wall_time),
            labels: std::mem::take(&mut batch.labels),
        }
    }
}

impl State {
    pub(super) fn new(
        instance: &str,
        limits: Limits,
        granted: Granted,
        log_lines: LogBudget,
    ) -> State {
        State {
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
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), BadAnswer> {
        // A few bytes for each item: no list of empty ones may grow without end.
        self.staged.bytes = self.staged.bytes.saturating_add(bytes).saturating_add(64);
        if self.staged.bytes > self.limits.output {
            return Err(BadAnswer::TooMuch(self.limits.output));
        }
        Ok(())
    }
}

/// What a plugin has said during a call: nothing of it counts until the call has returned well.
#[derive(Debug, Default)]
pub struct Staged {
    /// Numbers of changed events, and their new records.
    pub changes: Vec<(Vec<u32>, Vec<u8>)>,
    /// Labels.
    pub columns: Vec<Column>,
    /// Alerts.
    pub alerts: Vec<StagedAlert>,
    /// Whole lines for standard output.
    pub lines: Vec<u8>,
    /// The plugin's own counters, and by how much they grow.
    pub counts: Vec<(String, u64)>,
    pub(super) label_bytes: usize,
    bytes: usize,
}

/// An alert that still names its event by number.
#[derive(Debug)]
pub struct StagedAlert {
    /// Name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it goes on.
    pub state: AlertState,
    /// One sentence.
    pub summary: String,
    /// What tells it from others of its name.
    pub labels: Vec<(String, String)>,
    /// Number of the event within the call.
    pub event: Option<u32>,
}

/// An answer, or something said during a call, that does not fit the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// More than a call may say.
    #[error("more than {0} bytes said in one call")]
    TooMuch(usize),
    /// Changes that are out of order, or name an event that the call does not have.
    #[error("change: event {0} is out of order, or not one of this call's {1} events")]
    ChangeEvent(u32, u32),
    /// Changed records of another size.
    #[error("change: {events} events of {record_size} bytes each, but {bytes} bytes")]
    ChangeSize {
        /// Number of events.
        events: usize,
        /// Bytes of each record.
        record_size: u32,
        /// Bytes given.
        bytes: usize,
    },
    /// A change of an event that the plugin drops.
    #[error("change: event {0} is changed, but not kept")]
    ChangeDropped(u32),
    /// A label column that does not fit.
    #[error("annotate: {0}")]
    Label(#[from] crate::labels::BadColumn),
    /// More label columns than a call may add.
    #[error("annotate: more than {0} times in one call")]
    Columns(usize),
    /// A key that is too long.
    #[error("annotate: a key has more than {0} bytes")]
    LabelKey(usize),
    /// Longer labels than a call may put on its events.
    #[error("annotate: more than {0} bytes of labels in one call")]
    LabelBytes(usize),
    /// More alerts than a call may raise or resolve.
    #[error("emit: more than {0} times in one call")]
    Alerts(usize),
    /// An alert without a name.
    #[error("emit: the alert has no name")]
    AlertName,
    /// An alert about an event that the call does not have.
    #[error("emit: event {0} is not one of this call's {1} events")]
    AlertEvent(u32, u32),
    /// Output that stops within a line.
    #[error("write: the last line has no line feed")]
    HalfLine,
    /// Output that is not text.
    #[error("write: not UTF-8 at byte {0}")]
    NotText(usize),
    /// A counter without a name, or with one that nobody could read.
    #[error("count: {0}")]
    Metric(&'static str),
    /// More counting than a call may do.
    #[error("count: more than {0} times in one call")]
    Counts(usize),
    /// Too few or too many bits in the answer.
    #[error("keep: {bytes} bytes of bits for {count} events, expected {expected}")]
    KeepSize {
        /// Bytes given.
        bytes: usize,
        /// Events of the call.
        count: u32,
        /// Bytes expected.
        expected: usize,
    },
    /// Bits that stand for no event.
    #[error("keep: bits are set beyond the last of {0} events")]
    KeepBeyond(u32),
}
