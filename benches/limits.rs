//! Measures the cost of isolation: limits and accounting, recovery from a trap, and the swap to
//! another version of a plugin. Prints a table.
//!
//! Limits and accounting are compared with the same plugin in a bare wasmtime. Both run in alternate rounds and are
//! measured by the CPU time of this thread, so that other load of the machine affects both alike.

use std::fs;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::bounded;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::chain::Chain;
use retrans_host::chain::Change;
use retrans_host::chain::Member;
use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::bundled;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

#[path = "bare/mod.rs"]
mod bare;

#[path = "../tests/common/fixtures.rs"]
#[allow(dead_code, reason = "shared with the tests, which use the rest")]
mod fixtures;

#[path = "../tests/common/nowhere.rs"]
mod nowhere;

use bare::Bare;
use fixtures::fixture;
use nowhere::Nowhere;

const EVENTS: usize = 8_192;
const BATCHES: [usize; 3] = [1, 64, 256];

/// Rounds of each of the two measurements.
const ROUNDS: usize = 400;

/// Number of measured recoveries. Swaps are measured 100 times.
const TIMES: usize = 500;

/// Number of peers in the state that a swap hands over.
const PEERS: usize = 10_000;

fn main() {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let compiler = Compiler::Process(env!("CARGO_BIN_EXE_retrans-host").into());
    let engine = Engine::without_cache(compiler).expect("wasmtime starts");
    println!(
        "{:<12} {:>6} {:>10} {:>10} {:>8}",
        "", "batch", "bare ns", "plugin ns", "factor"
    );
    let filter = Origin::File(fixture(fixtures::HTTPS_ONLY));
    let alert = Origin::Bundled("threshold-alert");
    for (name, origin) in [("filter", filter), ("alert", alert)] {
        let component = match &origin {
            Origin::File(path) => fs::read(path).expect("it was built"),
            Origin::Bundled(name) => bundled::component(name).expect("it is bundled").to_vec(),
        };
        for size in BATCHES {
            let mut bare = Bare::start(&component);
            let mut chain = Chain::new(vec![start(&engine, &origin)], Nowhere);
            let (bare, plugin) = alternate(
                size,
                |batch| bare.process(batch),
                |batch| chain.process(batch).expect("it is well-behaved"),
            );
            let factor = plugin / bare;
            println!("{name:<12} {size:>6} {bare:>10.1} {plugin:>10.1} {factor:>8.2}");
        }
    }
    println!();
    print_times("recovery from a trap, one event", &recoveries(&engine));
    let https = Origin::File(fixture(fixtures::HTTPS_ONLY));
    print_times("swap without state", &swaps(&engine, &https, 0));
    let alert = Origin::Bundled("threshold-alert");
    print_times(
        &format!("swap, threshold-alert with {PEERS} peers"),
        &swaps(&engine, &alert, PEERS),
    );
}

fn start(engine: &Engine, origin: &Origin) -> Plugin {
    Plugin::start(engine, &Spec::new("plugin", origin.clone())).expect("the plugin starts")
}

/// Measures two ways to process the same events in alternate rounds. Returns the median of each in ns per event.
fn alternate(
    size: usize,
    mut first: impl FnMut(&mut Batch),
    mut second: impl FnMut(&mut Batch),
) -> (f64, f64) {
    let records: Vec<Record> = Synth::new(7).take(EVENTS).collect();
    let span = records[EVENTS - 1].time() - records[0].time();
    let mut batch = Batch::new();
    let mut round = |shift: Duration, process: &mut dyn FnMut(&mut Batch)| {
        let before = cpu_time();
        for records in records.chunks(size) {
            batch.clear();
            for record in records {
                batch.push(record.as_bytes());
            }
            // Each round has later times. With the same times, windows would be empty from the second round on.
            for event in batch.events_mut() {
                event.set_time(event.time() + shift);
            }
            process(&mut batch);
            black_box(batch.len());
        }
        cpu_time() - before
    };
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    let mut shift = Duration::ZERO;
    for _ in 0..ROUNDS {
        shift += span;
        firsts.push(round(shift, &mut first));
        seconds.push(round(shift, &mut second));
    }
    let per_event = |times: Vec<Duration>| median(times).as_nanos() as f64 / EVENTS as f64;
    (per_event(firsts), per_event(seconds))
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Measures the times from a call that traps until the plugin is ready again. The batch has one
/// event, on which the plugin fails, and which is passed on.
fn recoveries(engine: &Engine) -> Vec<Duration> {
    let spec = Spec {
        settings: [("panic_at".to_owned(), "[0]".to_owned())]
            .into_iter()
            .collect(),
        ..Spec::new("witness", Origin::File(fixture(fixtures::WITNESS)))
    };
    let plugin = Plugin::start(engine, &spec).expect("the plugin starts");
    let mut chain = Chain::new(vec![plugin], Nowhere);
    let mut event = Synth::new(7).next().expect("the iterator is endless");
    event.set_sequence(0);
    let mut times = Vec::new();
    for number in 0..TIMES as u32 {
        // Fewer than five faults a minute, so that no quarantine begins.
        event.set_time(Duration::from_secs(20) * (number + 1));
        let mut batch = Batch::new();
        batch.push(event.as_bytes());
        let before = Instant::now();
        chain.process(&mut batch).expect("the host goes on");
        times.push(before.elapsed());
        assert_eq!(batch.len(), 1);
    }
    times
}

/// Measures for how long a swap blocks the chain. The plugin has processed retransmits to this number of `peers`.
fn swaps(engine: &Engine, origin: &Origin, peers: usize) -> Vec<Duration> {
    let (changes, receiver) = bounded(1);
    let chain = Chain::new(vec![start(engine, origin)], Nowhere).change_by(receiver);
    let (items, received) = bounded(1);
    let (used, _recycled) = bounded(1);
    let running = std::thread::spawn(move || chain.run(&received, &used, ()).1);
    let events = Synth::with_connections(7, peers.max(1) as u64);
    let mut events = events.take(20 * peers);
    loop {
        let mut batch = Batch::new();
        for record in events.by_ref().take(256) {
            batch.push(record.as_bytes());
        }
        if batch.is_empty() {
            break;
        }
        items.send(Item::Events(batch)).expect("the chain is there");
    }
    items
        .send(Item::Mark(Mark::default()))
        .expect("the chain is there");
    let mut times = Vec::new();
    for _ in 0..TIMES.min(100) {
        let plugin = start(engine, origin);
        let (done, swapped) = bounded(1);
        let before = Instant::now();
        let members = vec![Member::Replaced(0, Box::new(plugin))];
        let change = Change { members, done };
        changes.send(change).expect("the chain is there");
        let swapped = swapped.recv().expect("the chain answers");
        times.push(before.elapsed());
        assert_eq!(swapped, [Ok(())], "it is the same plugin");
    }
    drop(items);
    running.join().expect("no panic").expect("nothing fails");
    times
}

fn print_times(name: &str, times: &[Duration]) {
    let (median, longest) = (median(times.to_vec()), times.iter().max());
    let longest = longest.copied().unwrap_or_default();
    println!("{name:<44} median {median:>10.1?}   longest {longest:>10.1?}");
}
