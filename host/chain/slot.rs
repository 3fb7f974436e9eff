//! One plugin's place in the chain: whatever it does, the events go on and are accounted for.
//!
//! A fault is the end of an instance. A new one takes its place, with what the old one knew when it
//! was last asked; the batch is tried again by halves until the event is found that it fails on.
//! Who fails too often is left out for a while.

mod handover;
mod recovery;

use std::io;

use super::ChainError;
use super::active_alerts::ActiveAlerts;
use super::commit::Counters;
use super::commit::Effects;
use super::quarantine::Quarantine;
use super::report;
use super::report::Blame;
use super::usage::Usage;
use crate::plugin::Earlier;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::OnFault;
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::plugin::Prepared;
use crate::plugin::Snapshot;
use crate::plugin::Staged;
use crate::plugin::runtime::cpu;
use crate::sink::Sink;
use crate::stats::counters::PluginStats;
use crate::stats::counters::PluginUsage;
use crate::stream::batch::Batch;
use crate::stream::batch::Mark;
use crate::stream::batch::Moment;
use crate::system::heap;

/// A plugin, and all that is known of it.
pub(super) struct Slot {
    prepared: Prepared,
    /// `None` while it is in quarantine.
    instance: Option<Instance>,
    /// What it knew when it was last asked.
    snapshot: Option<Snapshot>,
    quarantine: Quarantine,
    active_alerts: ActiveAlerts,
    /// What came before the next call with events.
    earlier: Earlier,
    /// Time of the latest event or mark: by it, the time in quarantine is measured.
    now: Moment,
    stats: PluginStats,
    usage: Usage,
    counters: Counters,
    /// An instance has gone since the last tick, and what the host had for it.
    freed: bool,
}

/// What became of a batch's events.
#[derive(Default)]
struct Tally {
    kept: u64,
    dropped: u64,
    passed_unseen: u64,
    lost: u64,
}

type Done = Result<(), ChainError>;

