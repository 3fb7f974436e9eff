//! The bindings of a component: exported functions call the runner, imported functions are the host.
//!
//! Built for WebAssembly only; [`export_plugin!`](crate::export_plugin) refers to it.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

use anyhow::Context;
use retrans_event::CensusRow;

use crate::alert::Alert;
use crate::alert::AlertState;
use crate::alert::Severity;
use crate::column::Column;
use crate::exported::Exported;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::result::Result;
use crate::runner::Keep;
use crate::runner::Runner;
use crate::runner::census_rows;
use crate::settings;
use crate::state::Stateful;

use bindings::exports::retrans::plugin::processor;
use bindings::exports::retrans::plugin::timer;
use bindings::retrans::plugin::host;
use state_bindings::exports::retrans::plugin::state;

/// Generated from `wit/plugin.wit` by `plugin-sdk/generator`.
#[rustfmt::skip]
#[path = "../bindings/plugin.rs"]
#[allow(missing_docs, clippy::undocumented_unsafe_blocks)]
pub mod bindings;

/// Generated as well: the exports of plugins with state. A component has the exports of all the worlds that its crate
/// exports.
#[rustfmt::skip]
#[path = "../bindings/state.rs"]
#[allow(missing_docs, clippy::undocumented_unsafe_blocks)]
pub mod state_bindings;

/// A runner without the type of its plugin, because a static cannot be generic. The dynamic call happens
/// once a batch.
trait Configured: Any {
    fn process(&mut self, count: u32, record_size: u32, records: &mut [u8]) -> Result<Keep>;
    fn tick(&mut self, now: Duration) -> Result<()>;
    fn finish(&mut self, now: Duration) -> Result<()>;
}

impl<P: Plugin + 'static> Configured for Runner<P> {
    fn process(&mut self, count: u32, record_size: u32, records: &mut [u8]) -> Result<Keep> {
        Runner::process(self, &Imports, count, record_size, records)
    }

    fn tick(&mut self, now: Duration) -> Result<()> {
        Runner::tick(self, &Imports, rows::<P>(), now)
    }

    fn finish(&mut self, now: Duration) -> Result<()> {
        Runner::finish(self, &Imports, rows::<P>(), now)
    }
}

/// The rows of censuses, for a plugin that takes them. The function is imported by no other plugin: the host makes a census
/// for those that import it. As a method of [`Host`], which is called dynamically, all would.
fn rows<P: Plugin>() -> Vec<CensusRow> {
    // A constant: a build without optimisation leaves the call out, too.
    match const { P::CENSUS.is_any() } {
        true => census_rows(host::census),
        false => Vec::new(),
    }
}

thread_local! {
    /// The plugin; `None` before `configure`. A component has one thread.
    static CONFIGURED: RefCell<Option<Box<dyn Configured>>> = const { RefCell::new(None) };
}

/// Calls the configured plugin. The host gets an error with its whole chain of causes.
fn call<R>(run: impl FnOnce(&mut dyn Configured) -> Result<R>) -> Result<R, String> {
    CONFIGURED.with_borrow_mut(|configured| {
        let plugin = configured
            .as_mut()
            .context("the plugin was called before it was configured");
        plugin
            .and_then(|plugin| run(plugin.as_mut()))
            .map_err(|error| format!("{error:#}"))
    })
}

/// The component of a plugin: implements the exported functions.
pub struct Component<E>(PhantomData<E>);

impl<E: Exported> processor::Guest for Component<E>
where
    E::Plugin: 'static,
{
    fn describe() -> Vec<(String, String)> {
        let schema = settings::schema::<<E::Plugin as Plugin>::Settings>();
        let mut described = vec![
            ("name".to_owned(), E::NAME.to_owned()),
            ("version".to_owned(), E::VERSION.to_owned()),
            ("summary".to_owned(), E::SUMMARY.to_owned()),
            ("settings".to_owned(), schema.as_value().to_string()),
        ];
        if let Some(census) = <E::Plugin as Plugin>::CENSUS.described() {
            described.push(("census".to_owned(), census.to_owned()));
        }
        described
    }

    fn configure(settings: String) -> Result<(), String> {
        log_to_host();
        let runner = Runner::<E::Plugin>::configure(&settings);
        let runner = runner.map_err(|error| format!("{error:#}"))?;
        CONFIGURED.set(Some(Box::new(runner)));
        Ok(())
    }

    fn process(
        count: u32,
        record_size: u32,
        mut records: Vec<u8>,
    ) -> Result<processor::Keep, String> {
        let keep = call(|plugin| plugin.process(count, record_size, &mut records))?;
        Ok(match keep {
            Keep::All => processor::Keep::All,
            Keep::None => processor::Keep::None,
            Keep::Bits(bits) => processor::Keep::Bits(bits),
        })
    }
}

