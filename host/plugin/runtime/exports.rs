//! The optional exports of a plugin, timer and state, and calls of them.

use wasmtime::AsContextMut as _;
use wasmtime::Store;
use wasmtime::component::ComponentNamedList;
use wasmtime::component::Func;
use wasmtime::component::Instance as WasmInstance;
use wasmtime::component::Lift;
use wasmtime::component::Lower;
use wasmtime::component::TypedFunc;

use super::store::HostState;

pub(super) type Answer = Result<(), String>;

/// The answer of `save`: a format version and bytes, or an error.
pub(super) type Saved = Result<(u32, Vec<u8>), String>;

/// The functions of the timer interface.
pub(super) struct TimerExports {
    pub(super) tick: TypedFunc<(u64,), (Answer,)>,
    pub(super) finish: TypedFunc<(u64,), (Answer,)>,
}

/// The functions of the state interface.
pub(super) struct StateExports {
    pub(super) save: TypedFunc<(), (Saved,)>,
    /// Takes a [`Restore`]. It is stored untyped, because a `TypedFunc` whose parameters are borrowed cannot be stored.
    pub(super) restore: Func,
}

/// The parameters of `restore`: a format version and bytes.
pub(super) type Restore<'a> = (u32, &'a [u8]);

/// Calls a function with one result.
pub(super) fn call<P, R>(
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

/// Looks up the functions of optional interfaces by the interface's full name.
pub(super) struct ExportLookup<'a> {
    pub(super) store: &'a mut Store<HostState>,
    pub(super) instance: &'a WasmInstance,
}

impl ExportLookup<'_> {
    pub(super) fn timer(&mut self, name: &str) -> wasmtime::Result<TimerExports> {
        Ok(TimerExports {
            tick: self.function(name, "tick")?,
            finish: self.function(name, "finish")?,
        })
    }

    pub(super) fn state(&mut self, name: &str) -> wasmtime::Result<StateExports> {
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
        let ExportLookup { store, instance } = self;
        let exports = instance.get_export_index(&mut **store, None, interface);
        let index = instance.get_export_index(&mut **store, exports.as_ref(), name);
        let index = index.ok_or_else(|| wasmtime::format_err!("{interface} has no {name}"))?;
        let typed = instance.get_typed_func(&mut **store, index);
        typed.map_err(|error| error.context(format!("{interface}.{name}")))
    }
}
