//! Measures the cost of plugins: the same events through native code, one plugin and three plugins, in batches of
//! 1, 64 and 256. Prints a table of ns per event at the end.
//!
//! The filter has no state; its native form is a loop over the batch. The alert keeps a hash map with a sliding window
//! for each peer; its native form is the same plugin without WebAssembly.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use retrans_event::RECORD_SIZE;
use retrans_event::synth::Synth;
use retrans_host::chain::Chain;
use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::stream::batch::Batch;
use retrans_plugin_sdk::testing::NativePlugin;
use threshold_alert::ThresholdAlert;

#[path = "../tests/common/fixtures.rs"]
#[allow(dead_code, reason = "shared with the tests, which use the rest")]
mod fixtures;

#[path = "../tests/common/nowhere.rs"]
mod nowhere;

use nowhere::Nowhere;

const EVENTS: usize = 8_192;
const BATCHES: [usize; 3] = [1, 64, 256];

/// The rows of the table: name of the group, and names of the native measurement and of the measurement with plugins.
const ROWS: [(&str, &str, &str); 3] = [
    ("filter", "native", "plugin"),
    ("alert", "native", "plugin"),
    ("alert_x3", "native", "plugins"),
];

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let engine =
        Engine::without_cache(Compiler::Process(env!("CARGO_BIN_EXE_retrans-host").into()))
            .expect("wasmtime starts");
    let filter = Origin::File(fixtures::fixture(fixtures::HTTPS_ONLY));
    let alert = Origin::Bundled("threshold-alert");

    bench(&mut criterion, "filter", "native", native_filter);
    let mut chain = chain(&engine, &[filter]);
    bench(&mut criterion, "filter", "plugin", |batch| {
        run(&mut chain, batch)
    });

    let mut natives = native_alerts(1);
    bench(&mut criterion, "alert", "native", |batch| {
        run_natives(&mut natives, batch)
    });
    let mut chain = self::chain(&engine, std::slice::from_ref(&alert));
    bench(&mut criterion, "alert", "plugin", |batch| {
        run(&mut chain, batch)
    });

    let mut natives = native_alerts(3);
    bench(&mut criterion, "alert_x3", "native", |batch| {
        run_natives(&mut natives, batch)
    });
    let mut chain = self::chain(&engine, &[alert.clone(), alert.clone(), alert]);
    bench(&mut criterion, "alert_x3", "plugins", |batch| {
        run(&mut chain, batch)
    });

    criterion.final_summary();
    print_table();
}

/// Measures `run` on the same events in batches of each size. The time to fill the batch is
/// included, for native code and for plugins.
fn bench(criterion: &mut Criterion, group: &str, name: &str, mut run: impl FnMut(&mut Batch)) {
    let records: Vec<_> = Synth::new(7).take(EVENTS).collect();
    let span = records[EVENTS - 1].time() - records[0].time();
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(EVENTS as u64));
    let mut shift = Duration::ZERO;
    for size in BATCHES {
        let mut batch = Batch::new();
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            bencher.iter(|| {
                // Each round has later times. With the same times, windows would be empty from the second round on.
                shift += span;
                for records in records.chunks(size) {
                    batch.clear();
                    for record in records {
                        batch.push(record.as_bytes());
                    }
                    for event in batch.events_mut() {
                        event.set_time(event.time() + shift);
                    }
                    run(&mut batch);
                    black_box(batch.len());
                }
            });
        });
    }
    group.finish();
}

fn native_filter(batch: &mut Batch) {
    let keep: Vec<bool> = batch
        .events()
        .map(|event| event.peer().port() == 443)
        .collect();
    batch.retain(|event| keep[event]);
}

fn native_alerts(count: usize) -> Vec<(NativePlugin<ThresholdAlert>, Vec<u8>)> {
    let settings = serde_json::json!({});
    let native = |_| {
        let plugin = NativePlugin::configure(&settings).expect("the defaults are valid");
        (plugin, Vec::with_capacity(256 * RECORD_SIZE))
    };
    (0..count).map(native).collect()
}

/// Runs each native plugin on a copy of the records, because each WebAssembly plugin gets a copy too.
fn run_natives(natives: &mut [(NativePlugin<ThresholdAlert>, Vec<u8>)], batch: &mut Batch) {
    for (native, records) in natives {
        records.clear();
        records.extend_from_slice(batch.records());
        let keep = native.process(records, RECORD_SIZE as u32);
        black_box(&keep);
        assert!(keep.is_ok());
    }
}

fn chain(engine: &Engine, origins: &[Origin]) -> Chain<Nowhere> {
    let plugins = origins.iter().enumerate().map(|(index, origin)| {
        let name = format!("plugin{index}");
        Plugin::start(engine, &Spec::new(&name, origin.clone())).expect("the plugin starts")
    });
    Chain::new(plugins.collect(), Nowhere)
}

fn run(chain: &mut Chain<Nowhere>, batch: &mut Batch) {
    chain.process(batch).expect("the plugins are well-behaved");
}

/// Prints ns per event and the ratio to native code, from the estimates that criterion has written.
fn print_table() {
    println!(
        "\n{:<10} {:>6} {:>14} {:>14} {:>10}",
        "", "batch", "native ns", "plugin ns", "× native"
    );
    for (group, native, plugin) in ROWS {
        for size in BATCHES {
            let (Some(native), Some(plugin)) =
                (median(group, native, size), median(group, plugin, size))
            else {
                continue;
            };
            let factor = plugin / native;
            println!("{group:<10} {size:>6} {native:>14.1} {plugin:>14.1} {factor:>10.2}");
        }
    }
}

/// The median in ns per event; `None` if the measurement was not made.
fn median(group: &str, name: &str, size: usize) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = Path::new(&target)
        .join("criterion")
        .join(group)
        .join(name)
        .join(size.to_string())
        .join("new/estimates.json");
    let estimates: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / EVENTS as f64)
}
