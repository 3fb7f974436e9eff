//! The witness, a plugin that fails at the events that a test names, before one that prints.

use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::stream::batch::Item;

use crate::common::chain::Ran;
use crate::common::chain::batch;
use crate::common::chain::bundled;
use crate::common::chain::engine;
use crate::common::chain::run;
use crate::common::chain::spec;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;

/// A witness that panics at these sequences.
pub fn failing_at(sequences: &[u64]) -> Spec {
    let sequences = format!("{sequences:?}");
    spec("witness", &at(WITNESS), &[("panic_at", &sequences)])
}

pub fn at(name: &str) -> Origin {
    Origin::File(fixture(name))
}

pub fn start(spec: &Spec) -> Plugin {
    Plugin::start(engine(), spec).unwrap_or_else(|error| panic!("{error}"))
}

/// Events at intervals of a millisecond. The first is one second after boot.
pub fn events(count: usize) -> Vec<Record> {
    let records = Synth::new(3).take(count).enumerate();
    let timed = records.map(|(number, mut record)| {
        record.set_time(Duration::from_millis(1_000 + number as u64));
        record
    });
    timed.collect()
}

/// Cuts the events into batches of these sizes, which must add up.
pub fn cut(events: &[Record], sizes: &[usize]) -> Vec<Item> {
    let mut rest = events;
    let items = sizes.iter().map(|size| {
        let (first, second) = rest.split_at(*size);
        rest = second;
        Item::Events(batch(first))
    });
    let items = items.collect();
    assert!(rest.is_empty());
    items
}

/// Runs the plugin before json-print.
pub fn run_before_printer(spec: &Spec, items: impl IntoIterator<Item = Item>) -> Ran {
    run(vec![start(spec), bundled("json-print")], items)
}

/// The sequences that json-print printed.
#[track_caller]
pub fn printed(ran: &Ran) -> Vec<u64> {
    let lines = ran.said.lines.iter().filter(|line| line.starts_with('{'));
    let sequence = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line["sequence"].as_u64().expect("a retransmit")
    });
    sequence.collect()
}

/// The first plugin's events: kept, dropped, passed unseen, lost.
pub fn outcomes(ran: &Ran) -> (u64, u64, u64, u64) {
    let page = &ran.report.plugins[0];
    (page.kept, page.dropped, page.passed_unseen, page.lost)
}

#[track_caller]
pub fn counted(ran: &Ran, counter: &str) -> u64 {
    let key = ("witness".to_owned(), counter.to_owned());
    ran.report.counters[&key]
}
