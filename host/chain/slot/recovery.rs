//! Recovery from faults: finds the event on which the plugin failed, starts another instance, and puts a plugin that
//! fails too often into quarantine.

use std::time::Duration;

use super::ChainResult;
use super::Slot;
use super::Tally;
use crate::chain::active_alerts::Identity;
use crate::chain::error::ChainError;
use crate::chain::fault_log;
use crate::chain::fault_log::FaultReport;
use crate::chain::fault_log::Restart;
use crate::plugin::Cause;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::OnFault;
use crate::plugin::Snapshot;
use crate::plugin::StagedAlert;
use crate::plugin::StartError;
use crate::plugin::runtime::cpu_clock;
use crate::sink::Sink;
use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::stream::batch::Batch;

impl Slot {
    /// Retries a batch on which the plugin has failed, in halves, and joins the parts again. `before` is the CPU time
    /// that the plugin had used before this batch.
    pub(super) fn search_batch<S: Sink>(
        &mut self,
        batch: &mut Batch,
        fault: Fault,
        before: Duration,
        tally: &mut Tally,
        sink: &mut S,
    ) -> ChainResult {
        let mut parts = vec![std::mem::take(batch)];
        let mut failed = Some(fault);
        // The first fault of a part with several events, until a single event is found to be the cause.
        let mut unexplained = None;
        // The chain waits during the search, and each retry may take the time of a call and of a start.
        let allowed = 2 * self.prepared.spec().limits.time;
        let mut not_tried = 0;
        while let Some(mut part) = parts.pop() {
            let result = match failed.take() {
                Some(fault) => Some(Err(fault)),
                None if self.usage.total().saturating_sub(before) > allowed => None,
                None => self.call_process(&mut part),
            };
            match result {
                // The time for the search is used up, or the plugin is in quarantine.
                None => {
                    not_tried += part.len();
                    self.apply_fault_action(&mut part, tally);
                }
                Some(Ok(outcome)) => {
                    self.commit(&mut part, outcome, tally, sink)?;
                    self.take_snapshot(sink)?;
                }
                Some(Err(fault)) => {
                    let restart = self.restart(&fault, sink)?;
                    // A part that took too long would take too long again, up to eight times.
                    let split =
                        part.len() > 1 && !fault.is_deadline() && restart != Restart::Failed;
                    let fault_report = FaultReport::with_events(fault, &part);
                    if split {
                        unexplained.get_or_insert(fault_report);
                        parts.push(part.split_off(part.len() / 2));
                        parts.push(part);
                        continue;
                    }
                    unexplained = None;
                    fault_log::fault(fault_report, self.on_fault(), restart);
                    self.apply_fault_action(&mut part, tally);
                    self.count_fault(sink)?;
                }
            }
            batch.append(&part);
        }
        if not_tried > 0 && self.instance.is_some() {
            fault_log::search_ended(self.name(), not_tried, self.on_fault());
        }
        if let Some(fault_report) = unexplained {
            let outcome = match &self.instance {
                _ if not_tried == 0 => {
                    "the fault did not occur again when parts of the batch were retried"
                }
                Some(_) => "the event was not found, because the time for the search was over",
                None => "the event was not found, because the plugin is in quarantine",
            };
            fault_log::event_not_found(fault_report, outcome);
            self.count_fault(sink)?;
        }
        Ok(())
    }

    /// Reports a fault of a batch that ends the host. Names the event, if the plugin fails on one: it is the last of the
    /// fewest first events of the batch on which new instances fail. Their calls have no effects.
    pub(super) fn report_end(&mut self, batch: &Batch, fault: Fault) -> FaultReport {
        self.usage.count_fault(fault.cause.name());
        let mut fault_report = FaultReport::with_events(fault, batch);
        fault_report.write_log();
        let is_of_an_event = matches!(
            fault_report.fault.cause,
            Cause::Trap(_) | Cause::PluginError(_) | Cause::Memory(_)
        );
        if !is_of_an_event || batch.len() < 2 {
            return fault_report;
        }
        // The memory of the instance is freed before new ones allocate theirs.
        self.instance = None;
        let begun = cpu_clock::now();
        let allowed = 2 * self.prepared.spec().limits.time;
        let (mut passing, mut failing) = (0, batch.len());
        if !self.fails_on_first(batch, failing) {
            return fault_report;
        }
        while failing - passing > 1 && cpu_clock::now().saturating_sub(begun) < allowed {
            let middle = passing.midpoint(failing);
            match self.fails_on_first(batch, middle) {
                true => failing = middle,
                false => passing = middle,
            }
        }
        if failing - passing == 1
            && let Some(event) = batch.events().nth(passing)
        {
            fault_report.blame(event);
        }
        fault_report
    }

    /// Whether a new instance fails on the first events of a batch.
    fn fails_on_first(&self, batch: &Batch, events: usize) -> bool {
        let mut first = batch.clone();
        first.retain(|event| event < events);
        let (snapshot, clock) = (self.snapshot.as_ref(), self.context.clock);
        // The instance that failed has logged the same lines.
        let instance = self.prepared.silent_instance(snapshot, clock);
        instance.is_ok_and(|mut instance| instance.process(&mut first, self.context).is_err())
    }

