//! The functions of the host that the runner calls.

use crate::alert::Alert;
use crate::column::Column;

/// The functions of interface `host` in `wit/plugin.wit` that the runner needs.
///
/// A component implements it by the imported functions, a test by recording the effects.
pub(crate) trait Host {
    /// Number of events lost since the last call that succeeded.
    fn lost(&self) -> u64;

    /// Labels that the host and earlier plugins put on the events of this call.
    fn labels(&self) -> Vec<Column>;

    /// Replaces the records of the events with these numbers; `records` has them back to back.
    fn change(&self, events: &[u32], records: &[u8]);

    /// Puts labels on events.
    fn annotate(&self, column: &Column);

    /// Raises or resolves an alert.
    fn emit(&self, alert: &Alert);

    /// Writes whole lines to the host's standard output.
    fn write(&self, lines: &[u8]);

    /// Adds to one of the plugin's own counters.
    fn count(&self, metric: &str, by: u64);

    /// Sets one of the plugin's own gauges.
    fn gauge(&self, metric: &str, value: f64);

    /// Adds values to one of the plugin's own histograms.
    fn observe(&self, metric: &str, values: &[f64]);
}
