//! What takes the place of the plan in a build without the network: nothing is delivered.

use anyhow::Result;

use super::Refused;
use crate::config::ChainConfig;
use crate::config::Network;
use crate::plugin::Spec;
use crate::sink::Sink;
use crate::system::sandbox::files::Files;
use crate::system::sandbox::system_calls::Sockets;

/// Nothing is delivered.
pub struct Plan;

impl Plan {
    /// There is nothing to read.
    pub fn prepare(_: &ChainConfig) -> Result<Plan> {
        Ok(Plan)
    }

    /// No files are needed.
    pub fn allow_files(&self, _: &mut Files) {}

    /// No sockets are needed.
    pub fn sockets(&self) -> Sockets {
        Sockets::default()
    }

    /// There is none to change.
    pub fn receivers(&self) -> Receivers {
        Receivers
    }

    /// There is no sink.
    pub fn start(self) -> Result<Option<Box<dyn Sink + Send>>> {
        Ok(None)
    }
}

/// None.
pub struct Receivers;

impl Receivers {
    /// Nothing changes: a configuration with sinks is refused as such.
    pub fn change(&mut self, _: &Network, _: &[Spec]) -> Result<Vec<String>, Refused> {
        Ok(Vec::new())
    }
}

/// There are no receivers.
pub fn names(_: &Network) -> Vec<String> {
    Vec::new()
}
