//! What a plugin knows goes over to another instance: it is asked after each tick, and before another
//! version takes over.

use super::Done;
use super::Link;
use crate::chain::ChainError;
use crate::chain::Sink;
use crate::chain::quarantine::Quarantine;
use crate::plugin::Instance;
use crate::plugin::Plugin;
use crate::plugin::cpu;

impl Link {
    /// Asks it what it knows.
    pub(super) fn take_snapshot<S: Sink>(&mut self, sink: &mut S) -> Done {
        if !self.instance.as_ref().is_some_and(Instance::has_state) {
            return Ok(());
        }
        let lost = self.lost;
        let saved = self.call(Instance::save);
        // It has not heard of losses in there.
        self.lost = lost;
        match saved {
            // Where it cannot say what it knows, what it said before is better than nothing.
            None | Some(Ok(None)) => Ok(()),
            Some(Ok(Some(snapshot))) => {
                self.snapshot = Some(snapshot);
                self.firing.saved();
                Ok(())
            }
            Some(Err(fault)) => self.failed(fault, sink),
        }
    }

    /// Another version takes over, with what this one knows. Where it cannot, this one stays: why.
    pub(in crate::chain) fn replace<S: Sink>(
        &mut self,
        next: Plugin,
        sink: &mut S,
    ) -> Result<Result<(), String>, ChainError> {
        let Plugin {
            prepared,
            mut instance,
        } = next;
        let before = cpu::now();
        let has_state = self.instance.as_ref().is_some_and(Instance::has_state);
        let saved = match self.instance.as_mut().map(Instance::save) {
            Some(Ok(Some(snapshot))) => Some(snapshot),
            Some(Ok(None)) if has_state => {
                return Ok(Err("it does not say what it knows".to_owned()));
            }
            None | Some(Ok(None)) => None,
            Some(Err(fault)) => {
                let why = fault.to_string();
                self.failed(fault, sink)?;
                return Ok(Err(why));
            }
        };
        let saved = saved.filter(|_| instance.has_state());
        if let Some(snapshot) = &saved
            && let Err(fault) = instance.restore(snapshot)
        {
            return Ok(Err(fault.to_string()));
        }
        self.usage.other(cpu::now().saturating_sub(before));
        self.usage.reloads += 1;
        self.run(instance);
        self.prepared = prepared;
        self.quarantine = Quarantine::new();
        match saved {
            // The new version has just taken it: so it will again.
            Some(_) => self.firing.saved(),
            None => {
                let forgotten = self.firing.take_all();
                self.resolve(forgotten, "was reloaded and knows nothing of it", sink)?;
            }
        }
        self.snapshot = saved;
        Ok(Ok(()))
    }
}
