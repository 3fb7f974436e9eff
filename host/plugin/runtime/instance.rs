//! An instance of a plugin: a wasmtime store, and calls into it.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::UpdateDeadline;
use wasmtime::component::TypedFunc;

use super::census_parts::CensusParts;
use super::contract::Exports;
use super::exports::Answer;
use super::exports::ExportLookup;
use super::exports::Restore;
use super::exports::StateExports;
use super::exports::TimerExports;
use super::exports::call;
use super::fault::Cause;
use super::fault::Export;
use super::fault::Fault;
use super::files_read::FilesRead;
use super::limiters::CpuDeadline;
use super::limiters::LogBudget;
use super::outcome::Outcome;
use super::samples::Samples;
use super::staged_effects::Staged;
use super::store::Call;
use super::store::CallContext;
use super::store::HostState;
use super::store::TimerContext;
use crate::plugin::load::LoadError;
use crate::plugin::load::Loaded;
use crate::plugin::load::epochs;
use crate::plugin::load::epochs::RunningCall;
use crate::plugin::spec::Spec;
use crate::plugin::spec::grants::GrantError;
use crate::stream::batch::Batch;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;
use crate::system::sanitize::one_line;
use crate::system::sanitize::printable;

/// A running instance. It cannot be used after a fault, because a trap poisons the whole store.
pub struct Instance {
    name: String,
    store: Store<HostState>,
    exports: Exports,
    timer: Option<TimerExports>,
    state: Option<StateExports>,
}

/// The saved state of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Version of the format, which belongs to the plugin.
    pub version: u32,
    /// The state. The host does not interpret it.
    pub bytes: Vec<u8>,
}

/// Why an instance could not be made.
pub(crate) enum InstanceError {
    /// Types of its exports do not match the contract.
    Load(LoadError),
    /// A granted variable or directory does not exist.
    Grant(GrantError),
    /// A call failed.
    Fault(Fault),
}

impl From<GrantError> for InstanceError {
    fn from(error: GrantError) -> InstanceError {
        InstanceError::Grant(error)
    }
}

impl From<wasmtime::Error> for InstanceError {
    fn from(error: wasmtime::Error) -> InstanceError {
        InstanceError::Load(LoadError::Mismatch(one_line(&error)))
    }
}

impl From<Fault> for InstanceError {
    fn from(fault: Fault) -> InstanceError {
        InstanceError::Fault(fault)
    }
}

impl Instance {
    /// Makes an instance that is not configured yet.
    pub(crate) fn new(
        spec: &Spec,
        loaded: &Loaded,
        log_lines: &LogBudget,
    ) -> Result<Instance, InstanceError> {
        let mut store = Instance::store(spec, loaded.pre.engine(), log_lines)?;
        store.data_mut().run = loaded.run.clone();
        begin_call(&mut store, spec.limits.start_time, Call::default());
        let instance = loaded.pre.instantiate(&mut store);
        let instance = end_call(&mut store, &spec.name, Export::Instantiate, instance)?;
        let exports = loaded.exports.load(&mut store, &instance)?;
        let mut lookup = ExportLookup {
            store: &mut store,
            instance: &instance,
        };
        let timer = loaded.timer.as_deref().map(|name| lookup.timer(name));
        let timer = timer.transpose()?;
        let state = loaded.state.as_deref().map(|name| lookup.state(name));
        let state = state.transpose()?;
        Ok(Instance {
            name: spec.name.clone(),
            store,
            exports,
            timer,
            state,
        })
    }

