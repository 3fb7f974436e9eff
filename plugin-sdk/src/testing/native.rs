//! A plugin at native speed, without a host.

use crate::alert::Alert;
use crate::column::Column;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::result::Result;
use crate::runner::Keep;
use crate::runner::Runner;
use crate::state::Stateful;

/// Runs a plugin natively over the bytes of a call, as the host passes them. Its effects are ignored. For
/// benchmarks, and for tests of saved bytes.
#[derive(Debug)]
pub struct NativePlugin<P>(Runner<P>);

impl<P: Plugin> NativePlugin<P> {
    /// Creates a plugin with settings from a JSON object.
    ///
    /// # Errors
    ///
    /// Where a setting cannot be read, and the errors of [`Plugin::new`].
    pub fn configure(settings: &serde_json::Value) -> Result<NativePlugin<P>> {
        Runner::configure(&settings.to_string()).map(NativePlugin)
    }

    /// Processes records of `record_size` bytes each. Uses `records` as working memory: its content is not
    /// defined afterwards.
    ///
    /// # Errors
    ///
    /// Where the bytes are not a whole number of records, and the errors of [`Plugin::on_event`].
    pub fn process(&mut self, records: &mut [u8], record_size: u32) -> Result<Keep> {
        let count = (records.len() as u32).checked_div(record_size).unwrap_or(0);
        self.0.process(&NoHost, count, record_size, records)
    }
}

impl<P: Stateful> NativePlugin<P> {
    /// Saves the state: returns the version of its format, and the bytes.
    ///
    /// # Errors
    ///
    /// Where the state cannot be written.
    pub fn save(&mut self) -> Result<(u32, Vec<u8>)> {
        self.0.save()
    }

    /// Restores a state from bytes, which may be any bytes.
    ///
    /// # Errors
    ///
    /// Where the bytes are not a state of this version, and the errors of [`Stateful::restore`]. The plugin must
    /// not be used afterwards.
    pub fn restore(&mut self, version: u32, state: &[u8]) -> Result<()> {
        self.0.restore(version, state)
    }
}

/// A host without losses or labels, which ignores all effects.
struct NoHost;

impl Host for NoHost {
    fn lost(&self) -> u64 {
        0
    }

    fn labels(&self) -> Vec<Column> {
        Vec::new()
    }

    fn change(&self, _: &[u32], _: &[u8]) {}

    fn annotate(&self, _: &Column) {}

    fn emit(&self, _: &Alert) {}

    fn write(&self, _: &[u8]) {}

    fn count(&self, _: &str, _: u64) {}

    fn gauge(&self, _metric: &str, _value: f64) {}

    fn observe(&self, _metric: &str, _values: &[f64]) {}
}