impl Slot {
    pub(super) fn new(plugin: Plugin) -> Slot {
        let Plugin { prepared, instance } = plugin;
        let mut usage = Usage::new();
        usage.memory(instance.memory());
        Slot {
            stats: PluginStats {
                name: prepared.spec().name.clone(),
                ..PluginStats::default()
            },
            prepared,
            instance: Some(instance),
            snapshot: None,
            quarantine: Quarantine::new(),
            active_alerts: ActiveAlerts::default(),
            earlier: Earlier::default(),
            now: Moment::default(),
            usage,
            counters: Counters::default(),
            freed: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.stats.name
    }

    /// Notes what clocks show from the next call on.
    pub(super) fn set_clock(&mut self, clock: Moment) {
        self.earlier.clock = clock;
    }

    /// Notes events that were lost before the next call.
    pub(super) fn note_lost(&mut self, lost: u64) {
        self.earlier.lost = self.earlier.lost.saturating_add(lost);
    }

    /// Counts events that come after the chain has ended.
    pub(super) fn lose(&mut self, events: u64) {
        self.stats.events += events;
        self.stats.lost += events;
    }

    /// Logs how many log lines were suppressed since the last one that was not.
    pub(super) fn log_suppressed(&self) {
        self.prepared.log_suppressed();
    }

    /// Its page of the ledger, what it has used, and its own counters.
    pub(super) fn stats(&self) -> (&PluginStats, PluginUsage, &Counters) {
        let usage = self.usage.stats(&self.stats.name);
        (&self.stats, usage, &self.counters)
    }

    /// Gives it a batch, which ends up with the events that go on.
    pub(super) fn process<S: Sink>(&mut self, batch: &mut Batch, sink: &mut S) -> Done {
        let given = batch.len() as u64;
        self.stats.events += given;
        self.now = batch.now();
        self.earlier.label_bytes = 0;
        let mut tally = Tally::default();
        let done = self.work(batch, &mut tally, sink);
        if done.is_err() {
            self.stats.lost += given;
            return done;
        }
        self.stats.kept += tally.kept;
        self.stats.dropped += tally.dropped;
        self.stats.passed_unseen += tally.passed_unseen;
        self.stats.lost += tally.lost;
        done
    }

    fn work<S: Sink>(&mut self, batch: &mut Batch, tally: &mut Tally, sink: &mut S) -> Done {
        self.end_quarantine();
        let before = self.usage.total();
        match self.call_process(batch) {
            None => {
                self.pass_by(batch, tally);
                Ok(())
            }
            Some(Ok(outcome)) => self.commit(batch, outcome, tally, sink),
            Some(Err(fault)) if self.on_fault() == OnFault::Stop => {
                self.usage.fault(fault.cause.name());
                Err(Blame::new(fault, report::about(batch)).into())
            }
            Some(Err(fault)) => self.search(batch, fault, before, tally, sink),
        }
    }

    /// `None`: there is no instance.
    #[inline]
    fn call_process(&mut self, batch: &mut Batch) -> Option<Result<Outcome, Fault>> {
        let earlier = self.earlier;
        self.call(|instance| instance.process(batch, earlier))
    }

    /// Calls the instance, and notes what that took. A call that returned well has heard of losses.
    #[inline]
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Option<Result<R, Fault>> {
        let instance = self.instance.as_mut()?;
        let result = call(instance);
        self.usage.call(instance.last_call());
        self.usage.memory(instance.memory());
        if result.is_ok() {
            self.earlier.lost = 0;
        }
        Some(result)
    }

    fn commit<S: Sink>(
        &mut self,
        batch: &mut Batch,
        outcome: Outcome,
        tally: &mut Tally,
        sink: &mut S,
    ) -> Done {
        let given = batch.len() as u64;
        if outcome.is_silent() {
            tally.kept += given;
            return Ok(());
        }
        self.earlier.label_bytes += outcome.staged.label_bytes;
        let changed = self.take_effect(sink, |effects| effects.commit(batch, outcome))?;
        self.usage.changed += changed;
        let kept = batch.len() as u64;
        tally.kept += kept;
        tally.dropped += given - kept;
        Ok(())
    }

    /// What the plugin said takes effect. That is time it has caused, too.
    #[inline]
    fn take_effect<S, R>(
        &mut self,
        sink: &mut S,
        effect: impl FnOnce(&mut Effects<S>) -> io::Result<R>,
    ) -> io::Result<R> {
        let before = cpu::now();
        let result = effect(&mut Effects {
            plugin: &self.stats.name,
            active_alerts: &mut self.active_alerts,
            counters: &mut self.counters,
            sink,
        });
        self.usage.other(cpu::now().saturating_sub(before));
        result
    }

    /// Events that the plugin does not see, or that it has failed on.
    fn pass_by(&self, batch: &mut Batch, tally: &mut Tally) {
        let events = batch.len() as u64;
        match self.on_fault() {
            OnFault::Pass | OnFault::Stop => tally.passed_unseen += events,
            OnFault::Drop => {
                tally.lost += events;
                batch.retain(|_| false);
            }
        }
    }

    fn on_fault(&self) -> OnFault {
        self.prepared.spec().on_fault
    }

    /// Tells it that time has passed, and asks it what it knows.
    pub(super) fn tick<S: Sink>(&mut self, mark: &Mark, sink: &mut S) -> Done {
        self.now = mark.now();
        self.end_quarantine();
        self.call_timer(mark, Instance::tick, sink)?;
        self.take_snapshot(sink)?;
        if std::mem::take(&mut self.freed) {
            heap::give_back();
        }
        Ok(())
    }

    /// Tells it that the stream has ended. Its alerts go on firing: that is not the end of the
    /// trouble.
    pub(super) fn finish<S: Sink>(&mut self, mark: &Mark, sink: &mut S) -> Done {
        self.now = mark.now();
        self.call_timer(mark, Instance::finish, sink)
    }

    fn call_timer<S: Sink>(
        &mut self,
        mark: &Mark,
        function: fn(&mut Instance, &Mark, u64) -> Result<Staged, Fault>,
        sink: &mut S,
    ) -> Done {
        self.note_lost(mark.lost);
        if !self.instance.as_ref().is_some_and(Instance::has_timer) {
            return Ok(());
        }
        let lost = self.earlier.lost;
        match self.call(|instance| function(instance, mark, lost)) {
            None => Ok(()),
            Some(Ok(staged)) => {
                let wall_time = mark.wall_time;
                Ok(self.take_effect(sink, |effects| effects.commit_timer(staged, wall_time))?)
            }
            Some(Err(fault)) => self.failed(fault, sink),
        }
    }
}
