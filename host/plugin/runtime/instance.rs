//! An instance of a plugin: a store, and the calls into it.

use std::time::Duration;

use wasmtime::AsContextMut as _;
use wasmtime::Store;
use wasmtime::UpdateDeadline;
use wasmtime::component::ComponentNamedList;
use wasmtime::component::Func;
use wasmtime::component::Instance as WasmInstance;
use wasmtime::component::Lift;
use wasmtime::component::Lower;
use wasmtime::component::TypedFunc;

use super::bad_answer::BadAnswer;
use super::contract;
use super::contract::Exports;
use super::contract::Keep;
use super::fault::Cause;
use super::fault::Export;
use super::fault::Fault;
use super::meter::CpuDeadline;
use super::meter::LogBudget;
use super::staged::Staged;
use super::store::Call;
use super::store::Earlier;
use super::store::HostState;
use crate::plugin::load::LoadError;
use crate::plugin::load::Loaded;
use crate::plugin::spec::Spec;
use crate::plugin::spec::grants::GrantError;
use crate::stream::batch::Batch;
use crate::stream::batch::Mark;
use crate::stream::batch::Moment;
use crate::system::sanitize::one_line;
use crate::system::sanitize::printable;

/// A running instance. After a fault it is of no use any more: a trap poisons the whole store.
pub struct Instance {
    name: String,
    store: Store<HostState>,
    exports: Exports,
    timer: Option<TimerExports>,
    state: Option<StateExports>,
}

type Answer = Result<(), String>;

/// A version and bytes.
type Saved = Result<(u32, Vec<u8>), String>;

/// What a plugin exports that wants to hear the time.
struct TimerExports {
    tick: TypedFunc<(u64,), (Answer,)>,
    finish: TypedFunc<(u64,), (Answer,)>,
}

/// What a plugin exports whose state survives.
struct StateExports {
    save: TypedFunc<(), (Saved,)>,
    /// Takes a [`Restore`]: a typed function could not be kept, which borrows what it is called with.
    restore: Func,
}

/// A version and bytes.
type Restore<'a> = (u32, &'a [u8]);

/// What a plugin knows, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Of the format.
    pub version: u32,
    /// The plugin alone knows what they say.
    pub bytes: Vec<u8>,
}

/// What a call with events came to.
#[derive(Debug)]
pub struct Outcome {
    keep: Keep,
    /// What the plugin said meanwhile.
    pub staged: Staged,
}

impl Outcome {
    /// What a call about `count` events came to, if it fits together: what was staged was checked
    /// when it was said.
    pub(crate) fn check(keep: Keep, staged: Staged, count: u32) -> Result<Outcome, BadAnswer> {
        contract::check_keep(&keep, count)?;
        let outcome = Outcome { keep, staged };
        let mut changed = outcome.staged.changes.iter().flat_map(|(events, _)| events);
        match changed.find(|event| !outcome.keeps(**event as usize)) {
            Some(dropped) => Err(BadAnswer::ChangeDropped(*dropped)),
            None => Ok(outcome),
        }
    }

    /// Does the event with this number go on to the next plugin?
    pub fn keeps(&self, event: usize) -> bool {
        contract::keeps(&self.keep, event)
    }

    /// Do all go on?
    pub fn keeps_all(&self) -> bool {
        matches!(self.keep, Keep::All)
    }

    /// Do all go on as they are, and was nothing else said either?
    pub fn is_silent(&self) -> bool {
        self.keeps_all() && self.staged.is_empty()
    }
}

/// Why there is no instance.
pub(crate) enum NoInstance {
    /// Its types are not those of the contract.
    Load(LoadError),
    /// It was granted something that is not there.
    Grant(GrantError),
    /// It failed.
    Fault(Fault),
}

impl From<GrantError> for NoInstance {
    fn from(error: GrantError) -> NoInstance {
        NoInstance::Grant(error)
    }
}

impl From<wasmtime::Error> for NoInstance {
    fn from(error: wasmtime::Error) -> NoInstance {
        NoInstance::Load(LoadError::Mismatch(one_line(&error)))
    }
}

impl From<Fault> for NoInstance {
    fn from(fault: Fault) -> NoInstance {
        NoInstance::Fault(fault)
    }
}

