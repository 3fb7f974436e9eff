//! What a plugin knows goes over to another instance: it is asked after each tick, and before another
//! version takes over.

use super::Done;
use super::Slot;
use crate::chain::ChainError;
use crate::chain::Sink;
use crate::chain::Stays;
use crate::chain::quarantine::Quarantine;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::Plugin;
use crate::plugin::Snapshot;
use crate::plugin::runtime::cpu;

impl Slot {
    /// Asks it what it knows.
    pub(super) fn take_snapshot<S: Sink>(&mut self, sink: &mut S) -> Done {
        match self.save() {
            None => Ok(()),
            Some(Ok(snapshot)) => {
                self.keep(snapshot);
                Ok(())
            }
            Some(Err(fault)) => self.failed(fault, sink),
        }
    }

    /// `None`: there is no instance, or none whose state can outlive it.
    fn save(&mut self) -> Option<Result<Snapshot, Fault>> {
        if !self.instance.as_ref().is_some_and(Instance::has_state) {
            return None;
        }
        let earlier = self.earlier;
        let saved = self.call(|instance| instance.save(earlier.clock).transpose());
        // It has not heard of losses in there.
        self.earlier.lost = earlier.lost;
        saved?.transpose()
    }

    fn keep(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.active_alerts.saved();
    }

    /// Another version takes over, with what this one knows; or this one stays.
    pub(in crate::chain) fn replace<S: Sink>(
        &mut self,
        next: Plugin,
        sink: &mut S,
    ) -> Result<Result<(), Stays>, ChainError> {
        let Plugin {
            prepared,
            mut instance,
        } = next;
        match self.save() {
            None => {}
            Some(Ok(snapshot)) => self.keep(snapshot),
            Some(Err(fault)) => {
                let stays = Stays::OldFailed(fault.to_string());
                self.failed(fault, sink)?;
                return Ok(Err(stays));
            }
        }
        if !instance.has_state() {
            self.snapshot = None;
        }
        if let Some(snapshot) = &self.snapshot {
            let before = cpu::now();
            let restored = instance.restore(snapshot, self.earlier.clock);
            self.usage.other(cpu::now().saturating_sub(before));
            if let Err(fault) = restored {
                return Ok(Err(Stays::NewFailed(fault.to_string())));
            }
        }
        self.usage.reloads += 1;
        self.install(instance);
        self.freed = true;
        self.prepared.log_suppressed();
        self.prepared = prepared;
        self.quarantine = Quarantine::new();
        // With a snapshot it knows of all that fire.
        if self.snapshot.is_none() {
            let forgotten = self.active_alerts.take_all();
            self.resolve(forgotten, "was reloaded and knows nothing of it", sink)?;
        }
        Ok(Ok(()))
    }
}
