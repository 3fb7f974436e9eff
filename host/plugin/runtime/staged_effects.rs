//! Effects of a call, staged until it returns.

use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::stream::labels::Column;

/// The effects of a call. They are applied only if the call succeeds.
#[derive(Debug, Default)]
pub struct Staged {
    /// Numbers of changed events, ascending, and their new records back to back.
    pub changes: Vec<(Vec<u32>, Vec<u8>)>,
    /// Label columns.
    pub columns: Vec<Column>,
    /// Alerts, raised or resolved.
    pub alerts: Vec<StagedAlert>,
    /// Complete lines for standard output.
    pub lines: Vec<u8>,
    /// Names of the plugin's own metrics, and what the call says of them.
    pub metrics: Vec<(String, Metric)>,
    /// Bytes of labels. A key counts once for each of its values.
    pub label_bytes: usize,
    pub(crate) bytes: usize,
}

impl Staged {
    /// Returns whether the call has no effects.
    pub(crate) fn is_empty(&self) -> bool {
        let Staged {
            changes,
            columns,
            alerts,
            lines,
            metrics,
            label_bytes: _,
            bytes: _,
        } = self;
        changes.is_empty()
            && columns.is_empty()
            && alerts.is_empty()
            && lines.is_empty()
            && metrics.is_empty()
    }
}

/// What a call says of a metric of the plugin's own.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// A counter grows by this.
    Count(u64),
    /// A gauge has this finite value.
    Gauge(f64),
    /// A histogram has these further, finite values.
    Observed(Vec<f64>),
}

/// An alert that refers to its event by number.
#[derive(Debug)]
pub struct StagedAlert {
    /// Name.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Whether the alert is raised or resolved.
    pub state: State,
    /// Summary, one sentence.
    pub summary: String,
    /// Labels, which together with the name identify the alert.
    pub labels: Vec<(String, String)>,
    /// Number of the event within the call, if the alert is about one.
    pub event: Option<u32>,
}