impl Instance {
    /// Makes an instance, which is not configured yet.
    pub(crate) fn new(
        spec: &Spec,
        loaded: &Loaded,
        log_lines: &LogBudget,
    ) -> Result<Instance, NoInstance> {
        let mut store = Instance::store(spec, loaded.pre.engine(), log_lines)?;
        begin(&mut store, spec.limits.start_time, Call::default());
        let instance = loaded.pre.instantiate(&mut store);
        let instance = end(&mut store, &spec.name, Export::Instantiate, instance)?;
        let exports = loaded.exports.load(&mut store, &instance)?;
        let mut find = Find {
            store: &mut store,
            instance: &instance,
        };
        let timer = loaded.timer.as_deref().map(|name| find.timer(name));
        let timer = timer.transpose()?;
        let state = loaded.state.as_deref().map(|name| find.state(name));
        let state = state.transpose()?;
        Ok(Instance {
            name: spec.name.clone(),
            store,
            exports,
            timer,
            state,
        })
    }

    /// What an instance is made in.
    pub(crate) fn store(
        spec: &Spec,
        engine: &wasmtime::Engine,
        log_lines: &LogBudget,
    ) -> Result<Store<HostState>, GrantError> {
        let granted = spec.grants.look_up()?;
        let state = HostState::new(&spec.name, spec.limits, granted, log_lines.clone());
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(spec.limits.output);
        store.epoch_deadline_callback(|store| {
            store.data().deadline.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        Ok(store)
    }

    /// What the plugin says about itself.
    pub(crate) fn describe(&mut self) -> Result<Vec<(String, String)>, Fault> {
        self.begin_start();
        let processor = self.exports.retrans_plugin_processor();
        let described = processor.call_describe(&mut self.store);
        end(&mut self.store, &self.name, Export::Describe, described)
    }

    /// Configures it with a JSON object. What it refuses is a fault with [`Cause::Refused`]. Files
    /// are open meanwhile, and at no other time.
    pub(crate) fn configure(&mut self, settings: &str) -> Result<(), NoInstance> {
        self.begin_start();
        self.store.data_mut().files.open()?;
        let processor = self.exports.retrans_plugin_processor();
        let answer = processor.call_configure(&mut self.store, settings);
        self.store.data_mut().files.close();
        self.returned(Export::Configure, answer)?;
        // There is no event yet that it could say anything about.
        self.store.data_mut().staged = Staged::default();
        Ok(())
    }

    /// Gives it a batch of events. What it says is not applied to the batch yet.
    pub fn process(&mut self, batch: &mut Batch, earlier: Earlier) -> Result<Outcome, Fault> {
        let call = Call::about(batch, earlier);
        let (count, record_size) = (call.count, call.record_size);
        self.begin(call);
        let processor = self.exports.retrans_plugin_processor();
        let answer = processor.call_process(&mut self.store, count, record_size, batch.records());
        batch.labels = std::mem::take(&mut self.store.data_mut().call.labels);
        let keep = self.returned(Export::Process, answer)?;

        let staged = std::mem::take(&mut self.store.data_mut().staged);
        Outcome::check(keep, staged, count)
            .map_err(|bad| Fault::new(&self.name, Export::Process, bad))
    }

    /// Tells it that time has passed.
    pub fn tick(&mut self, mark: &Mark, lost: u64) -> Result<Staged, Fault> {
        let tick = self.timer.as_ref().map(|timer| timer.tick);
        self.call_timer(Export::Tick, tick, mark, lost)
    }

    /// Tells it that the stream has ended.
    pub fn finish(&mut self, mark: &Mark, lost: u64) -> Result<Staged, Fault> {
        let finish = self.timer.as_ref().map(|timer| timer.finish);
        self.call_timer(Export::Finish, finish, mark, lost)
    }

    /// Has it anything to do at time marks?
    pub fn has_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// Can what it knows outlive it?
    pub fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// What it knows, where its state can outlive it.
    pub fn save(&mut self, clock: Moment) -> Option<Result<Snapshot, Fault>> {
        let save = self.state.as_ref()?.save;
        let limits = self.store.data().limits;
        self.begin(Call::at(clock));
        self.store.set_hostcall_fuel(limits.state);
        let answer = call(&mut self.store, &save, ());
        self.store.set_hostcall_fuel(limits.output);
        let saved = self.returned(Export::Save, answer);
        // It was asked what it knows, and nothing else.
        self.store.data_mut().staged = Staged::default();
        Some(saved.map(|(version, bytes)| Snapshot { version, bytes }))
    }

    /// Gives it what another instance knew, where it can take that.
    pub fn restore(&mut self, snapshot: &Snapshot, clock: Moment) -> Result<(), Fault> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        let restore = state.restore;
        self.begin(Call::at(clock));
        let Snapshot { version, bytes } = snapshot;
        let answer = restore
            .typed::<Restore, (Answer,)>(&self.store)
            .and_then(|restore| call(&mut self.store, &restore, (*version, bytes.as_slice())));
        self.returned(Export::Restore, answer)?;
        self.store.data_mut().staged = Staged::default();
        Ok(())
    }

    /// CPU time of the last call.
    pub fn last_call(&self) -> Duration {
        self.store.data().deadline.used()
    }

    /// Bytes of linear memory, now and at most.
    pub fn memory(&self) -> (usize, usize) {
        self.store.data().memory.memory()
    }

    fn call_timer(
        &mut self,
        export: Export,
        function: Option<TypedFunc<(u64,), (Answer,)>>,
        mark: &Mark,
        lost: u64,
    ) -> Result<Staged, Fault> {
        let Some(function) = function else {
            return Ok(Staged::default());
        };
        self.begin(Call {
            lost,
            ..Call::at(mark.now())
        });
        let now = u64::try_from(mark.time.as_nanos()).unwrap_or(u64::MAX);
        let answer = call(&mut self.store, &function, (now,));
        self.returned(export, answer)?;
        Ok(std::mem::take(&mut self.store.data_mut().staged))
    }

    fn begin(&mut self, call: Call) {
        let allowed = self.store.data().limits.time;
        begin(&mut self.store, allowed, call);
    }

    fn begin_start(&mut self) {
        let allowed = self.store.data().limits.start_time;
        begin(&mut self.store, allowed, Call::default());
    }

    /// A call's answer, once wasmtime's and the plugin's own errors are out of it.
    fn returned<T>(
        &mut self,
        export: Export,
        answer: wasmtime::Result<Result<T, String>>,
    ) -> Result<T, Fault> {
        let answer = end(&mut self.store, &self.name, export, answer)?;
        answer.map_err(|words| Fault::new(&self.name, export, Cause::Refused(printable(&words))))
    }
}

/// A call of a function with one result.
fn call<P, R>(
    store: &mut Store<HostState>,
    function: &TypedFunc<P, (R,)>,
    params: P,
) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower,
    (R,): ComponentNamedList + Lift,
{
    let (result,) = function.call(store.as_context_mut(), params)?;
    Ok(result)
}

/// Looks for the functions of optional interfaces, by their full names.
struct Find<'a> {
    store: &'a mut Store<HostState>,
    instance: &'a WasmInstance,
}