    /// Returns a store for an instance, with its limits and its deadline.
    pub(crate) fn store(
        spec: &Spec,
        engine: &wasmtime::Engine,
        log_lines: &LogBudget,
    ) -> Result<Store<HostState>, GrantError> {
        let granted = spec.grants.resolve()?;
        let state = HostState::new(&spec.name, spec.limits, granted, log_lines.clone());
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(spec.limits.output);
        store.epoch_deadline_callback(|store| {
            if let Some(samples) = &store.data().samples {
                samples.take(&store);
            }
            store.data().deadline.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        Ok(store)
    }

    /// Calls `describe`. Returns keys and values, such as the settings schema.
    pub(crate) fn describe(&mut self) -> Result<Vec<(String, String)>, Fault> {
        self.begin_start_call();
        let processor = self.exports.retrans_plugin_processor();
        let described = processor.call_describe(&mut self.store);
        end_call(&mut self.store, &self.name, Export::Describe, described)
    }

    /// Calls `configure` with a JSON object. If the plugin refuses the settings, the fault has [`Cause::PluginError`].
    /// Granted files can be opened during this call only.
    pub(crate) fn configure(&mut self, settings: &str) -> Result<(), InstanceError> {
        self.begin_start_call();
        self.store.data_mut().files.open_granted()?;
        let processor = self.exports.retrans_plugin_processor();
        let answer = processor.call_configure(&mut self.store, settings);
        self.store.data_mut().files.close_all();
        self.end_call(Export::Configure, answer)?;
        // Output is discarded, because there is no event yet that it could be about.
        self.store.data_mut().staged = Staged::default();
        Ok(())
    }

    /// Returns what the last call of `configure` has read of the granted files.
    pub fn files_read(&self) -> &FilesRead {
        self.store.data().files.read_so_far()
    }

    /// Calls `process` with a batch. The outcome is not applied to the batch yet.
    pub fn process(&mut self, batch: &mut Batch, context: CallContext) -> Result<Outcome, Fault> {
        let call = Call::with_events(batch, context);
        let (count, record_size) = (call.count, call.record_size);
        self.begin_call(call);
        self.store.data_mut().logs.hold();
        let processor = self.exports.retrans_plugin_processor();
        let answer = processor.call_process(&mut self.store, count, record_size, batch.records());
        batch.labels = std::mem::take(&mut self.store.data_mut().call.labels);
        let outcome = self.end_call(Export::Process, answer).and_then(|keep| {
            let staged = std::mem::take(&mut self.store.data_mut().staged);
            Outcome::check(keep, staged, count)
                .map_err(|bad| Fault::new(&self.name, Export::Process, bad))
        });
        let logs = &mut self.store.data_mut().logs;
        match outcome {
            Ok(outcome) => {
                logs.write_held();
                Ok(outcome)
            }
            Err(fault) => Err(Fault {
                log: Some(logs.take_held()),
                ..fault
            }),
        }
    }

    /// Calls `tick`, if it is exported.
    pub fn tick(&mut self, mark: &Mark, context: TimerContext) -> Result<Staged, Fault> {
        let tick = self.timer.as_ref().map(|timer| timer.tick);
        self.call_timer(Export::Tick, tick, mark, context)
    }

    /// Calls `finish` at the end of the stream, if it is exported.
    pub fn finish(&mut self, mark: &Mark, context: TimerContext) -> Result<Staged, Fault> {
        let finish = self.timer.as_ref().map(|timer| timer.finish);
        self.call_timer(Export::Finish, finish, mark, context)
    }

    /// Returns whether the plugin exports `tick` and `finish`.
    pub fn has_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// Returns whether the plugin exports `save` and `restore`.
    pub fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// Calls `save`. Returns `None` if it is not exported.
    pub fn save(&mut self, clock: Moment) -> Option<Result<Snapshot, Fault>> {
        let save = self.state.as_ref()?.save;
        let limits = self.store.data().limits;
        self.begin_call(Call::without_events(clock));
        self.store.set_hostcall_fuel(limits.state);
        let answer = call(&mut self.store, &save, ());
        self.store.set_hostcall_fuel(limits.output);
        let saved = self.end_call(Export::Save, answer);
        // Saving has no effects.
        self.store.data_mut().staged = Staged::default();
        Some(saved.map(|(version, bytes)| Snapshot { version, bytes }))
    }

    /// Calls `restore` with the state of another instance. Does nothing if it is not exported.
    pub fn restore(&mut self, snapshot: &Snapshot, clock: Moment) -> Result<(), Fault> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        let restore = state.restore;
        self.begin_call(Call::without_events(clock));
        let Snapshot { version, bytes } = snapshot;
        let answer = restore
            .typed::<Restore, (Answer,)>(&self.store)
            .and_then(|restore| call(&mut self.store, &restore, (*version, bytes.as_slice())));
        self.end_call(Export::Restore, answer)?;
        self.store.data_mut().staged = Staged::default();
        Ok(())
    }

    /// Returns the CPU time of the last call.
    pub fn last_call_cpu_time(&self) -> Duration {
        self.store.data().deadline.used()
    }

    /// Adds samples of the functions that run to `samples`, about one in each interval. Epochs of all engines get this
    /// length.
    pub fn sample_every(&mut self, interval: Duration, samples: &Samples) {
        epochs::set_interval(interval);
        self.store.data_mut().samples = Some(samples.clone());
    }

    /// Returns the size of linear memory in bytes: current and maximum.
    pub fn memory(&self) -> (usize, usize) {
        self.store.data().memory.memory()
    }

    fn call_timer(
        &mut self,
        export: Export,
        function: Option<TypedFunc<(u64,), (Answer,)>>,
        mark: &Mark,
        context: TimerContext,
    ) -> Result<Staged, Fault> {
        let Some(function) = function else {
            return Ok(Staged::default());
        };
        self.begin_call(Call {
            lost: context.lost,
            census: CensusParts::new(context.censuses),
            ..Call::without_events(mark.now())
        });
        let now = u64::try_from(mark.time.as_nanos()).unwrap_or(u64::MAX);
        let answer = call(&mut self.store, &function, (now,));
        self.end_call(export, answer)?;
        Ok(std::mem::take(&mut self.store.data_mut().staged))
    }

    fn begin_call(&mut self, call: Call) {
        let allowed = self.store.data().limits.time;
        begin_call(&mut self.store, allowed, call);
    }

    fn begin_start_call(&mut self) {
        let allowed = self.store.data().limits.start_time;
        begin_call(&mut self.store, allowed, Call::default());
    }

    /// Ends a call. Errors of wasmtime, and errors that the plugin returned, become faults.
    fn end_call<T>(
        &mut self,
        export: Export,
        answer: wasmtime::Result<Result<T, String>>,
    ) -> Result<T, Fault> {
        let answer = end_call(&mut self.store, &self.name, export, answer)?;
        answer.map_err(|message| {
            Fault::new(&self.name, export, Cause::PluginError(printable(&message)))
        })
    }
}

/// Begins a call: starts its deadline, and clears what an earlier call staged.
fn begin_call(store: &mut Store<HostState>, allowed: Duration, call: Call) {
    let state = store.data_mut();
    state.running = Some(RunningCall::begin());
    state.deadline = CpuDeadline::new(allowed);
    state.memory.begin_call();
    state.call = call;
    state.staged = Staged::default();
    store.set_epoch_deadline(1);
}

/// Ends a call: logs the rest of what the plugin printed, checks the deadline, and turns wasmtime's error into a fault.
fn end_call<T>(
    store: &mut Store<HostState>,
    plugin: &str,
    export: Export,
    answer: wasmtime::Result<T>,
) -> Result<T, Fault> {
    let state = store.data_mut();
    state.running = None;
    state.logs.flush();
    let in_time = state.deadline.end();
    let refused = state.memory.refused();
    let answer = answer.map_err(|error| Fault::from_wasmtime(plugin, export, &error, refused))?;
    // The deadline may have passed between two epochs, or within a host function.
    in_time.map_err(|missed| Fault::new(plugin, export, missed))?;
    Ok(answer)
}
