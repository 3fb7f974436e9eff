//! The state of a chain that ends here and goes on elsewhere: what its plugins have saved last, and which of their alerts
//! are active.

use super::Chain;
use super::ChainError;
use crate::plugin::Snapshot;
use crate::sink::Sink;
use crate::stream::alert::Severity;
use crate::stream::batch::Moment;

/// What a plugin has saved, as of the last tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPlugin {
    /// Name of the instance.
    pub name: String,
    /// Its state; `None`: it has none, or is in quarantine.
    pub snapshot: Option<Snapshot>,
    /// Its active alerts, the oldest first.
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
    /// What the plugins have saved. It is the state of the chain directly after a mark: plugins save after each tick.
    pub fn saved(&self) -> Vec<SavedPlugin> {
        self.slots.iter().map(|slot| slot.saved()).collect()
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
