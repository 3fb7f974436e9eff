//! What the operator is told about a plugin that misbehaves.

use std::fmt;
use std::time::Duration;

use crate::plugin::Fault;
use crate::plugin::OnFault;
use crate::plugin::StartError;
use crate::stream::batch::Batch;

/// What an instance that takes the place of another one knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// What the other one knew when it was last asked.
    Restored,
    /// Nothing: nothing was saved.
    Empty,
    /// Nothing: it did not take what the other one knew.
    Refused,
    /// There is none.
    Failed,
}

/// Which events a call was about, to go on after "failed in process: …".
pub(super) fn about(batch: &Batch) -> String {
    let mut events = batch.events();
    let (Some(first), last) = (events.next(), events.next_back()) else {
        return String::new();
    };
    match last {
        None => format!(
            "event {} ({} -> {})",
            first.sequence(),
            first.local(),
            first.peer()
        ),
        Some(last) => format!(
            "{} events, {} to {}",
            batch.len(),
            first.sequence(),
            last.sequence()
        ),
    }
}

/// A fault, and the events that it was about.
#[derive(Debug)]
pub struct Blame {
    /// The fault.
    pub fault: Fault,
    /// Nothing for a call without events.
    about: String,
}

impl Blame {
    pub(super) fn new(fault: Fault, about: String) -> Blame {
        Blame { fault, about }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt_about(f, &self.about)
    }
}

impl std::error::Error for Blame {}

/// Who has failed on what, and what becomes of both.
pub(super) fn fault(blame: &Blame, on_fault: OnFault, restart: Restart) {
    let fate = match on_fault {
        _ if blame.about.is_empty() => String::new(),
        _ => format!("{}; ", fate(on_fault)),
    };
    let restart = match restart {
        Restart::Restored => "started anew with the state that was saved last",
        Restart::Empty | Restart::Refused => "started anew",
        Restart::Failed => "not started anew",
    };
    tracing::error!("{blame}\n    {fate}{restart}");
}

/// What becomes of events that the plugin has failed on.
fn fate(on_fault: OnFault) -> &'static str {
    match on_fault {
        OnFault::Pass | OnFault::Stop => "passed on unseen",
        OnFault::Drop => "lost",
    }
}

/// A batch failed as a whole, and not in those parts of it that were tried again.
pub(super) fn not_found(blame: &Blame) {
    tracing::error!("{blame}\n    and on none of those events that were tried again in parts");
}

/// The search for the event took too long: with so many events it was not gone on.
pub(super) fn search_ended(plugin: &str, events: usize, on_fault: OnFault) {
    tracing::error!(
        "plugin {plugin} took too long when it was tried again in parts; the last {events} events of \
         the batch: {}",
        fate(on_fault)
    );
}

/// It is left out.
pub(super) fn quarantined(plugin: &str, back_off: Duration) {
    tracing::error!(
        "plugin {plugin} failed too often and is in quarantine; it is tried again in {back_off:?}"
    );
}

/// It is not left out any more.
pub(super) fn tried_again(plugin: &str) {
    tracing::info!("plugin {plugin} is tried again");
}

/// A new instance refuses what the old one knew.
pub(super) fn not_restored(plugin: &str, error: &StartError) {
    tracing::error!("plugin {plugin} starts without its state: {error}");
}

/// There is no new instance.
pub(super) fn not_started(plugin: &str, error: &StartError) {
    tracing::error!("plugin {plugin} cannot be started anew and is in quarantine: {error}");
}
