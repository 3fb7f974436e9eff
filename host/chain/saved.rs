//! The state of a chain that ends here and goes on elsewhere: what its plugins have saved last, and which of their alerts
//! are active.

use super::Chain;
use super::ChainError;
use crate::plugin::Snapshot;
use crate::sink::Sink;
use crate::stream::alert::Severity;
use crate::stream::moment::Moment;

/// What another chain has saved of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPlugin {
    /// Name of the instance.
    pub name: String,
    /// Its state; `None`: it has none, or is in quarantine.
    pub snapshot: Option<Snapshot>,
    /// The alerts that were active when the state was saved, the oldest first.
    pub active: Vec<ActiveAlert>,
}

/// An active alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveAlert {
    /// Name.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Labels, sorted by key.
    pub labels: Vec<(String, String)>,
}

impl<S: Sink> Chain<S> {
    /// Has each plugin save its state, and returns the names and states; `None`: it has none, or is in quarantine.
    ///
    /// # Errors
    ///
    /// If a plugin fails whose action for faults is to stop, or the sink fails.
    pub fn save(&mut self) -> Result<Vec<(String, Option<Snapshot>)>, ChainError> {
        let mut saved = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            let snapshot = slot.save_state(&mut self.sink)?;
            saved.push((slot.name().to_owned(), snapshot));
        }
        Ok(saved)
    }

    /// Returns whether a plugin of this name is in the chain.
    pub fn has_plugin(&self, name: &str) -> bool {
        self.slots.iter().any(|slot| slot.name() == name)
    }

    /// Goes on with what was saved at `clock`. Plugins are found by their names; those that are new begin without a
    /// state. The host resolves alerts of a plugin that does not know of them.
    ///
    /// # Errors
    ///
    /// If the sink fails.
    pub fn restore(&mut self, saved: Vec<SavedPlugin>, clock: Moment) -> Result<(), ChainError> {
        self.clock = Some(clock);
        for saved in saved {
            let mut slots = self.slots.iter_mut();
            if let Some(slot) = slots.find(|slot| slot.name() == saved.name) {
                slot.set_clock(clock);
                slot.resume(saved, clock, &mut self.sink)?;
            }
        }
        Ok(())
    }
}
