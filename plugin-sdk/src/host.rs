//! The host as the runner sees it: what it can be asked, and where effects go.

use crate::alert::Alert;
use crate::column::Column;

/// One end of the contract; the other functions of `wit/plugin.wit` have no use in the runner.
///
/// In a component this is the host's imports, in a test what records the effects.
pub(crate) trait Host {
    /// Events lost since the last call that returned well.
    fn lost(&self) -> u64;

    /// Labels that earlier plugins put on the events of this call.
    fn labels(&self) -> Vec<Column>;

    /// New bytes for the events with these numbers, one record after the other.
    fn change(&self, events: &[u32], records: &[u8]);

    /// Puts labels on events.
    fn annotate(&self, column: &Column);

    /// Raises or resolves an alert.
    fn emit(&self, alert: &Alert);

    /// Whole lines.
    fn write(&self, lines: &[u8]);

    /// Adds to one of the plugin's counters.
    fn count(&self, metric: &str, by: u64);
}
