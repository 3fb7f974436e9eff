//! Saves and restores the state of a plugin that has one.

use anyhow::Context;

use super::Runner;
use crate::cbor;
use crate::result::Result;
use crate::state::SavedState;
use crate::state::Stateful;

impl<P: Stateful> Runner<P> {
    /// Returns the version of the state's format, and the bytes.
    pub(crate) fn save(&mut self) -> Result<(u32, Vec<u8>)> {
        // Room for a state that has grown by an eighth: without it, the bytes are copied.
        let expected = self.last_state_size + self.last_state_size / 8;
        let bytes = cbor::encode(self.plugin.state(), expected).context("cannot save the state")?;
        self.last_state_size = bytes.len();
        Ok((P::STATE_VERSION, bytes))
    }

    /// Restores a state. A plugin that refuses it may have taken a part of it, and must not be called again.
    pub(crate) fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<()> {
        self.last_state_size = bytes.len();
        let saved = SavedState::new(version, bytes);
        if version == P::STATE_VERSION {
            self.plugin.restore(saved.read()?)
        } else {
            self.plugin.migrate(saved)
        }
    }
}
