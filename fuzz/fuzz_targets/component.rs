//! Starts generated components and passes events to them. Most components fit the contract; a few are arbitrary.
//!
//! Their code is random code with the imports and exports of one of the contract's worlds, or a script of calls to the
//! host with arbitrary numbers as pointers and lengths. It may loop, trap, and return any value.
#![no_main]

mod scripted;

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary as _;
use arbitrary::Error;
use arbitrary::Unstructured;
use crossbeam_channel::unbounded;
use libfuzzer_sys::Corpus;
use libfuzzer_sys::fuzz_target;
use retrans_event::synth::Synth;
use retrans_fuzz::CheckingSink;
use retrans_fuzz::MemoryFile;
use retrans_fuzz::assert_clear;
use retrans_fuzz::engine;
use retrans_fuzz::limits;
use retrans_host::chain::Chain;
use retrans_host::plugin::Plugin;
use retrans_host::stats::Stats;
use retrans_host::stats::counters::ReplayStats;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;
use retrans_host::stream::labels::Column;
use wasm_smith::Config;
use wit_component::ComponentEncoder;
use wit_component::StringEncoding;
use wit_component::dummy_module;
use wit_component::embed_component_metadata;
use wit_parser::LiftLowerAbi;
use wit_parser::ManglingAndAbi;
use wit_parser::Resolve;
use wit_parser::WorldId;

/// Events in each of the two batches.
const EVENTS: usize = 3;

/// The worlds of the contract. Each exports more than the one before.
const WORLDS: [&str; 3] = ["plugin", "ticking-plugin", "stateful-plugin"];

/// The contract, and for each world a module with its imports and exports.
static CONTRACT: LazyLock<(Resolve, Vec<(WorldId, Vec<u8>)>)> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let contract = include_str!("../../plugin-sdk/wit/plugin.wit");
    let package = resolve.push_str("plugin.wit", contract);
    let package = package.expect("the contract is valid");
    let worlds = WORLDS.map(|name| {
        let world = resolve.select_world(&[package], Some(name));
        let world = world.expect("it is in the contract");
        let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
        (world, dummy_module(&resolve, world, abi))
    });
    (resolve, worlds.into())
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(component) = component(&mut Unstructured::new(bytes)) else {
        return Corpus::Reject;
    };
    let file = MemoryFile::new(&component);
    match Plugin::start(engine(), &file.plugin()) {
        Ok(plugin) => run(plugin),
        Err(error) => assert_clear(&error),
    }
    Corpus::Keep
});

fn component(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let (resolve, worlds) = &*CONTRACT;
    let index = bytes.choose_index(worlds.len())?;
    let (world, example) = &worlds[index];
    let mut module = match bytes.arbitrary::<u8>()? {
        0xff => {
            let component = wasm_smith::Component::new(config(bytes)?, bytes)?;
            return Ok(component.to_bytes());
        }
        0xc0.. => {
            let mut config = config(bytes)?;
            config.available_imports = Some(example.clone());
            config.exports = Some(example.clone());
            wasm_smith::Module::new(config, bytes)?.to_bytes()
        }
        _ => scripted::module(index, bytes)?,
    };
    let unfit = |_| Error::IncorrectFormat;
    embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8).map_err(unfit)?;
    let encoder = ComponentEncoder::default().module(&module);
    let component = encoder.and_then(|mut encoder| encoder.encode());
    component.map_err(unfit)
}

/// A configuration without the WebAssembly features that the host's engine lacks. Components
/// with these would be refused before they run.
fn config(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut config = Config::arbitrary(bytes)?;
    config.custom_page_sizes_enabled = false;
    config.exceptions_enabled = false;
    config.gc_enabled = false;
    config.memory64_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.threads_enabled = false;
    config.wide_arithmetic_enabled = false;
    config.max_instructions = 200;
    config.max_memory32_bytes = 64 << 16;
    Ok(config)
}

/// Sends two batches with a mark between them, and an end. Asserts that all events are
/// accounted for and that the limits hold.
fn run(plugin: Plugin) {
    let mark = |seconds| Mark {
        time: Duration::from_secs(seconds),
        wall_time: Duration::from_secs(seconds),
        lost: 1,
    };
    let (items, receiver) = unbounded();
    let (recycled, _batches) = unbounded();
    let sent = [
        Item::Events(batch(1)),
        Item::Mark(mark(1)),
        Item::Events(batch(2)),
        Item::End(mark(2)),
    ];
    for item in sent {
        items.send(item).expect("the receiver is there");
    }
    drop(items);
    let chain = Chain::new(vec![plugin], CheckingSink::default());
    let (chain_stats, result) = chain.run(&receiver, &recycled, ());
    result.expect("the chain continues when a plugin fails");

    let delivered = 2 * EVENTS as u64;
    let stats = Stats {
        chain: chain_stats,
        ..Stats::of_replay(ReplayStats {
            read: delivered,
            left_out: 0,
            delivered,
        })
    };
    assert!(stats.balances(), "{stats}");
    let chain = &stats.chain;
    assert_eq!(chain.plugins[0].lost, 0);
    let usage = &chain.usage[0];
    assert!(usage.memory_max <= limits().memory as u64, "{usage:?}");
    for (_, metric) in chain.counters.keys() {
        assert!(!metric.contains(char::is_whitespace), "{metric:?}");
    }
}

fn batch(seed: u64) -> Batch {
    let mut batch = Batch::new();
    for record in Synth::new(seed).take(EVENTS) {
        batch.push(record.as_bytes());
    }
    batch.labels.annotate(Column::new("earlier", [(1, "here")]));
    batch
}
