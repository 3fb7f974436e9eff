//! Log messages about the faults of plugins.

use std::fmt;
use std::time::Duration;

use retrans_event::Event;

use crate::plugin::Cause;
use crate::plugin::Fault;
use crate::plugin::OnFault;
use crate::plugin::StartError;
use crate::plugin::runtime::limiters::DeadlineMissed;
use crate::stream::batch::Batch;

/// State of an instance that replaces one that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// It has the state that was saved last.
    Restored,
    /// It has no state, because none was saved.
    Empty,
    /// It has no state, because it refused the saved one.
    Refused,
    /// There is no instance, because it could not be started.
    Failed,
}

/// Describes the events of a call, for the end of the message `failed in process: CAUSE [EVENTS]`.
fn describe_events(batch: &Batch) -> String {
    let mut events = batch.events();
    let (Some(first), last) = (events.next(), events.next_back()) else {
        return String::new();
    };
    match last {
        None => describe_event(first),
        Some(last) => format!(
            "{} events, {} to {}",
            batch.len(),
            first.sequence(),
            last.sequence()
        ),
    }
}

fn describe_event(event: &Event) -> String {
    format!(
        "event {} ({} -> {})",
        event.sequence(),
        event.local(),
        event.peer()
    )
}

/// A fault, and the events of the call.
#[derive(Debug)]
pub struct FaultReport {
    /// The fault.
    pub fault: Fault,
    /// Description of the events. Empty for a call without events.
    events: String,
}

impl FaultReport {
    /// A fault of a call without events.
    pub(super) fn without_events(fault: Fault) -> FaultReport {
        FaultReport {
            fault,
            events: String::new(),
        }
    }

    /// A fault of a call with events. A limit of time is that of the call: it tells what is left for each event.
    pub(super) fn with_events(fault: Fault, batch: &Batch) -> FaultReport {
        let mut events = describe_events(batch);
        if let Cause::Deadline(DeadlineMissed(allowed)) = fault.cause
            && batch.len() > 1
        {
            let each = allowed / u32::try_from(batch.len()).unwrap_or(u32::MAX);
            events += &format!(": {each:.0?} for each event");
        }
        FaultReport { fault, events }
    }

    /// Names the one event of the call on which the plugin fails.
    pub(super) fn blame(&mut self, event: &Event) {
        self.events = describe_event(event);
    }

    /// Writes what the plugin logged during the call.
    pub(super) fn write_log(&mut self) {
        self.fault.write_log();
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt_with_events(f, &self.events)
    }
}

impl std::error::Error for FaultReport {}

/// Logs a fault after what the plugin logged itself, what happened to the events, and whether the plugin was started
/// again.
pub(super) fn fault(mut fault_report: FaultReport, on_fault: OnFault, restart: Restart) {
    fault_report.write_log();
    let action = match on_fault {
        _ if fault_report.events.is_empty() => String::new(),
        _ => format!("{}; ", action_name(on_fault)),
    };
    let restart = match restart {
        Restart::Restored => "started anew with the state that was saved last",
        Restart::Empty | Restart::Refused => "started anew",
        Restart::Failed => "not started anew",
    };
    tracing::error!("{fault_report}\n    {action}{restart}");
}

/// Describes what happened to the events on which a plugin failed.
fn action_name(on_fault: OnFault) -> &'static str {
    match on_fault {
        OnFault::Pass | OnFault::Stop => "passed on unseen",
        OnFault::Drop => "lost",
    }
}

/// Logs a fault of a batch for which no event was found, and the outcome of the search.
pub(super) fn event_not_found(mut fault_report: FaultReport, outcome: &str) {
    fault_report.write_log();
    tracing::error!("{fault_report}\n    and {outcome}");
}

/// Logs that the search for the event on which the plugin fails took too long, and that the last `events` events were
/// not retried.
pub(super) fn search_ended(plugin: &str, events: usize, on_fault: OnFault) {
    tracing::error!(
        "plugin {plugin} took too long when parts of the batch were retried; the last {events} events were not \
         retried: {}",
        action_name(on_fault)
    );
}

/// Logs that the plugin is in quarantine.
pub(super) fn quarantined(plugin: &str, back_off: Duration) {
    tracing::error!(
        "plugin {plugin} failed too often and is in quarantine; it is tried again in {back_off:?}"
    );
}

/// Logs that the quarantine is over.
pub(super) fn retried(plugin: &str) {
    tracing::info!("plugin {plugin} is tried again");
}

/// Logs that a new instance refused the saved state.
pub(super) fn not_restored(plugin: &str, error: &StartError) {
    tracing::error!("plugin {plugin} starts without its state: {error}");
}

/// Logs that a new instance could not be started.
pub(super) fn not_started(plugin: &str, error: &StartError) {
    tracing::error!("plugin {plugin} cannot be started anew and is in quarantine: {error}");
}
