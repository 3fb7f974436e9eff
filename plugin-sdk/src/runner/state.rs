//! Saves and restores the state of a plugin that has one.

use anyhow::Context;

use super::Runner;
use crate::cbor;
use crate::result::Result;
use crate::state::SavedState;
use crate::state::Stateful;

impl<P: Stateful> Runner<P> {
    /// The version of the state's format, and bytes.
    pub(crate) fn save(&mut self) -> Result<(u32, Vec<u8>)> {
        // It may have grown, and where there is room enough nothing is copied.
        let expected = self.saved + self.saved / 8;
        let bytes = cbor::encode(self.plugin.state(), expected).context("cannot save the state")?;
        self.saved = bytes.len();
        Ok((P::STATE_VERSION, bytes))
    }

    /// Goes on with a state. Where it is refused, the plugin may have taken half of it: nobody calls it
    /// again.
    pub(crate) fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<()> {
        self.saved = bytes.len();
        let saved = SavedState::new(version, bytes);
        if version == P::STATE_VERSION {
            self.plugin.restore(saved.read()?)
        } else {
            self.plugin.migrate(saved)
        }
    }
}
