//! A plugin at its bare native speed.

use crate::alert::Alert;
use crate::column::Column;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::result::Result;
use crate::runner::Keep;
use crate::runner::Runner;
use crate::state::Stateful;

/// A plugin over the bytes of a call, as the host calls it, but native and with nobody to hear
/// its effects: for benchmarks.
#[derive(Debug)]
pub struct NativePlugin<P>(Runner<P>);

impl<P: Plugin> NativePlugin<P> {
    /// Starts a plugin with settings from a JSON object.
    ///
    /// # Errors
    ///
    /// Those of the settings, and of [`Plugin::new`].
    pub fn configure(settings: &serde_json::Value) -> Result<NativePlugin<P>> {
        Runner::configure(&settings.to_string()).map(NativePlugin)
    }

    /// Processes records of `record_size` bytes each, which it may change and move.
    ///
    /// # Errors
    ///
    /// Where the bytes are no whole number of records, and those of [`Plugin::on_event`].
    pub fn process(&mut self, records: &mut [u8], record_size: u32) -> Result<Keep> {
        let count = (records.len() as u32).checked_div(record_size).unwrap_or(0);
        self.0.process(&Deaf, count, record_size, records)
    }
}

impl<P: Stateful> NativePlugin<P> {
    /// Saves the state: the version of its format, and bytes.
    ///
    /// # Errors
    ///
    /// Where the state cannot be written.
    pub fn save(&mut self) -> Result<(u32, Vec<u8>)> {
        self.0.save()
    }

    /// Goes on with bytes that were saved, or with any others.
    ///
    /// # Errors
    ///
    /// Where they are no state of this version, and those of [`Stateful::restore`]. The plugin is of no
    /// use then.
    pub fn restore(&mut self, version: u32, state: &[u8]) -> Result<()> {
        self.0.restore(version, state)
    }
}

/// A host that says nothing and hears nothing.
struct Deaf;

impl Host for Deaf {
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
}
