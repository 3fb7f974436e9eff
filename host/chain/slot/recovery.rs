//! After a fault: the event is looked for that the plugin failed on, another instance takes the place
//! of the one that failed, and who fails too often is left out for a while.

use std::time::Duration;

use super::Done;
use super::Slot;
use super::Tally;
use crate::chain::ChainError;
use crate::chain::Sink;
use crate::chain::active_alerts::Identity;
use crate::chain::report;
use crate::chain::report::Blame;
use crate::chain::report::Restart;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::OnFault;
use crate::plugin::Snapshot;
use crate::plugin::StagedAlert;
use crate::plugin::StartError;
use crate::plugin::runtime::cpu;
use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::stream::batch::Batch;

impl Slot {
    /// The plugin has failed on this batch. It is tried again by halves, and the parts are put
    /// together again. `before`: the CPU time that it had used before this batch.
    pub(super) fn search<S: Sink>(
        &mut self,
        batch: &mut Batch,
        fault: Fault,
        before: Duration,
        tally: &mut Tally,
        sink: &mut S,
    ) -> Done {
        let mut parts = vec![std::mem::take(batch)];
        let mut failed = Some(fault);
        // A fault of several events, as long as none of them is found to be the cause.
        let mut unexplained = None;
        // The chain waits meanwhile, and each try may take as long as a call may, and a start.
        let allowed = 2 * self.prepared.spec().limits.time;
        let mut not_tried = 0;
        while let Some(mut part) = parts.pop() {
            let result = match failed.take() {
                Some(fault) => Some(Err(fault)),
                None if self.usage.total().saturating_sub(before) > allowed => None,
                None => self.call_process(&mut part),
            };
            match result {
                // There is no time left, or it is in quarantine by now.
                None => {
                    not_tried += part.len();
                    self.pass_by(&mut part, tally);
                }
                Some(Ok(outcome)) => {
                    self.commit(&mut part, outcome, tally, sink)?;
                    self.take_snapshot(sink)?;
                }
                Some(Err(fault)) => {
                    let restart = self.restart(&fault, sink)?;
                    // What takes too long would take too long again, eight times.
                    let split =
                        part.len() > 1 && !fault.is_deadline() && restart != Restart::Failed;
                    let blame = Blame::new(fault, report::about(&part));
                    if split {
                        unexplained.get_or_insert(blame);
                        parts.push(part.split_off(part.len() / 2));
                        parts.push(part);
                        continue;
                    }
                    unexplained = None;
                    report::fault(&blame, self.on_fault(), restart);
                    self.pass_by(&mut part, tally);
                    self.count_fault(sink)?;
                }
            }
            batch.append(&part);
        }
        if not_tried > 0 && self.instance.is_some() {
            report::search_ended(self.name(), not_tried, self.on_fault());
        }
        if let Some(blame) = unexplained {
            report::not_found(&blame);
            self.count_fault(sink)?;
        }
        Ok(())
    }

    /// It has failed in a call that was about no event.
    pub(super) fn failed<S: Sink>(&mut self, fault: Fault, sink: &mut S) -> Done {
        let blame = |fault| Blame::new(fault, String::new());
        if self.on_fault() == OnFault::Stop {
            self.usage.fault(fault.cause.name());
            return Err(blame(fault).into());
        }
        let restart = self.restart(&fault, sink)?;
        report::fault(&blame(fault), self.on_fault(), restart);
        self.count_fault(sink)
    }

    /// One that has no instance is in quarantine already.
    fn count_fault<S: Sink>(&mut self, sink: &mut S) -> Done {
        if self.instance.is_some()
            && let Some(back_off) = self.quarantine.fault(self.now.time)
        {
            self.leave_out(sink)?;
            report::quarantined(self.name(), back_off);
        }
        Ok(())
    }

    /// The instance has failed: another takes its place.
    pub(super) fn restart<S: Sink>(
        &mut self,
        fault: &Fault,
        sink: &mut S,
    ) -> Result<Restart, ChainError> {
        self.usage.fault(fault.cause.name());
        self.usage.restarts += 1;
        // Its memory goes before that of the next one comes.
        self.instance = None;
        self.freed = true;
        let (started, restart) = self.start_anew();
        match started {
            Ok(instance) => self.install(instance),
            Err(error) => {
                report::not_started(self.name(), &error);
                self.quarantine.begin(self.now.time);
                self.leave_out(sink)?;
                return Ok(Restart::Failed);
            }
        }
        let forgotten = match restart {
            Restart::Restored => self.active_alerts.take_unsaved(),
            _ => self.active_alerts.take_all(),
        };
        self.resolve(forgotten, "was started anew and knows nothing of it", sink)?;
        if restart == Restart::Refused {
            // A fault of its own, or it could fail without end on what it saves itself.
            self.count_fault(sink)?;
        }
        Ok(match self.instance {
            Some(_) => restart,
            None => Restart::Failed,
        })
    }

    /// With what the other one knew, or else with nothing.
    fn start_anew(&mut self) -> (Result<Instance, StartError>, Restart) {
        let Some(snapshot) = self.snapshot.take() else {
            return (self.start_instance(None), Restart::Empty);
        };
        match self.start_instance(Some(&snapshot)) {
            Ok(instance) => {
                self.snapshot = Some(snapshot);
                (Ok(instance), Restart::Restored)
            }
            Err(error) => {
                report::not_restored(self.name(), &error);
                (self.start_instance(None), Restart::Refused)
            }
        }
    }

    /// An instance to take the place of another one. It may fail before it is one: that counts, too.
    fn start_instance(&mut self, snapshot: Option<&Snapshot>) -> Result<Instance, StartError> {
        let before = cpu::now();
        let started = self.prepared.instance(snapshot, self.earlier.clock);
        self.usage.other(cpu::now().saturating_sub(before));
        if let Err(StartError::Fault(fault)) = &started {
            self.usage.fault(fault.cause.name());
        }
        started
    }

    pub(super) fn install(&mut self, instance: Instance) {
        self.usage.memory(instance.memory());
        self.instance = Some(instance);
    }

    /// Without an instance, and without what it knew: it will have missed too much.
    pub(super) fn leave_out<S: Sink>(&mut self, sink: &mut S) -> Done {
        self.instance = None;
        self.snapshot = None;
        self.usage.memory((0, 0));
        let forgotten = self.active_alerts.take_all();
        self.resolve(forgotten, "is in quarantine", sink)
    }

    pub(super) fn end_quarantine(&mut self) {
        if self.instance.is_some() || !self.quarantine.is_over(self.now.time) {
            return;
        }
        self.usage.restarts += 1;
        match self.start_instance(None) {
            Ok(instance) => {
                report::tried_again(self.name());
                self.install(instance);
            }
            Err(error) => {
                report::not_started(self.name(), &error);
                self.quarantine.begin(self.now.time);
            }
        }
    }

    /// Resolves alerts in the plugin's place.
    pub(super) fn resolve<S: Sink>(
        &mut self,
        alerts: Vec<(Identity, Severity)>,
        reason: &str,
        sink: &mut S,
    ) -> Done {
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
        Ok(self.take_effect(sink, |effects| effects.alerts(alerts))?)
    }
}
