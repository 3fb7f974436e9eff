//! Makes arbitrary host calls and an arbitrary answer of a plugin in a call. The resulting
//! batch is as a simple model computes it, or unchanged.
#![no_main]

mod calls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::synth::Synth;
use retrans_fuzz::CheckingSink;
use retrans_fuzz::assert_clear;
use retrans_fuzz::assert_labels_fit;
use retrans_fuzz::limits;
use retrans_host::chain::commit;
use retrans_host::plugin::BadAnswer;
use retrans_host::plugin::Outcome;
use retrans_host::plugin::fuzzing::Keep as Answer;
use retrans_host::plugin::fuzzing::Running;
use retrans_host::stream::batch::Batch;

use self::calls::Case;
use self::calls::HostCall;

/// Fields that belong to the host: plugins cannot change them.
const HOST_FIELDS: [&str; 6] = [
    "size",
    "cpu",
    "sequence",
    "boot_time_ns",
    "wall_time_ns",
    "cpu_sequence",
];

/// Labels of one event, by key.
type Labels = BTreeMap<String, String>;

fuzz_target!(|case: Case| {
    let before = Model::of(&case.batch());
    let mut batch = case.batch();
    let mut running = Running::begin(&mut batch, limits());
    let mut calls = Vec::new();
    let mut trapped = false;
    for call in case.calls(batch.len()) {
        if let Err(error) = call.perform(running.host()) {
            assert!(error.is::<BadAnswer>(), "{error}");
            assert_clear(&error);
            trapped = true;
            break;
        }
        calls.push(call);
    }
    let keep = (!trapped).then(|| case.keep(batch.len()));
    match running.end(&mut batch, keep.clone()) {
        Some(Ok(outcome)) => {
            let keep = keep.expect("a call that trapped has no outcome");
            check_commit(batch, before, outcome, &calls, &keep, case.split_at.into());
        }
        refused => {
            if let Some(Err(error)) = refused {
                assert_clear(&error);
            }
            assert_eq!(Model::of(&batch), before);
        }
    }
});

/// Commits the effects of the calls, and asserts that they are as the model computes them.
fn check_commit(
    mut batch: Batch,
    before: Model,
    outcome: Outcome,
    calls: &[HostCall],
    keep: &Answer,
    split_at: usize,
) {
    let expected = before.after(calls, keep);
    let counts = outcome.staged.counts.clone();
    let mut sink = CheckingSink::default();
    let changed = commit(&mut batch, outcome, &mut sink).expect("the sink does not fail");

    assert_labels_fit(&batch);
    assert_eq!(changed, expected.changed);
    assert_eq!(sink.lines, expected.lines);
    let alerts = sink.alerts.iter();
    let alerts = alerts.map(|alert| (alert.name.clone(), alert.connection, alert.wall_time));
    assert!(alerts.eq(expected.alerts));
    assert_eq!(counts, expected.counts);
    for (metric, _) in &counts {
        let forbidden = |char: char| char.is_whitespace() || char.is_control();
        assert!((1..=64).contains(&metric.len()) && !metric.contains(forbidden));
    }
    assert_eq!(Model::of(&batch), expected.model);

    // Splitting a batch and appending the parts gives the same batch.
    let second = batch.split_off(split_at.min(batch.len()));
    assert_labels_fit(&batch);
    assert_labels_fit(&second);
    batch.append(&second);
    assert_eq!(Model::of(&batch), expected.model);
}

/// A batch as a list of events: the bytes of the record, and the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model(Vec<(Vec<u8>, Labels)>);

/// The expected batch after a call, and the expected output of the call.
struct Expected {
    model: Model,
    changed: u64,
    lines: Vec<u8>,
    alerts: Vec<(String, Option<(SocketAddr, SocketAddr)>, Duration)>,
    counts: Vec<(String, u64)>,
}

impl Model {
    fn of(batch: &Batch) -> Model {
        let records = (0..batch.len()).map(|event| batch.record(event).to_vec());
        let mut events: Vec<_> = records.map(|record| (record, Labels::new())).collect();
        for column in batch.labels.columns() {
            for (event, value) in column.iter() {
                let labels = &mut events[event as usize].1;
                let before = labels.insert(column.key.clone(), value.to_owned());
                assert_eq!(before, None, "two columns have the key {:?}", column.key);
            }
        }
        Model(events)
    }

    fn event(&self, number: usize) -> &Event {
        Event::new(&self.0[number].0).expect("a whole record")
    }

    fn after(self, calls: &[HostCall], keep: &Answer) -> Expected {
        let mut alerts = Vec::new();
        let (mut lines, mut counts) = (Vec::new(), Vec::new());
        let mut events = self.0.clone();
        let mut changed = vec![false; events.len()];
        let last = self.event(events.len() - 1).wall_time();
        for call in calls {
            match call {
                HostCall::Change(numbers, records) => {
                    let size = self.0[0].0.len();
                    for (number, record) in numbers.iter().zip(records.chunks(size)) {
                        let number = *number as usize;
                        changed[number] = true;
                        let original = &self.0[number].0;
                        events[number].0 = with_host_fields(record, original);
                    }
                }
                HostCall::Annotate(column) => {
                    let mut start = 0;
                    for (number, end) in column.events.iter().zip(&column.ends) {
                        let value = column.text[start..*end as usize].to_owned();
                        start = *end as usize;
                        let labels = &mut events[*number as usize].1;
                        labels.insert(column.key.clone(), value);
                    }
                }
                HostCall::Emit(alert) => {
                    let about = alert.event.map(|number| self.event(number as usize));
                    let connection = about.map(|event| (event.local(), event.peer()));
                    let wall_time = about.map_or(last, Event::wall_time);
                    alerts.push((alert.name.clone(), connection, wall_time));
                }
                HostCall::Write(text) => lines.extend_from_slice(text),
                HostCall::Count(metric, by) => counts.push((metric.clone(), *by)),
                HostCall::Log(..) => {}
            }
        }
        let kept = events
            .into_iter()
            .enumerate()
            .filter(|(number, _)| match keep {
                Answer::All => true,
                Answer::None => false,
                Answer::Bits(bits) => bits[number / 8] & (1 << (number % 8)) != 0,
            });
        Expected {
            model: Model(kept.map(|(_, event)| event).collect()),
            changed: changed.iter().filter(|changed| **changed).count() as u64,
            lines,
            alerts,
            counts,
        }
    }
}

/// The record with the host's fields of the original.
fn with_host_fields(record: &[u8], original: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    let fields = FIELDS
        .iter()
        .filter(|field| HOST_FIELDS.contains(&field.name));
    for field in fields {
        let range = field.offset..field.offset + field.size;
        record[range.clone()].copy_from_slice(&original[range]);
    }
    record
}

impl Case {
    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        for record in Synth::new(self.seed.into()).take(usize::from(self.events) + 1) {
            batch.push(record.as_bytes());
        }
        for column in self.labels(batch.len()) {
            batch.labels.annotate(column);
        }
        batch
    }
}
