//! The receivers that there are, those that are being ended, and what those before them have counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::config::ConfigError;
use super::courier::Desk;
use super::outlet::Outlet;
use super::outlet::Receiver;
use super::outlet::Running;
use super::outlet::Task;
use crate::alert::Alert;
use crate::counted::Counted;
use crate::moment::Clock;
use crate::moment::Moment;
use crate::otlp::Latest;
use crate::otlp::Logs;

/// The receivers of a host.
#[derive(Default)]
pub(super) struct Receivers {
    /// They get what is sent. In the order of the configuration.
    current: Vec<Arc<Outlet>>,
    /// They deliver what is queued.
    ending: Vec<Arc<Outlet>>,
    /// The counters of those that have ended.
    ended: Vec<Counted>,
    /// Nothing changes any more.
    is_closed: bool,
}

/// What the thread is to do.
pub(super) struct Step {
    /// First it ends this one,
    pub(super) end: Option<Gone>,
    /// and then it starts this one, which takes its place.
    pub(super) start: Option<(Arc<Outlet>, Vec<Task>)>,
}

/// A receiver that is gone.
pub(super) struct Gone {
    pub(super) outlet: Arc<Outlet>,
    /// The time that it has for what is queued.
    pub(super) timeout: Duration,
}

/// The receivers that there are to be.
pub(super) struct Next {
    /// All of them, in their order.
    outlets: Vec<Arc<Outlet>>,
    /// What is to be started and ended.
    steps: Vec<Step>,
}

/// What has become of the receivers by [`Outlets::change`](super::Outlets::change). One whose configuration has changed is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Names of those that are new.
    pub started: Vec<String>,
    /// Names of those that are gone.
    pub ended: Vec<String>,
}

impl Changed {
    /// Returns whether all receivers are the same as before.
    pub fn is_empty(&self) -> bool {
        self.started.is_empty() && self.ended.is_empty()
    }
}

/// Finds out which of the `current` receivers stay, and prepares what is new.
pub(super) fn next(
    current: &[Arc<Outlet>],
    wanted: Vec<Receiver>,
    clock: Clock,
    running: &Arc<Running>,
    timeout: Duration,
) -> Result<Next, ConfigError> {
    let mut gone = current.to_vec();
    let mut outlets = Vec::with_capacity(wanted.len());
    let mut new = Vec::new();
    let mut staying = Vec::new();
    for receiver in wanted {
        let same = gone.iter().position(|outlet| outlet.is(&receiver));
        outlets.push(match same {
            Some(place) => {
                let outlet = gone.remove(place);
                staying.push((Arc::clone(&outlet), receiver));
                outlet
            }
            None => {
                let (outlet, couriers) = receiver.prepare(clock, running)?;
                let outlet = Arc::new(outlet);
                new.push((Arc::clone(&outlet), couriers));
                outlet
            }
        });
    }
    // From here on nothing can fail.
    for (outlet, receiver) in staying {
        outlet.learn(&receiver);
    }
    let ended = |outlet| Gone { outlet, timeout };
    let mut steps = Vec::new();
    for start in new {
        let old = gone
            .iter()
            .position(|outlet| outlet.name() == start.0.name());
        steps.push(Step {
            end: old.map(|place| ended(gone.remove(place))),
            start: Some(start),
        });
    }
    steps.extend(gone.into_iter().map(|outlet| Step {
        end: Some(ended(outlet)),
        start: None,
    }));
    Ok(Next { outlets, steps })
}

impl Next {
    /// What is new, and what is gone.
    pub(super) fn changed(&self) -> Changed {
        let name = |outlet: &Outlet| outlet.name().to_owned();
        let started = self.steps.iter().filter_map(|step| step.start.as_ref());
        let ended = self.steps.iter().filter_map(|step| step.end.as_ref());
        Changed {
            started: started.map(|(outlet, _)| name(outlet)).collect(),
            ended: ended.map(|gone| name(&gone.outlet)).collect(),
        }
    }
}

impl Receivers {
    /// Those that get what is sent.
    pub(super) fn current(&self) -> &[Arc<Outlet>] {
        &self.current
    }

    /// Makes a change: what is sent from now on goes to those that there are then. Returns what the thread is to do.
    /// `None`: all are closed, and nothing changes.
    pub(super) fn change(&mut self, next: Next) -> Option<Vec<Step>> {
        if self.is_closed {
            return None;
        }
        self.current = next.outlets;
        for gone in next.steps.iter().filter_map(|step| step.end.as_ref()) {
            gone.outlet.desks.iter().for_each(|desk| desk.close());
            self.ending.push(Arc::clone(&gone.outlet));
        }
        Some(next.steps)
    }

    /// From now on only what is queued is delivered, and nothing changes.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        let desks = self.current.iter().flat_map(|outlet| &outlet.desks);
        desks.for_each(|desk| desk.close());
    }

    /// Takes the counters of one that has ended. Returns the name and the number of what it has not delivered, which counts
    /// as failed.
    pub(super) fn settle(&mut self, outlet: &Arc<Outlet>) -> Vec<(String, u64)> {
        self.ending.retain(|other| !Arc::ptr_eq(other, outlet));
        let mut failed = Vec::new();
        for mut counted in counters(outlet) {
            if counted.queued > 0 {
                failed.push((counted.name.clone(), counted.queued));
                counted.fail(counted.queued);
            }
            add(&mut self.ended, counted);
        }
        failed
    }

    /// Hands over alerts, each with whether the limit lets it through.
    pub(super) fn accept(&self, alerts: &[(&Alert, bool)], now: Moment) {
        let desks = self.current.iter().flat_map(|outlet| &outlet.desks);
        desks.for_each(|desk| desk.accept(alerts, now));
    }

    /// The desks that take events.
    pub(super) fn logs(&self) -> impl Iterator<Item = &Arc<Desk<Logs>>> {
        self.current
            .iter()
            .filter_map(|outlet| outlet.logs.as_ref())
    }

    /// The desks that take metrics.
    pub(super) fn metrics(&self) -> impl Iterator<Item = &Arc<Desk<Latest>>> {
        self.current
            .iter()
            .filter_map(|outlet| outlet.metrics.as_ref())
    }

    /// The files that are read again during the run.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let files = self.current.iter().flat_map(|outlet| &outlet.files);
        files.cloned().collect()
    }

    /// All counters. Those of what is gone follow, unless there is one of the same name.
    pub(super) fn counted(&self) -> Vec<Counted> {
        let mut all: Vec<Counted> = self.current.iter().flat_map(counters).collect();
        let ending = self.ending.iter().flat_map(counters);
        let ended = self.ended.iter().cloned();
        ended
            .chain(ending)
            .for_each(|counted| add(&mut all, counted));
        all
    }
}

fn counters(outlet: &Arc<Outlet>) -> impl Iterator<Item = Counted> {
    outlet.desks.iter().flat_map(|desk| desk.counted())
}

/// Adds counters to those of the same name.
fn add(all: &mut Vec<Counted>, counted: Counted) {
    match all.iter_mut().find(|other| other.name == counted.name) {
        Some(same) => same.add(counted),
        None => all.push(counted),
    }
}
