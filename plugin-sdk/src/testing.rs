//! Runs a plugin natively, for tests and benchmarks.
//!
//! ```
//! use retrans_plugin_sdk::prelude::*;
//! use retrans_plugin_sdk::testing::Scenario;
//! use retrans_plugin_sdk::testing::Synth;
//!
//! filter!(|event| event.peer().port() == 443);
//!
//! # fn main() -> Result<()> {
//! let outcome = Scenario::new()
//!     .events(Synth::new(7).take(100))
//!     .run::<Filter>()?;
//! assert!(outcome.kept.iter().all(|kept| kept.record.peer().port() == 443));
//! # Ok(())
//! # }
//! ```

mod logs;
mod native;
mod outcome;
mod recorder;
mod scenario;

pub use native::NativePlugin;
pub use outcome::KeptEvent;
pub use outcome::Outcome;
pub use scenario::BATCH_SIZES;
pub use scenario::Scenario;

pub use crate::runner::Keep;
pub use retrans_event::Record;
pub use retrans_event::synth::Synth;

/// The JSON schema of a plugin's settings, as the plugin's `describe` returns it.
pub fn settings_schema<P: crate::Plugin>() -> serde_json::Value {
    crate::settings::schema::<P::Settings>().to_value()
}
