//! One plugin: a component that was loaded, instantiated and configured, and takes events.

mod cache;
mod contract;
mod engine;
mod fault;
mod files;
mod limits;
mod load;
mod logs;
mod powers;
pub mod settings;
mod state;
mod wasi;

use std::time::Duration;

use wasmtime::Store;
use wasmtime::UpdateDeadline;
use wasmtime::component::Instance;
use wasmtime::component::TypedFunc;

pub use self::engine::Engine;
pub use self::fault::Cause;
pub use self::fault::Export;
pub use self::fault::Fault;
pub use self::limits::Limits;
pub use self::load::LoadError;
pub use self::load::Origin;
pub use self::load::origin;
pub use self::powers::Powers;
pub use self::powers::PowersError;
pub use self::state::BadAnswer;
pub use self::state::Staged;
pub use self::state::StagedAlert;

use self::contract::ExportIndices;
use self::contract::Exports;
use self::contract::Keep;
use self::limits::CpuDeadline;
use self::logs::printable;
use self::settings::SettingsError;
use self::state::Call;
use self::state::State;
use crate::batch::Batch;
use crate::batch::Mark;

/// Why a plugin could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its component cannot be used.
    #[error("plugin {0}: {1}")]
    Load(String, LoadError),
    /// Something that it was granted is not there.
    #[error("plugin {0}: {1}")]
    Powers(String, PowersError),
    /// The settings do not fit, in the plugin's own words.
    #[error("plugin {0}: {1}")]
    Settings(String, SettingsError),
    /// It failed while it was instantiated, described or configured.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A running plugin.
pub struct Plugin {
    name: String,
    store: Store<State>,
    exports: Exports,
    timer: Option<Timer>,
    /// Events lost since the last call that returned well.
    lost: u64,
}

type TimerFunc = TypedFunc<(u64,), (Result<(), String>,)>;

/// The optional interface of that name.
struct Timer {
    tick: TimerFunc,
    finish: TimerFunc,
}

/// What a call with events came to.
#[derive(Debug)]
pub struct Outcome {
    keep: Keep,
    /// What the plugin said meanwhile.
    pub staged: Staged,
}

impl Outcome {
    /// Does the event with this number go on to the next plugin?
    pub fn keeps(&self, event: usize) -> bool {
        contract::keeps(&self.keep, event)
    }

    /// Do all go on?
    pub fn keeps_all(&self) -> bool {
        matches!(self.keep, Keep::All)
    }
}

impl Plugin {
    /// Loads a component, makes an instance of it, and configures that with these settings, which
    /// are keys and values as they stand on the command line. It has these powers, and no others.
    pub fn start(
        engine: &Engine,
        name: &str,
        origin: &Origin,
        settings: &[(String, String)],
        limits: Limits,
        powers: &Powers,
    ) -> Result<Plugin, StartError> {
        let load_error = |error| StartError::Load(name.to_owned(), error);
        let mismatch = |error: wasmtime::Error| {
            StartError::Load(name.to_owned(), LoadError::Mismatch(load::one_line(&error)))
        };
        let granted = powers.look_up();
        let granted = granted.map_err(|error| StartError::Powers(name.to_owned(), error))?;
        let loaded = load::load(engine, origin).map_err(load_error)?;
        let indices = ExportIndices::new(&loaded.pre).map_err(mismatch)?;

        let mut store = Store::new(&engine.wasmtime, State::new(name, limits, granted));
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(limits.staged);
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().deadline.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        begin(&mut store, limits.start_time, Call::default());
        let instance = loaded.pre.instantiate(&mut store);
        let instance = end(&mut store, name, Export::Instantiate, instance)?;
        let exports = indices.load(&mut store, &instance).map_err(mismatch)?;
        let timer = loaded
            .timer
            .map(|timer| Timer::find(&mut store, &instance, &timer));
        let timer = timer.transpose().map_err(mismatch)?;

        let mut plugin = Plugin {
            name: name.to_owned(),
            store,
            exports,
            timer,
            lost: 0,
        };
        plugin.configure(settings)?;
        Ok(plugin)
    }

    /// Name of the instance.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has it anything to do at time marks?
    pub fn has_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// Notes events that were lost before the next call.
    pub fn note_lost(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
    }

    /// Gives it a batch of events. What it says is not applied to the batch yet.
    pub fn process(&mut self, batch: &mut Batch) -> Result<Outcome, Fault> {
        let count = batch.len() as u32;
        let record_size = batch.record_size() as u32;
        let last = batch.events().last();
        let call = Call {
            count,
            record_size,
            lost: self.lost,
            time: last.map_or(Duration::ZERO, |event| event.time()),
            wall_time: last.map_or(Duration::ZERO, |event| event.wall_time()),
            labels: std::mem::take(&mut batch.labels),
        };
        let allowed = self.store.data().limits.call_time;
        begin(&mut self.store, allowed, call);
        let processor = self.exports.retrans_plugin_processor();
        let answer = processor.call_process(&mut self.store, count, record_size, batch.records());
        batch.labels = std::mem::take(&mut self.store.data_mut().call.labels);
        let keep = self.returned(Export::Process, answer)?;

        let staged = std::mem::take(&mut self.store.data_mut().staged);
        contract::check_keep(&keep, count).map_err(|bad| self.fault(Export::Process, bad))?;
        let outcome = Outcome { keep, staged };
        let changed = outcome.staged.changes.iter().flat_map(|(events, _)| events);
        for event in changed {
            if !outcome.keeps(*event as usize) {
                return Err(self.fault(Export::Process, BadAnswer::ChangeDropped(*event)));
            }
        }
        self.lost = 0;
        Ok(outcome)
    }

