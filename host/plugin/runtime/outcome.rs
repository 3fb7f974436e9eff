//! The outcome of a call with events.

use super::bad_answer::BadAnswer;
use super::contract;
use super::contract::Keep;
use super::staged_effects::Staged;

/// The checked outcome of a call with events.
#[derive(Debug)]
pub struct Outcome {
    keep: Keep,
    /// The effects of the call, not applied yet.
    pub staged: Staged,
}

impl Outcome {
    /// Checks the answer of a call with `count` events. The staged effects were checked when the plugin passed them to
    /// the host, except that changed events must be among the kept ones.
    pub(crate) fn check(keep: Keep, staged: Staged, count: u32) -> Result<Outcome, BadAnswer> {
        contract::check_keep(&keep, count)?;
        let outcome = Outcome { keep, staged };
        let mut changed = outcome.staged.changes.iter().flat_map(|(events, _)| events);
        match changed.find(|event| !outcome.keeps(**event as usize)) {
            Some(dropped) => Err(BadAnswer::ChangeDropped(*dropped)),
            None => Ok(outcome),
        }
    }

    /// Returns whether the event with this number goes on to the next plugin.
    pub fn keeps(&self, event: usize) -> bool {
        contract::keeps(&self.keep, event)
    }

    /// Returns whether all events go on.
    pub fn keeps_all(&self) -> bool {
        matches!(self.keep, Keep::All)
    }

    /// Returns whether all events go on unchanged, and the call has no other effects.
    pub fn has_no_effect(&self) -> bool {
        self.keeps_all() && self.staged.is_empty()
    }
}
