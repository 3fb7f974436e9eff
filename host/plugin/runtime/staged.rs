//! What a plugin has said during a call, until that has returned.

use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::stream::labels::Column;

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
    /// Bytes of labels, with their keys for each event.
    pub label_bytes: usize,
    pub(crate) bytes: usize,
}

impl Staged {
    /// Was nothing said?
    pub(crate) fn is_empty(&self) -> bool {
        let Staged {
            changes,
            columns,
            alerts,
            lines,
            counts,
            label_bytes: _,
            bytes: _,
        } = self;
        changes.is_empty()
            && columns.is_empty()
            && alerts.is_empty()
            && lines.is_empty()
            && counts.is_empty()
    }
}

/// An alert that still names its event by number.
#[derive(Debug)]
pub struct StagedAlert {
    /// Name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it goes on.
    pub state: State,
    /// One sentence.
    pub summary: String,
    /// What tells it from others of its name.
    pub labels: Vec<(String, String)>,
    /// Number of the event within the call.
    pub event: Option<u32>,
}