    /// Tells it that time has passed.
    pub fn tick(&mut self, mark: &Mark) -> Result<Staged, Fault> {
        self.call_timer(Export::Tick, mark, |timer| timer.tick)
    }

    /// Tells it that the stream has ended.
    pub fn finish(&mut self, mark: &Mark) -> Result<Staged, Fault> {
        self.call_timer(Export::Finish, mark, |timer| timer.finish)
    }

    fn call_timer(
        &mut self,
        export: Export,
        mark: &Mark,
        function: impl Fn(&Timer) -> TimerFunc,
    ) -> Result<Staged, Fault> {
        let Some(function) = self.timer.as_ref().map(function) else {
            return Ok(Staged::default());
        };
        let call = Call {
            lost: self.lost,
            time: mark.time,
            wall_time: mark.wall_time,
            ..Call::default()
        };
        let allowed = self.store.data().limits.call_time;
        begin(&mut self.store, allowed, call);
        let now = u64::try_from(mark.time.as_nanos()).unwrap_or(u64::MAX);
        let answer = function.call(&mut self.store, (now,));
        self.returned(export, answer.map(|(answer,)| answer))?;
        self.lost = 0;
        Ok(std::mem::take(&mut self.store.data_mut().staged))
    }

    fn configure(&mut self, settings: &[(String, String)]) -> Result<(), StartError> {
        let start_time = self.store.data().limits.start_time;
        begin(&mut self.store, start_time, Call::default());
        let processor = self.exports.retrans_plugin_processor();
        let described = processor.call_describe(&mut self.store);
        let described = end(&mut self.store, &self.name, Export::Describe, described)?;
        let wrong = |error| StartError::Settings(self.name.clone(), error);
        let schema = described.iter().find(|(key, _)| key == "settings");
        let schema = schema.map_or("{}", |(_, schema)| schema);
        let settings = settings::to_json(schema, settings).map_err(wrong)?;

        begin(&mut self.store, start_time, Call::default());
        let opened = self.store.data_mut().files.open();
        opened.map_err(|error| StartError::Powers(self.name.clone(), error))?;
        let answer = processor.call_configure(&mut self.store, &settings);
        self.store.data_mut().files.close();
        let answer = end(&mut self.store, &self.name, Export::Configure, answer)?;
        answer.map_err(|words| wrong(SettingsError::Refused(printable(&words))))?;
        // There is no event yet that it could say anything about.
        self.store.data_mut().staged = Staged::default();
        Ok(())
    }

    /// A call's answer, once wasmtime's and the plugin's own errors are out of it.
    fn returned<T>(
        &mut self,
        export: Export,
        answer: wasmtime::Result<Result<T, String>>,
    ) -> Result<T, Fault> {
        let answer = end(&mut self.store, &self.name, export, answer)?;
        answer.map_err(|words| Fault {
            plugin: self.name.clone(),
            export,
            cause: Cause::Refused(printable(&words)),
        })
    }

    fn fault(&self, export: Export, bad: BadAnswer) -> Fault {
        Fault {
            plugin: self.name.clone(),
            export,
            cause: bad.into(),
        }
    }
}

impl Timer {
    fn find(store: &mut Store<State>, instance: &Instance, name: &str) -> wasmtime::Result<Timer> {
        let mut function = |function: &str| {
            let interface = instance.get_export_index(&mut *store, None, name);
            let index = instance.get_export_index(&mut *store, interface.as_ref(), function);
            let index = index.ok_or_else(|| wasmtime::format_err!("{name} has no {function}"))?;
            let typed = instance.get_typed_func(&mut *store, index);
            typed.map_err(|error| error.context(format!("{name}.{function}")))
        };
        Ok(Timer {
            tick: function("tick")?,
            finish: function("finish")?,
        })
    }
}

/// Before every call: a fresh deadline, and nothing staged.
fn begin(store: &mut Store<State>, allowed: Duration, call: Call) {
    let state = store.data_mut();
    state.deadline = CpuDeadline::new(allowed);
    state.memory.begin();
    state.call = call;
    state.staged = Staged::default();
    store.set_epoch_deadline(1);
}

/// After every call: what it printed is logged, and wasmtime's error becomes a fault.
fn end<T>(
    store: &mut Store<State>,
    plugin: &str,
    export: Export,
    answer: wasmtime::Result<T>,
) -> Result<T, Fault> {
    let state = store.data_mut();
    state.logs.flush();
    answer.map_err(|error| Fault {
        plugin: plugin.to_owned(),
        export,
        cause: Cause::of(error, state.memory.refused().then_some(state.limits.memory)),
    })
}
