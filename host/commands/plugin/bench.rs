//! `plugin bench`: what a plugin costs for each event, beside a plugin that keeps every event.
//!
//! The plugins run in turn in each round, so that the noise of the machine reaches all of them: figures of one run can
//! be compared, and figures of two runs only by their ratio to the pass-through plugin.

use std::io;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use bytesize::ByteSize;
use retrans_event::synth::Synth;
use serde::Serialize;

use super::super::print_result;
use crate::chain::Chain;
use crate::config::PluginBench;
use crate::plugin::Compiler;
use crate::plugin::Engine;
use crate::plugin::Origin;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::THREAD_STACK;
use crate::plugin::bundled;
use crate::sink::Sink;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;
use crate::stream::moment::Moment;
use crate::system::threads;

/// Numbers of events in a call.
const BATCHES: [usize; 3] = [1, 64, 256];
/// Events of a round.
const EVENTS: usize = 8_192;
/// Rounds of each plugin and size of batches. One more comes before them, and is not counted.
const ROUNDS: usize = 9;
/// Connections of the synthetic events.
const CONNECTIONS: u64 = 1_000;

/// What was measured of a plugin.
#[derive(Debug, Serialize)]
struct Measured {
    plugin: String,
    /// CPU time for each event.
    batches: Vec<PerEvent>,
    /// From the bytes of the component until it is compiled and checked.
    compile_ms: f64,
    /// Until an instance is configured.
    start_us: f64,
    /// Linear memory after all events, in bytes.
    memory: u64,
}

/// CPU time of the chain for each event, in ns.
#[derive(Debug, Serialize)]
struct PerEvent {
    events_in_a_call: usize,
    median_ns: f64,
    min_ns: f64,
    max_ns: f64,
}

/// A plugin that is being measured.
struct Subject {
    name: String,
    chain: Chain<Nowhere>,
    compile: Duration,
    start: Duration,
    /// For each of [`BATCHES`] the times of the rounds for one event, in ns.
    rounds: [Vec<f64>; BATCHES.len()],
}

/// Takes everything, and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn lines(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn alerts(&mut self, _: &[Alert]) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Measures plugins, and prints the figures.
pub fn bench(config: &PluginBench) -> Result<()> {
    let pass_through = Spec::new(
        bundled::PASS_THROUGH,
        Origin::Bundled(bundled::PASS_THROUGH),
    );
    let mut specs = vec![pass_through];
    specs.extend(config.plugins.iter().cloned());
    let measuring = threads::named("bench").stack_size(THREAD_STACK);
    let measuring = measuring.spawn(move || measure(&specs));
    let measuring = measuring.context("cannot start a thread")?.join();
    let measured = measuring.map_err(|_| anyhow!("the measurement panicked"))??;
    print_result(&match config.json {
        true => serde_json::to_string(&measured)? + "\n",
        false => table(&measured),
    })
}

fn measure(specs: &[Spec]) -> Result<Vec<Measured>> {
    let engine = Engine::without_cache(Compiler::this_program());
    let mut engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    engine.show_compiling = true;
    let mut subjects = specs
        .iter()
        .map(|spec| Subject::start(&engine, spec))
        .collect::<Result<Vec<_>>>()?;
    let records: Vec<_> = Synth::with_connections(1, CONNECTIONS)
        .take(EVENTS)
        .collect();
    for round in 0..=ROUNDS {
        for (index, size) in BATCHES.iter().enumerate() {
            for subject in &mut subjects {
                let mut batches: Vec<Batch> = Vec::with_capacity(EVENTS.div_ceil(*size));
                for records in records.chunks(*size) {
                    let mut batch = Batch::new();
                    records
                        .iter()
                        .for_each(|record| batch.push(record.as_bytes()));
                    batches.push(batch);
                }
                let before = threads::cpu_time();
                for batch in &mut batches {
                    subject.chain.process(batch)?;
                }
                let taken = threads::cpu_time().saturating_sub(before);
                if round > 0 {
                    subject.rounds[index].push(taken.as_nanos() as f64 / EVENTS as f64);
                }
            }
        }
    }
    Ok(subjects.into_iter().map(Subject::measured).collect())
}

impl Subject {
    fn start(engine: &Engine, spec: &Spec) -> Result<Subject> {
        let begun = Instant::now();
        let plugin = Plugin::start(engine, spec)?;
        let whole = begun.elapsed();
        let begun = Instant::now();
        plugin.prepared.instance(None, Moment::default())?;
        let start = begun.elapsed();
        Ok(Subject {
            name: spec.name.clone(),
            chain: Chain::new(vec![plugin], Nowhere),
            compile: whole.saturating_sub(start),
            start,
            rounds: Default::default(),
        })
    }

    fn measured(self) -> Measured {
        let memory = self
            .chain
            .stats()
            .usage
            .first()
            .map_or(0, |usage| usage.memory);
        let batches = BATCHES.iter().zip(self.rounds).map(|(size, mut times)| {
            times.sort_by(f64::total_cmp);
            PerEvent {
                events_in_a_call: *size,
                median_ns: times[times.len() / 2],
                min_ns: times[0],
                max_ns: times[times.len() - 1],
            }
        });
        Measured {
            plugin: self.name,
            batches: batches.collect(),
            compile_ms: self.compile.as_secs_f64() * 1e3,
            start_us: self.start.as_secs_f64() * 1e6,
            memory,
        }
    }
}

/// The figures for people; the first is that of the pass-through plugin.
fn table(measured: &[Measured]) -> String {
    let mut lines = vec![format!(
        "{:<24}{:>18}{:>18}{:>18}",
        "CPU ns for each event", "1 event a call", "64 events", "256 events"
    )];
    let base = &measured[0];
    for plugin in measured {
        let mut line = format!("{:<24}", plugin.plugin);
        for (time, base) in plugin.batches.iter().zip(&base.batches) {
            let ratio = time.median_ns / base.median_ns;
            line += &format!("{:>10.0} ({ratio:>4.1} ×)", time.median_ns);
        }
        lines.push(line);
    }
    lines.push(format!(
        "\n{:<24}{:>18}{:>18}{:>18}{:>18}",
        "", "compiled in", "an instance in", "memory", "events/s at 256"
    ));
    for plugin in measured {
        let per_second = plugin
            .batches
            .last()
            .map_or(0.0, |batch| 1e9 / batch.median_ns);
        lines.push(format!(
            "{:<24}{:>15.0} ms{:>15.0} µs{:>18}{:>18.0}",
            plugin.plugin,
            plugin.compile_ms,
            plugin.start_us,
            ByteSize(plugin.memory).to_string(),
            per_second
        ));
    }
    lines.push(format!(
        "\nMedians of {ROUNDS} rounds of {EVENTS} synthetic events, and multiples of the plugin that keeps every event."
    ));
    lines.join("\n") + "\n"
}