    /// Handles a fault of a call without events.
    pub(super) fn handle_fault<S: Sink>(&mut self, fault: Fault, sink: &mut S) -> ChainResult {
        if self.on_fault() == OnFault::Stop {
            self.usage.count_fault(fault.cause.name());
            return Err(FaultReport::without_events(fault).into());
        }
        let restart = self.restart(&fault, sink)?;
        let fault_report = FaultReport::without_events(fault);
        fault_log::fault(fault_report, self.on_fault(), restart);
        self.count_fault(sink)
    }

    /// Counts a fault, and begins a quarantine if there were too many. A plugin without an instance is in quarantine
    /// already.
    fn count_fault<S: Sink>(&mut self, sink: &mut S) -> ChainResult {
        if self.instance.is_some()
            && let Some(back_off) = self.quarantine.fault(self.now.time)
        {
            self.enter_quarantine(sink)?;
            fault_log::quarantined(self.name(), back_off);
        }
        Ok(())
    }

    /// Replaces an instance that has failed.
    pub(super) fn restart<S: Sink>(
        &mut self,
        fault: &Fault,
        sink: &mut S,
    ) -> Result<Restart, ChainError> {
        self.usage.count_fault(fault.cause.name());
        self.usage.restarts += 1;
        let restart = self.start_from_snapshot(sink)?;
        if restart == Restart::Failed {
            return Ok(restart);
        }
        let unknown_alerts = match restart {
            Restart::Restored => self.active_alerts.take_unsaved(),
            _ => self.active_alerts.take_all(),
        };
        self.resolve(
            unknown_alerts,
            "was started anew and does not know of it",
            sink,
        )?;
        if restart == Restart::Refused {
            // Counted as another fault. Otherwise a plugin that refuses its own state could fail and be started again
            // without limit.
            self.count_fault(sink)?;
        }
        Ok(match self.instance {
            Some(_) => restart,
            None => Restart::Failed,
        })
    }

    /// Replaces the instance by a new one with the saved state, or without state if there is none or it is refused. One
    /// that does not start is put into quarantine.
    pub(super) fn start_from_snapshot<S: Sink>(
        &mut self,
        sink: &mut S,
    ) -> Result<Restart, ChainError> {
        // The memory of the old instance is freed before the new one allocates its own.
        self.instance = None;
        self.memory_freed = true;
        let (started, restart) = self.start_replacement();
        match started {
            Ok(instance) => {
                self.install(instance);
                Ok(restart)
            }
            Err(error) => {
                fault_log::not_started(self.name(), &error);
                self.quarantine.begin(self.now.time);
                self.enter_quarantine(sink)?;
                Ok(Restart::Failed)
            }
        }
    }

    /// Starts a new instance with the saved state, or without state if there is none or it is refused.
    fn start_replacement(&mut self) -> (Result<Instance, StartError>, Restart) {
        let Some(snapshot) = self.snapshot.take() else {
            return (self.start_instance(None), Restart::Empty);
        };
        match self.start_instance(Some(&snapshot)) {
            Ok(instance) => {
                self.snapshot = Some(snapshot);
                (Ok(instance), Restart::Restored)
            }
            Err(error) => {
                fault_log::not_restored(self.name(), &error);
                (self.start_instance(None), Restart::Refused)
            }
        }
    }

    /// Starts a new instance, and counts a fault of the start.
    fn start_instance(&mut self, snapshot: Option<&Snapshot>) -> Result<Instance, StartError> {
        let before = cpu_clock::now();
        let started = self.prepared.instance(snapshot, self.context.clock);
        self.usage
            .add_other_time(cpu_clock::now().saturating_sub(before));
        if let Err(StartError::Fault(fault)) = &started {
            self.usage.count_fault(fault.cause.name());
        }
        started
    }

    pub(super) fn install(&mut self, instance: Instance) {
        self.usage.record_memory(instance.memory());
        self.instance = Some(instance);
    }

    /// Puts the plugin into quarantine: drops its instance, and its state, because it will have missed too much.
    pub(super) fn enter_quarantine<S: Sink>(&mut self, sink: &mut S) -> ChainResult {
        self.instance = None;
        self.snapshot = None;
        self.usage.record_memory((0, 0));
        let unknown_alerts = self.active_alerts.take_all();
        self.resolve(unknown_alerts, "is in quarantine", sink)
    }

    pub(super) fn end_quarantine(&mut self) {
        if self.instance.is_some() || !self.quarantine.end_if_over(self.now.time) {
            return;
        }
        self.usage.restarts += 1;
        match self.start_instance(None) {
            Ok(instance) => {
                fault_log::retried(self.name());
                self.install(instance);
            }
            Err(error) => {
                fault_log::not_started(self.name(), &error);
                self.quarantine.begin(self.now.time);
            }
        }
    }

    /// Resolves alerts in place of the plugin.
    pub(super) fn resolve<S: Sink>(
        &mut self,
        alerts: Vec<(Identity, Severity)>,
        reason: &str,
        sink: &mut S,
    ) -> ChainResult {
        let summary = format!("resolved by the host: {} {reason}", self.name());
        let alerts = alerts.into_iter().map(|(identity, severity)| StagedAlert {
            name: identity.name,
            severity,
            state: State::Resolved,
            summary: summary.clone(),
            labels: identity.labels,
            event: None,
        });
        let wall_time = self.now.wall_time;
        let alerts = alerts.map(|alert| (alert, None, wall_time));
        Ok(self.apply_effects(sink, |effects| effects.alerts(alerts))?)
    }
}
