//! Measures captures: the speed of a replay, the cost of printing in a plugin and natively, the cost of recording, and
//! the size. Each figure is the best of [`RUNS`] runs on the same events.

use std::fs;
use std::fs::File;
use std::hint::black_box;
use std::io;
use std::io::BufWriter;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use crossbeam_channel::bounded;
use indicatif::ProgressBar;
use retrans_event::synth::Synth;
use retrans_host::capture::Head;
use retrans_host::capture::Reader;
use retrans_host::capture::Writer;
use retrans_host::chain::Chain;
use retrans_host::config;
use retrans_host::fleet;
use retrans_host::pipeline::channel::Channel;
use retrans_host::pipeline::stop::Stop;
use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::source::replay;
use retrans_host::stats::SharedStats;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::batch::MAX_EVENTS;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

#[path = "../tests/common/fixtures.rs"]
#[allow(dead_code, reason = "shared with the tests, which use the rest")]
mod fixtures;

#[path = "../tests/common/nowhere.rs"]
mod nowhere;

use nowhere::Nowhere;

const EVENTS: usize = 500_000;
const RUNS: usize = 3;

fn main() -> Result<()> {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let capture = directory.path().join("synth.rtc");
    recording(&capture)?;
    sizes(&capture)?;
    reading(&capture)?;

    let engine =
        Engine::without_cache(Compiler::Process(env!("CARGO_BIN_EXE_retrans-host").into()))
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    let filter = Origin::File(fixtures::fixture(fixtures::HTTPS_ONLY));
    let [wall, cpu] = best(|| replayed(&engine, &filter, &capture))?;
    println!(
        "replay through a filter:     {:>5.2} M events/s; {:.2} M events a second of CPU time",
        rate(wall),
        rate(cpu)
    );
    let json_print = Origin::Bundled("json-print");
    let [wall, _] = best(|| replayed(&engine, &json_print, &capture))?;
    println!(
        "replay through json-print:   {:>5.2} M events/s",
        rate(wall)
    );
    printing(&engine, &json_print)
}

/// The rate in million events per second.
fn rate(took: Duration) -> f64 {
    EVENTS as f64 / took.as_secs_f64() / 1e6
}

/// The shortest time of [`RUNS`] runs, for each of the `N` measurements separately. Other load
/// of the machine can only make a run longer.
fn best<const N: usize>(mut run: impl FnMut() -> Result<[Duration; N]>) -> Result<[Duration; N]> {
    let mut best = run()?;
    for _ in 1..RUNS {
        for (best, took) in best.iter_mut().zip(run()?) {
            *best = took.min(*best);
        }
    }
    Ok(best)
}

fn batches() -> Vec<Item> {
    let mut events = Synth::with_connections(7, 5_000);
    let batch = |_| {
        let mut batch = Batch::new();
        for record in events.by_ref().take(MAX_EVENTS) {
            batch.push(record.as_bytes());
        }
        Item::Events(batch)
    };
    (0..EVENTS / MAX_EVENTS).map(batch).collect()
}

/// Measures the share of one CPU that a recording of 100,000 events per second takes. Writes the capture to `to`.
fn recording(to: &Path) -> Result<()> {
    let items = batches();
    let [cpu] = best(|| {
        let mut writer = Writer::new(
            BufWriter::new(File::create(to)?),
            &Head::new(None, String::new()),
        )?;
        let before = cpu_time(ClockId::ThreadCPUTime);
        for item in &items {
            writer.item(item)?;
        }
        writer.finish()?;
        Ok([cpu_time(ClockId::ThreadCPUTime) - before])
    })?;
    let share = 100_000.0 * cpu.as_secs_f64() / EVENTS as f64;
    println!(
        "recording 100,000 events/s:  {:.1} % of a core ({:.0} ns an event)",
        100.0 * share,
        cpu.as_nanos() as f64 / EVENTS as f64
    );
    Ok(())
}

/// Prints bytes per event, for the generated capture `synth` and for captures of real transfers.
fn sizes(synth: &Path) -> Result<()> {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let entries = fs::read_dir(real).into_iter().flatten().flatten();
    let mut captures: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    captures.retain(|path| path.extension().is_some_and(|extension| extension == "rtc"));
    captures.sort();
    captures.push(synth.to_owned());
    for capture in captures {
        let bytes = fs::metadata(&capture)?.len();
        let events = count(&capture)?;
        let name = capture.file_name().unwrap_or_default().display();
        println!(
            "capture {name:<20} {:>6.1} bytes an event ({events} events)",
            bytes as f64 / events.max(1) as f64
        );
    }
    Ok(())
}

