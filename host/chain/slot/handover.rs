//! Saves the state of a plugin after each tick, and passes it to a new version, or to a chain that goes on elsewhere.

use super::ChainResult;
use super::Slot;
use crate::chain::active_alerts::ActiveAlerts;
use crate::chain::error::ChainError;
use crate::chain::error::SwapError;
use crate::chain::fault_log::Restart;
use crate::chain::quarantine::Quarantine;
use crate::chain::saved::SavedPlugin;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::Plugin;
use crate::plugin::Snapshot;
use crate::plugin::runtime::cpu_clock;
use crate::sink::Sink;
use crate::stream::moment::Moment;

impl Slot {
    /// Saves the state of the running instance.
    pub(super) fn take_snapshot<S: Sink>(&mut self, sink: &mut S) -> ChainResult {
        match self.save() {
            None => Ok(()),
            Some(Ok(snapshot)) => {
                self.store_snapshot(snapshot);
                Ok(())
            }
            Some(Err(fault)) => self.handle_fault(fault, sink),
        }
    }

    /// Calls `save`. Returns `None` if there is no instance, or if it does not export its state.
    fn save(&mut self) -> Option<Result<Snapshot, Fault>> {
        if !self.instance.as_ref().is_some_and(Instance::has_state) {
            return None;
        }
        let context = self.context;
        let saved = self.call(|instance| instance.save(context.clock).transpose());
        // `save` does not receive the number of lost events.
        self.context.lost = context.lost;
        saved?.transpose()
    }

    /// Saves the state, and returns it.
    pub(in crate::chain) fn save_state<S: Sink>(
        &mut self,
        sink: &mut S,
    ) -> Result<Option<Snapshot>, ChainError> {
        self.take_snapshot(sink)?;
        Ok(self.snapshot.clone())
    }

    /// Goes on with what another chain has saved at `now`.
    pub(in crate::chain) fn resume<S: Sink>(
        &mut self,
        saved: SavedPlugin,
        now: Moment,
        sink: &mut S,
    ) -> ChainResult {
        self.now = now;
        self.active_alerts = ActiveAlerts::known(saved.active);
        self.snapshot = saved.snapshot;
        if self.snapshot.is_none() {
            let unknown_alerts = self.active_alerts.take_all();
            return self.resolve(unknown_alerts, "has no state and goes on elsewhere", sink);
        }
        match self.start_from_snapshot(sink)? {
            Restart::Restored | Restart::Failed => Ok(()),
            Restart::Empty | Restart::Refused => {
                let unknown_alerts = self.active_alerts.take_all();
                self.resolve(
                    unknown_alerts,
                    "has refused the state of another host",
                    sink,
                )
            }
        }
    }

    fn store_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.active_alerts.mark_saved();
    }

    /// Replaces the running version by another one, which gets the state. If either fails, the running version stays.
    pub(in crate::chain) fn replace<S: Sink>(
        &mut self,
        next: Plugin,
        sink: &mut S,
    ) -> Result<Result<(), SwapError>, ChainError> {
        let Plugin {
            prepared,
            mut instance,
        } = next;
        match self.save() {
            None => {}
            Some(Ok(snapshot)) => self.store_snapshot(snapshot),
            Some(Err(fault)) => {
                let swap_error = SwapError::OldFailed(fault.to_string());
                self.handle_fault(fault, sink)?;
                return Ok(Err(swap_error));
            }
        }
        if !instance.has_state() {
            self.snapshot = None;
        }
        if let Some(snapshot) = &self.snapshot {
            let before = cpu_clock::now();
            let restored = instance.restore(snapshot, self.context.clock);
            self.usage
                .add_other_time(cpu_clock::now().saturating_sub(before));
            if let Err(fault) = restored {
                return Ok(Err(SwapError::NewFailed(fault.to_string())));
            }
        }
        self.usage.reloads += 1;
        self.install(instance);
        self.memory_freed = true;
        self.prepared.log_suppressed();
        self.prepared = prepared;
        self.quarantine = Quarantine::new();
        // A version that has the state knows of all active alerts.
        if self.snapshot.is_none() {
            let unknown_alerts = self.active_alerts.take_all();
            self.resolve(unknown_alerts, "was reloaded and does not know of it", sink)?;
        }
        Ok(Ok(()))
    }
}
