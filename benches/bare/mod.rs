//! Runs a plugin in wasmtime without limits and accounting, as the baseline for measuring these.

use std::hint::black_box;

use retrans_host::stream::batch::Batch;
use wasmtime::Config;
use wasmtime::Engine;
use wasmtime::Store;
use wasmtime::component::Component;
use wasmtime::component::HasSelf;
use wasmtime::component::Linker;

use generated::exports::retrans::plugin::processor::Keep;
use generated::retrans::plugin::host;

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "plugin-sdk/wit",
        world: "plugin",
    });
}

/// Host functions that accept all arguments without checks, and discard them.
struct UncheckedHost;

impl host::Host for UncheckedHost {
    fn layout(&mut self) -> Vec<host::Field> {
        Vec::new()
    }

    fn labels(&mut self) -> Vec<host::LabelColumn> {
        Vec::new()
    }

    fn names(&mut self) -> Vec<host::NumberName> {
        Vec::new()
    }

    fn census_layout(&mut self) -> Vec<host::Field> {
        Vec::new()
    }

    fn census(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn run(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn lost(&mut self) -> u64 {
        0
    }

    fn change(&mut self, events: Vec<u32>, records: Vec<u8>) {
        black_box((events, records));
    }

    fn annotate(&mut self, column: host::LabelColumn) {
        black_box(column);
    }

    fn emit(&mut self, alert: host::Alert) {
        black_box(alert);
    }

    fn write(&mut self, lines: Vec<u8>) {
        black_box(lines);
    }

    fn count(&mut self, metric: String, by: u64) {
        black_box((metric, by));
    }

    fn gauge(&mut self, metric: String, value: f64) {
        black_box((metric, value));
    }

    fn observe(&mut self, metric: String, values: Vec<f64>) {
        black_box((metric, values));
    }

    fn log(&mut self, level: host::Level, message: String) {
        black_box((level, message));
    }
}

/// An instance of a plugin without limits.
pub struct Bare {
    store: Store<UncheckedHost>,
    plugin: generated::Plugin,
}

impl Bare {
    /// Starts a plugin with its default settings.
    pub fn start(component: &[u8]) -> Bare {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).expect("wasmtime runs here");
        let component = Component::new(&engine, component).expect("a component");
        let mut linker = Linker::new(&engine);
        host::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).expect("linked once");
        // These plugins do not call the imports of their standard library.
        linker
            .define_unknown_imports_as_traps(&component)
            .expect("no name is taken");
        let mut store = Store::new(&engine, UncheckedHost);
        let plugin = generated::Plugin::instantiate(&mut store, &component, &linker);
        let plugin = plugin.expect("it is a plugin");
        let configured = plugin
            .retrans_plugin_processor()
            .call_configure(&mut store, "{}");
        configured.expect("it returns").expect("it has defaults");
        Bare { store, plugin }
    }

    /// Processes a batch, and removes the events that the plugin drops.
    pub fn process(&mut self, batch: &mut Batch) {
        let (count, size) = (batch.len() as u32, batch.record_size() as u32);
        let processor = self.plugin.retrans_plugin_processor();
        let keep = processor.call_process(&mut self.store, count, size, batch.records());
        match keep.expect("it returns").expect("it is well-behaved") {
            Keep::All => {}
            Keep::None => batch.retain(|_| false),
            Keep::Bits(bits) => batch.retain(|event| bits[event / 8] >> (event % 8) & 1 == 1),
        }
    }
}
