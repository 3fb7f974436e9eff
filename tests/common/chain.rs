//! A chain of real plugins that the test feeds, and a sink that records its output.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use crossbeam_channel::unbounded;
use retrans_event::Record;
use retrans_host::chain::Chain;
use retrans_host::chain::ChainError;
use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::StartError;
use retrans_host::sink::Sink;
use retrans_host::stats::Stats;
use retrans_host::stats::counters::ChainStats;
use retrans_host::stats::counters::ReplayStats;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;
use serde_json::Value;

use super::fixtures::fixture;
use super::refusal::BINARY;

/// The engine of this process. It keeps compiled code: nearly every test uses the same plugins.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let compiler = Compiler::Process(BINARY.into());
        Engine::with_cache_in(&cache, compiler).expect("wasmtime runs here")
    })
}

/// Starts an instance with these settings.
pub fn start(
    name: &str,
    origin: &Origin,
    settings: &[(&str, &str)],
    limits: Limits,
) -> Result<Plugin, StartError> {
    let spec = Spec {
        limits,
        ..spec(name, origin, settings)
    };
    Plugin::start(engine(), &spec)
}

/// A plugin with these settings.
pub fn spec(name: &str, origin: &Origin, settings: &[(&str, &str)]) -> Spec {
    let settings = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Spec {
        settings: settings.collect(),
        ..Spec::new(name, origin.clone())
    }
}

/// An instance of a fixture.
#[track_caller]
pub fn plugin(name: &str, file: &str, settings: &[(&str, &str)]) -> Plugin {
    let origin = Origin::File(fixture(file));
    start(name, &origin, settings, Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// An instance of a plugin that is embedded in the host.
#[track_caller]
pub fn bundled(name: &'static str) -> Plugin {
    start(name, &Origin::Bundled(name), &[], Limits::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The events in batches of `cut`.
pub fn batches(records: &[Record], cut: usize) -> Vec<Item> {
    let batches = records.chunks(cut).map(batch);
    batches.map(Item::Events).collect()
}

/// A batch of these events.
pub fn batch(records: &[Record]) -> Batch {
    let mut batch = Batch::new();
    for record in records {
        batch.push(record.as_bytes());
    }
    batch
}

/// The mark at this second of the stream.
pub fn mark(seconds: u64) -> Mark {
    let time = Duration::from_secs(seconds);
    Mark {
        time,
        wall_time: Duration::from_secs(1_800_000_000) + time,
        lost: 0,
    }
}

/// The results of a chain.
pub struct Ran {
    /// Output.
    pub said: Said,
    /// Statistics for each plugin, and the plugins' own counters.
    pub report: ChainStats,
    /// Its result.
    pub result: Result<(), ChainError>,
}

/// Runs plugins until the stream has ended.
pub fn run(plugins: Vec<Plugin>, items: impl IntoIterator<Item = Item>) -> Ran {
    let recorder = Recorder::default();
    let chain = Chain::new(plugins, recorder.clone());
    let (report, result) = drive(chain, items);
    Ran {
        said: recorder.take(),
        report,
        result,
    }
}

/// The same with another sink. All items are in the channel before the chain starts.
pub fn drive<S: Sink>(
    chain: Chain<S>,
    items: impl IntoIterator<Item = Item>,
) -> (ChainStats, Result<(), ChainError>) {
    let (sender, receiver) = unbounded();
    let (used, _recycled) = unbounded();
    for item in items {
        sender.send(item).expect("the receiver is there");
    }
    drop(sender);
    chain.run(&receiver, &used, ())
}

impl Ran {
    /// Checks the statistics of a run in which `delivered` events went to the chain.
    #[track_caller]
    pub fn assert_balances(&self, delivered: u64) {
        assert_balances(&self.report, delivered);
    }
}

/// Checks that every delivered event is accounted for.
///
/// Each event is counted once, and each plugin gets what the one before it passes on.
#[track_caller]
pub fn assert_balances(report: &ChainStats, delivered: u64) {
    let stats = Stats {
        chain: report.clone(),
        ..Stats::of_replay(ReplayStats {
            read: delivered,
            left_out: 0,
            delivered,
        })
    };
    assert!(stats.balances(), "{stats}");
}

/// The output of a chain.
#[derive(Debug, Default)]
pub struct Said {
    /// Complete lines.
    pub lines: Vec<String>,
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// The number of calls of `flush`.
    pub flushes: usize,
}

impl Said {
    /// The lines as JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let values = self.lines.iter().map(|line| serde_json::from_str(line));
        values.map(|value| value.expect("a line of JSON")).collect()
    }
}

/// A sink that records what it gets.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Said>>);

impl Recorder {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what it has recorded so far.
    pub fn take(&self) -> Said {
        std::mem::take(&mut self.said())
    }
}

impl Sink for Recorder {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let text = std::str::from_utf8(lines).expect("only text comes out of a chain");
        let whole = text.split_inclusive('\n').map(|line| {
            let line = line.strip_suffix('\n');
            line.expect("only whole lines come out of a chain")
                .to_owned()
        });
        self.said().lines.extend(whole);
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        self.said().alerts.extend_from_slice(alerts);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.said().flushes += 1;
        Ok(())
    }
}