impl Find<'_> {
    fn timer(&mut self, name: &str) -> wasmtime::Result<TimerExports> {
        Ok(TimerExports {
            tick: self.function(name, "tick")?,
            finish: self.function(name, "finish")?,
        })
    }

    fn state(&mut self, name: &str) -> wasmtime::Result<StateExports> {
        Ok(StateExports {
            save: self.function(name, "save")?,
            restore: *self.function::<Restore, (Answer,)>(name, "restore")?.func(),
        })
    }

    fn function<P, R>(&mut self, interface: &str, name: &str) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let Find { store, instance } = self;
        let exports = instance.get_export_index(&mut **store, None, interface);
        let index = instance.get_export_index(&mut **store, exports.as_ref(), name);
        let index = index.ok_or_else(|| wasmtime::format_err!("{interface} has no {name}"))?;
        let typed = instance.get_typed_func(&mut **store, index);
        typed.map_err(|error| error.context(format!("{interface}.{name}")))
    }
}

/// Before every call: a fresh deadline, and nothing staged.
fn begin(store: &mut Store<HostState>, allowed: Duration, call: Call) {
    let state = store.data_mut();
    state.deadline = CpuDeadline::new(allowed);
    state.memory.begin();
    state.call = call;
    state.staged = Staged::default();
    store.set_epoch_deadline(1);
}

/// After every call: what it printed is logged, and wasmtime's error becomes a fault.
fn end<T>(
    store: &mut Store<HostState>,
    plugin: &str,
    export: Export,
    answer: wasmtime::Result<T>,
) -> Result<T, Fault> {
    let state = store.data_mut();
    state.logs.flush();
    let in_time = state.deadline.end();
    let refused = state.memory.refused();
    let answer = answer.map_err(|error| Fault::of(plugin, export, &error, refused))?;
    // What came to its end between two epochs, or took its time in the host.
    in_time.map_err(|missed| Fault::new(plugin, export, missed))?;
    Ok(answer)
}