impl<E: Exported> timer::Guest for Component<E> {
    fn tick(now_ns: u64) -> Result<(), String> {
        call(|plugin| plugin.tick(Duration::from_nanos(now_ns)))
    }

    fn finish(now_ns: u64) -> Result<(), String> {
        call(|plugin| plugin.finish(Duration::from_nanos(now_ns)))
    }
}

impl<E: Exported> state::Guest for Component<E>
where
    E::Plugin: Stateful + 'static,
{
    fn save() -> Result<(u32, Vec<u8>), String> {
        call(|plugin| runner::<E::Plugin>(plugin)?.save())
    }

    fn restore(version: u32, state: Vec<u8>) -> Result<(), String> {
        call(|plugin| runner::<E::Plugin>(plugin)?.restore(version, &state))
    }
}

/// The configured plugin with its type. A component has one plugin, so that the type is always right.
fn runner<P: 'static>(plugin: &mut dyn Configured) -> Result<&mut Runner<P>> {
    let plugin: &mut dyn Any = plugin;
    plugin
        .downcast_mut()
        .context("the configured plugin has another type")
}

/// The host, through the imported functions.
struct Imports;

impl Host for Imports {
    fn lost(&self) -> u64 {
        host::lost()
    }

    fn labels(&self) -> Vec<Column> {
        let columns = host::labels().into_iter();
        columns
            .map(|column| Column {
                key: column.key,
                events: column.events,
                ends: column.ends,
                text: column.text,
            })
            .collect()
    }

    fn change(&self, events: &[u32], records: &[u8]) {
        host::change(events, records);
    }

    fn annotate(&self, column: &Column) {
        host::annotate(host::LabelColumnParam {
            key: &column.key,
            events: &column.events,
            ends: &column.ends,
            text: &column.text,
        });
    }

    fn emit(&self, alert: &Alert) {
        let labels: Vec<(&str, &str)> = alert
            .labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        host::emit(host::Alert {
            name: &alert.name,
            severity: match alert.severity {
                Severity::Info => host::Severity::Info,
                Severity::Warning => host::Severity::Warning,
                Severity::Critical => host::Severity::Critical,
            },
            state: match alert.state {
                AlertState::Firing => host::AlertState::Firing,
                AlertState::Resolved => host::AlertState::Resolved,
            },
            summary: &alert.summary,
            labels: &labels,
            event: alert.event,
        });
    }

    fn write(&self, lines: &[u8]) {
        host::write(lines);
    }

    fn count(&self, metric: &str, by: u64) {
        host::count(metric, by);
    }

    fn gauge(&self, metric: &str, value: f64) {
        host::gauge(metric, value);
    }

    fn observe(&self, metric: &str, values: &[f64]) {
        host::observe(metric, values);
    }
}

/// Sends the messages of the `log` macros and of panics to the host, which filters them.
fn log_to_host() {
    struct HostLog;

    impl log::Log for HostLog {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            let level = match record.level() {
                log::Level::Error => host::Level::Error,
                log::Level::Warn => host::Level::Warn,
                log::Level::Info => host::Level::Info,
                log::Level::Debug => host::Level::Debug,
                log::Level::Trace => host::Level::Trace,
            };
            host::log(level, &record.args().to_string());
        }

        fn flush(&self) {}
    }

    // One line in the log for a panic, instead of three on standard error.
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string().replace('\n', " ");
        host::log(host::Level::Error, &message);
    }));
    // Fails where a logger is set already: this one, or the plugin's own, which stays.
    if log::set_logger(&HostLog).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}