fn count(capture: &Path) -> Result<usize> {
    let mut reader = Reader::new(io::BufReader::new(File::open(capture)?))?;
    let mut events = 0;
    let mut spare = Batch::new();
    while let Some(item) = reader.item(|| std::mem::take(&mut spare))? {
        if let Item::Events(batch) = item {
            events += batch.len();
            spare = batch;
            spare.clear();
        }
    }
    Ok(events)
}

fn reading(capture: &Path) -> Result<()> {
    let [took] = best(|| {
        let begun = Instant::now();
        black_box(count(capture)?);
        Ok([begun.elapsed()])
    })?;
    println!(
        "reading, without a chain:    {:>5.2} M events/s",
        rate(took)
    );
    Ok(())
}

/// Replays a capture through a plugin. Returns the elapsed time, and the CPU time of both threads.
fn replayed(engine: &Engine, plugin: &Origin, capture: &Path) -> Result<[Duration; 2]> {
    let chain = Chain::new(vec![start(engine, plugin)], Nowhere);
    let config = config::Replay {
        publish: None,
        listen: None,
        chain: config::ChainConfig {
            watch_files: false,
            plugins: Vec::new(),
            is_default: false,
            reread: None,
            lines: config::LinesTo::Stdout,
            count: None,
            duration: None,
            stats_every: None,
            json_alerts: false,
            sinks: Vec::new(),
            network: config::Network::default(),
            verbosity: config::Verbosity::Quiet,
        },
        inputs: vec![config::Recorded::File(capture.to_owned())],
        speed: None,
        filters: Default::default(),
        times: config::TimeRange::default(),
        record: None,
    };
    let stop = Stop::at_signals()?;
    let (items, received) = bounded(16);
    let (used, recycled) = bounded(16);
    let (begun, before) = (Instant::now(), cpu_time(ClockId::ProcessCPUTime));
    thread::scope(|scope| {
        let chain = scope.spawn(move || chain.run(&received, &used, ()));
        let channel = Channel { items, recycled };
        let inputs = replay::open(
            &config.inputs,
            fleet::observe,
            &stop,
            &ProgressBar::hidden(),
        );
        let stats = inputs.and_then(|inputs| {
            let inputs = inputs.unwrap_or_default();
            replay::run(
                &config,
                inputs,
                Vec::new(),
                &channel,
                &stop,
                &SharedStats::default(),
            )
        });
        drop(channel);
        let ended = chain.join().expect("the chain does not panic");
        ended.1?;
        black_box(stats?);
        Ok([begun.elapsed(), cpu_time(ClockId::ProcessCPUTime) - before])
    })
}

/// Ten fields, as `--set fields=` names them.
const TEN_FIELDS: &str = "timestamp,source.ip,source.port,destination.ip,destination.port,retransmit.kind,\
                          retransmit.segments,tcp.srtt_us,owner.pid,owner.comm";

/// Compares json-print, with all fields and with ten, with serde_json in native code, all in one thread.
fn printing(engine: &Engine, json_print: &Origin) -> Result<()> {
    let items = batches();
    let ten = Spec {
        settings: [("fields".to_owned(), TEN_FIELDS.to_owned())]
            .into_iter()
            .collect(),
        ..Spec::new("ten", json_print.clone())
    };
    let ten = Plugin::start(engine, &ten)?;
    let mut chains =
        [start(engine, json_print), ten].map(|plugin| Chain::new(vec![plugin], Nowhere));
    let mut lines = Vec::new();
    let [plugin, ten, native] = best(|| {
        let mut took = [Duration::ZERO; 3];
        for item in &items {
            let Item::Events(batch) = item else { continue };
            for (chain, took) in chains.iter_mut().zip(&mut took) {
                let mut given = Batch::new();
                given.extend(batch.records());
                let begun = Instant::now();
                chain.process(&mut given)?;
                *took += begun.elapsed();
            }

            let begun = Instant::now();
            lines.clear();
            for event in batch.events() {
                serde_json::to_writer(&mut lines, event)?;
                lines.push(b'\n');
            }
            black_box(&lines);
            took[2] += begun.elapsed();
        }
        Ok(took)
    })?;
    let of_native = |took: Duration| took.as_secs_f64() / native.as_secs_f64();
    println!(
        "json-print: {:.0} ns an event; serde_json natively: {:.0} ns; × native {:.2}; with ten fields {:.0} ns, {:.2}",
        plugin.as_nanos() as f64 / EVENTS as f64,
        native.as_nanos() as f64 / EVENTS as f64,
        of_native(plugin),
        ten.as_nanos() as f64 / EVENTS as f64,
        of_native(ten),
    );
    Ok(())
}

fn start(engine: &Engine, origin: &Origin) -> Plugin {
    Plugin::start(engine, &Spec::new("plugin", origin.clone())).expect("the plugin starts")
}

fn cpu_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
