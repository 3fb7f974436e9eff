//! One plugin's place in the chain. Whatever the plugin does, events go on or are counted.
//!
//! A fault ends an instance. A new instance replaces it, with the state that was saved last. The batch is retried in
//! halves, until the event on which the plugin fails is found. A plugin that fails too often is in quarantine for a
//! while.

mod handover;
mod recovery;

use std::io;
use std::sync::Arc;

use super::active_alerts::ActiveAlerts;
use super::commit::Effects;
use super::error::ChainError;
use super::own_metrics::OwnMetrics;
use super::quarantine::Quarantine;
use super::resource_usage::Usage;
use crate::plugin::CallContext;
use crate::plugin::Fault;
use crate::plugin::Instance;
use crate::plugin::OnFault;
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::plugin::Prepared;
use crate::plugin::Snapshot;
use crate::plugin::Staged;
use crate::plugin::TimerContext;
use crate::plugin::runtime::cpu_clock;
use crate::sink::Sink;
use crate::stats::counters::ChainStats;
use crate::stats::counters::PluginStats;
use crate::stats::counters::PluginUsage;
use crate::stream::batch::Batch;
use crate::stream::census::Census;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;
use crate::system::heap;

/// A plugin, its running instance, and everything that the host records about it.
pub(super) struct Slot {
    prepared: Prepared,
    /// `None` while it is in quarantine.
    instance: Option<Instance>,
    /// The state that was saved last.
    snapshot: Option<Snapshot>,
    quarantine: Quarantine,
    active_alerts: ActiveAlerts,
    /// The context of the next call with events.
    context: CallContext,
    /// The censuses of the next call of a timer.
    censuses: Vec<Arc<Census>>,
    /// Time of the latest event or mark. Quarantine is measured by it.
    now: Moment,
    stats: PluginStats,
    usage: Usage,
    metrics: OwnMetrics,
    /// Whether an instance was dropped since the last tick. The host then returns the freed memory to the system.
    memory_freed: bool,
}

/// Counts what happened to the events of a batch.
#[derive(Default)]
struct Tally {
    kept: u64,
    dropped: u64,
    passed_unseen: u64,
    lost: u64,
}

type ChainResult = Result<(), ChainError>;

impl Slot {
    pub(super) fn new(plugin: Plugin) -> Slot {
        let Plugin { prepared, instance } = plugin;
        let mut usage = Usage::new();
        usage.record_memory(instance.memory());
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
            context: CallContext::default(),
            censuses: Vec::new(),
            now: Moment::default(),
            usage,
            metrics: OwnMetrics::default(),
            memory_freed: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.stats.name
    }

    /// Sets the time that the plugin's clocks show from the next call on.
    pub(super) fn set_clock(&mut self, clock: Moment) {
        self.context.clock = clock;
    }

    /// Sets the censuses that the next call of a timer finds. A call that fails has lost them.
    pub(super) fn set_censuses(&mut self, censuses: &[Arc<Census>]) {
        self.censuses = censuses.to_vec();
    }

    /// Counts events that were lost before the next call.
    pub(super) fn note_lost(&mut self, lost: u64) {
        self.context.lost = self.context.lost.saturating_add(lost);
    }

    /// Counts events that arrived after the chain has ended, as lost.
    pub(super) fn count_lost(&mut self, events: u64) {
        self.stats.events += events;
        self.stats.lost += events;
    }

    /// Logs how many log lines were suppressed since the last line that was logged.
    pub(super) fn log_suppressed(&self) {
        self.prepared.log_suppressed();
    }

    /// What happened to the events of the plugin.
    pub(super) fn counts(&self) -> &PluginStats {
        &self.stats
    }

    /// Adds usage and own metrics of the plugin to the statistics of the chain. Returns what happened to its events.
    pub(super) fn report(&self, chain: &mut ChainStats) -> &PluginStats {
        chain.usage.push(PluginUsage {
            is_in_quarantine: self.instance.is_none(),
            metrics_refused: self.metrics.refused(),
            ..self.usage.stats(&self.stats.name)
        });
        self.metrics.report(&self.stats.name, chain);
        &self.stats
    }

    /// Ends the plugin, which is removed from the chain: calls `finish`, and resolves its alerts.
    pub(super) fn end<S: Sink>(&mut self, mark: &Mark, sink: &mut S) -> ChainResult {
        self.set_clock(mark.now());
        self.finish(mark, sink)?;
        self.instance = None;
        self.snapshot = None;
        self.usage.record_memory((0, 0));
        self.log_suppressed();
        let active = self.active_alerts.take_all();
        self.resolve(active, "was removed from the configuration", sink)
    }

    /// The slot of a plugin with the name of this one, which was removed before. It goes on with the counts.
    pub(super) fn started_again(self, plugin: Plugin) -> Slot {
        let mut usage = self.usage;
        usage.record_memory(plugin.instance.memory());
        Slot {
            stats: self.stats,
            usage,
            metrics: self.metrics,
            ..Slot::new(plugin)
        }
    }

    /// Processes a batch. Afterwards it contains the events that go on.
    pub(super) fn process<S: Sink>(&mut self, batch: &mut Batch, sink: &mut S) -> ChainResult {
        let count = batch.len() as u64;
        self.stats.events += count;
        self.now = batch.now();
        self.context.label_bytes = 0;
        let mut tally = Tally::default();
        let done = self.call_and_commit(batch, &mut tally, sink);
        if done.is_err() {
            self.stats.lost += count;
            return done;
        }
        self.stats.kept += tally.kept;
        self.stats.dropped += tally.dropped;
        self.stats.passed_unseen += tally.passed_unseen;
        self.stats.lost += tally.lost;
        done
    }

