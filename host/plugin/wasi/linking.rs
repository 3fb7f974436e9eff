//! Helpers that link functions of WASI, and the types of handles.

use wasmtime::AsContextMut;
use wasmtime::Result;
use wasmtime::StoreContextMut;
use wasmtime::component::ComponentNamedList;
use wasmtime::component::Lift;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::Val;
use wasmtime::error::format_err;

use crate::plugin::runtime::store::HostState;

/// Maximum number of handles, such as streams and files, that a plugin may hold.
const MAX_HANDLES: u32 = 10_000;

pub(super) struct OutputStream;
pub(super) struct InputStream;
pub(super) struct Pollable;
/// Marks handles that never exist: sockets, terminals.
pub(super) struct Unavailable;

pub(super) type Store<'a> = StoreContextMut<'a, HostState>;

/// Links a function that checks the deadline before it runs. Epochs interrupt neither the host's own code nor a plugin
/// that does nothing but call the host.
pub(super) fn link_timed<P, R>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    function: impl Fn(Store, P) -> Result<R> + Send + Sync + 'static,
) -> Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: ComponentNamedList + Lower + 'static,
{
    linker.func_wrap(name, move |store: Store, params: P| {
        store.data().deadline.check()?;
        function(store, params)
    })
}

/// Returns a new handle for the plugin. The number of handles is limited, because the table of them is in the host's
/// memory.
pub(super) fn new_handle<T: 'static>(
    mut store: impl AsContextMut<Data = HostState>,
    number: u32,
) -> Result<Resource<T>> {
    let mut store = store.as_context_mut();
    let handles = &mut store.data_mut().handles;
    if *handles == MAX_HANDLES {
        return Err(format_err!("it holds more than {MAX_HANDLES} handles"));
    }
    *handles += 1;
    Ok(Resource::new_own(number))
}

/// Links a function that always returns the same answer. The component defines the function's type, which may have no
/// result.
pub(super) fn link_constant(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    answer: fn() -> Val,
) -> Result<()> {
    linker.func_new(name, move |mut store, _, params, results| {
        store.data().deadline.check()?;
        for param in params {
            // Borrowed handles have to be released.
            if let Val::Resource(resource) = param {
                resource.resource_drop(&mut store)?;
            }
        }
        let result = results.first_mut();
        *result.ok_or_else(|| format_err!("it imports a function of WASI with a wrong type"))? =
            answer();
        Ok(())
    })
}

/// Links a function that always fails: one that needs a handle that cannot exist, such as a socket, or one that plugins
/// do not need.
pub(super) fn link_unavailable(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    let function = format!("{interface}.{name}");
    linker.func_new(name, move |_, _, _, _| {
        Err(format_err!("{function} is not available in a plugin"))
    })
}
