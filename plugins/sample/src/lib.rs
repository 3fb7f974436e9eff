//! Keeps one connection of N, and drops all events of the others.
//!
//! A number of the connection decides: it is computed from both addresses, both ports and the network namespace of the
//! machine that sent the event, by a function that never changes. So all events of a connection are kept or dropped, also
//! in a replay on another machine, and by another version. The hosts at the two ends of a connection decide
//! independently: each has its own local address and namespace. Connections that have the same addresses and ports one
//! after the other are one connection here.
//!
//! It samples for the plugins after it. The host's option `--sample` samples for all plugins and for the recording, in the
//! kernel, at less cost.

mod hash;

use retrans_plugin_sdk::prelude::*;

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Keeps one connection of this many. 1 keeps all.
        #[schemars(range(min = 1))]
        pub one_in: u32 = 10,
        /// Selects which connections are kept: another number keeps others. Two samples with the same seed select the same
        /// connections, also with another one_in: those of 1 in 100 are among those of 1 in 10.
        pub seed: u64 = 0,
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Sample {
    /// Connections with a number up to this one are kept.
    last: u64,
    seed: u64,
}

impl Plugin for Sample {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(settings.one_in > 0, "one_in: expected at least 1");
        Ok(Sample {
            last: u64::MAX / u64::from(settings.one_in),
            seed: settings.seed,
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::keep_if(hash::of(event, self.seed) <= self.last))
    }
}

export_plugin!(Sample);

#[cfg(test)]
mod tests;