    fn call_and_commit<S: Sink>(
        &mut self,
        batch: &mut Batch,
        tally: &mut Tally,
        sink: &mut S,
    ) -> ChainResult {
        self.end_quarantine();
        let before = self.usage.total();
        match self.call_process(batch) {
            None => {
                self.apply_fault_action(batch, tally);
                Ok(())
            }
            Some(Ok(outcome)) => self.commit(batch, outcome, tally, sink),
            Some(Err(fault)) if self.on_fault() == OnFault::Stop => {
                Err(self.report_end(batch, fault).into())
            }
            Some(Err(fault)) => self.search_batch(batch, fault, before, tally, sink),
        }
    }

    /// Calls `process`. Returns `None` if there is no instance.
    #[inline]
    fn call_process(&mut self, batch: &mut Batch) -> Option<Result<Outcome, Fault>> {
        let context = self.context;
        self.call(|instance| instance.process(batch, context))
    }

    /// Calls the instance, and records the CPU time and memory of the call. A call that succeeds has received the
    /// number of lost events.
    #[inline]
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Option<Result<R, Fault>> {
        let instance = self.instance.as_mut()?;
        let result = call(instance);
        self.usage.record_call(instance.last_call_cpu_time());
        self.usage.record_memory(instance.memory());
        if result.is_ok() {
            self.context.lost = 0;
        }
        Some(result)
    }

    fn commit<S: Sink>(
        &mut self,
        batch: &mut Batch,
        outcome: Outcome,
        tally: &mut Tally,
        sink: &mut S,
    ) -> ChainResult {
        let count = batch.len() as u64;
        if outcome.has_no_effect() {
            tally.kept += count;
            return Ok(());
        }
        self.context.label_bytes += outcome.staged.label_bytes;
        let changed = self.apply_effects(sink, |effects| effects.commit(batch, outcome))?;
        self.usage.changed += changed;
        let kept = batch.len() as u64;
        tally.kept += kept;
        tally.dropped += count - kept;
        Ok(())
    }

    /// Applies effects of a call. The time that this takes is charged to the plugin.
    #[inline]
    fn apply_effects<S, R>(
        &mut self,
        sink: &mut S,
        effect: impl FnOnce(&mut Effects<S>) -> io::Result<R>,
    ) -> io::Result<R> {
        let before = cpu_clock::now();
        let result = effect(&mut Effects {
            plugin: &self.stats.name,
            is_coloured: self.prepared.is_coloured(),
            active_alerts: &mut self.active_alerts,
            metrics: &mut self.metrics,
            sink,
        });
        self.usage
            .add_other_time(cpu_clock::now().saturating_sub(before));
        result
    }

    /// Applies the action for faults to events that the plugin does not see, or on which it has failed.
    fn apply_fault_action(&self, batch: &mut Batch, tally: &mut Tally) {
        let events = batch.len() as u64;
        match self.on_fault() {
            OnFault::Pass | OnFault::Stop => tally.passed_unseen += events,
            OnFault::Drop => {
                tally.lost += events;
                batch.retain(|_| false);
            }
        }
    }

    /// Returns whether a live run makes a census for the plugin.
    pub(super) fn asks_for_census(&self) -> bool {
        self.prepared.asks_for_census()
    }

    /// Returns whether the plugin was granted files.
    pub fn reads_files(&self) -> bool {
        !self.prepared.spec().grants.read.is_empty()
    }

    fn on_fault(&self) -> OnFault {
        self.prepared.spec().on_fault
    }

    /// Calls `tick`, and saves the state.
    pub(super) fn tick<S: Sink>(&mut self, mark: &Mark, sink: &mut S) -> ChainResult {
        self.now = mark.now();
        self.end_quarantine();
        self.call_timer(mark, Instance::tick, sink)?;
        self.take_snapshot(sink)?;
        if std::mem::take(&mut self.memory_freed) {
            heap::give_back();
        }
        Ok(())
    }

    /// Calls `finish` at the end of the stream. Active alerts stay active: the end of the stream is not the end of the
    /// problem that an alert reports.
    pub(super) fn finish<S: Sink>(&mut self, mark: &Mark, sink: &mut S) -> ChainResult {
        self.now = mark.now();
        self.call_timer(mark, Instance::finish, sink)
    }

    fn call_timer<S: Sink>(
        &mut self,
        mark: &Mark,
        function: fn(&mut Instance, &Mark, TimerContext) -> Result<Staged, Fault>,
        sink: &mut S,
    ) -> ChainResult {
        self.note_lost(mark.lost);
        let censuses = std::mem::take(&mut self.censuses);
        if !self.instance.as_ref().is_some_and(Instance::has_timer) {
            return Ok(());
        }
        let context = TimerContext {
            lost: self.context.lost,
            censuses,
        };
        match self.call(|instance| function(instance, mark, context)) {
            None => Ok(()),
            Some(Ok(staged)) => {
                let wall_time = mark.wall_time;
                Ok(self.apply_effects(sink, |effects| effects.commit_timer(staged, wall_time))?)
            }
            Some(Err(fault)) => self.handle_fault(fault, sink),
        }
    }
}
