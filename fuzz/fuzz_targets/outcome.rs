//! Whatever a plugin says in a call, and whatever it answers: the batch ends up as a simple model
//! has it, or is untouched.
#![no_main]

mod said;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::synth::Synth;
use retrans_fuzz::Checked;
use retrans_fuzz::assert_clear;
use retrans_fuzz::assert_labels_fit;
use retrans_fuzz::limits;
use retrans_host::stream::batch::Batch;
use retrans_host::chain::commit;
use retrans_host::plugin::BadAnswer;
use retrans_host::plugin::Outcome;
use retrans_host::plugin::fuzzing::Keep as Answer;
use retrans_host::plugin::fuzzing::Running;

use self::said::Case;
use self::said::Said;

/// Fields that no plugin changes.
const HOSTS: [&str; 6] = [
    "size",
    "cpu",
    "sequence",
    "boot_time_ns",
    "wall_time_ns",
    "cpu_sequence",
];

/// Labels of one event, by their keys.
type Labels = BTreeMap<String, String>;

fuzz_target!(|case: Case| {
    let before = Model::of(&case.batch());
    let mut batch = case.batch();
    let mut running = Running::begin(&mut batch, limits());
    let mut said = Vec::new();
    let mut trapped = false;
    for call in case.calls(batch.len()) {
        if let Err(error) = call.say(running.host()) {
            assert!(error.is::<BadAnswer>(), "{error}");
            assert_clear(&error);
            trapped = true;
            break;
        }
        said.push(call);
    }
    let keep = (!trapped).then(|| case.keep(batch.len()));
    match running.end(&mut batch, keep.clone()) {
        Some(Ok(outcome)) => {
            let keep = keep.expect("a call that trapped has no outcome");
            committed(batch, before, outcome, &said, &keep, case.cut.into());
        }
        refused => {
            if let Some(Err(error)) = refused {
                assert_clear(&error);
            }
            assert_eq!(Model::of(&batch), before);
        }
    }
});

/// What was said takes effect, as the model has it.
fn committed(
    mut batch: Batch,
    before: Model,
    outcome: Outcome,
    said: &[Said],
    keep: &Answer,
    cut: usize,
) {
    let expected = before.after(said, keep);
    let counts = outcome.staged.counts.clone();
    let mut sink = Checked::default();
    let changed = commit(&mut batch, outcome, &mut sink).expect("the sink takes all");

    assert_labels_fit(&batch);
    assert_eq!(changed, expected.changed);
    assert_eq!(sink.lines, expected.lines);
    let alerts = sink.alerts.iter();
    let alerts = alerts.map(|alert| (alert.name.clone(), alert.connection, alert.wall_time));
    assert!(alerts.eq(expected.alerts));
    assert_eq!(counts, expected.counts);
    for (metric, _) in &counts {
        let odd = |char: char| char.is_whitespace() || char.is_control();
        assert!((1..=64).contains(&metric.len()) && !metric.contains(odd));
    }
    assert_eq!(Model::of(&batch), expected.model);

    // A batch that is taken apart and put together again is the same.
    let second = batch.split_off(cut.min(batch.len()));
    assert_labels_fit(&batch);
    assert_labels_fit(&second);
    batch.append(&second);
    assert_eq!(Model::of(&batch), expected.model);
}

/// Events as a list of theirs, each with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model(Vec<(Vec<u8>, Labels)>);

/// What is to become of a batch, and what is to come out.
struct After {
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

    fn after(self, said: &[Said], keep: &Answer) -> After {
        let mut alerts = Vec::new();
        let (mut lines, mut counts) = (Vec::new(), Vec::new());
        let mut events = self.0.clone();
        let mut changed = vec![false; events.len()];
        let last = self.event(events.len() - 1).wall_time();
        for said in said {
            match said {
                Said::Change(numbers, records) => {
                    let size = self.0[0].0.len();
                    for (number, record) in numbers.iter().zip(records.chunks(size)) {
                        let number = *number as usize;
                        changed[number] = true;
                        let original = &self.0[number].0;
                        events[number].0 = with_hosts_fields(record, original);
                    }
                }
                Said::Annotate(column) => {
                    let mut start = 0;
                    for (number, end) in column.events.iter().zip(&column.ends) {
                        let value = column.text[start..*end as usize].to_owned();
                        start = *end as usize;
                        let labels = &mut events[*number as usize].1;
                        labels.insert(column.key.clone(), value);
                    }
                }
                Said::Emit(alert) => {
                    let about = alert.event.map(|number| self.event(number as usize));
                    let connection = about.map(|event| (event.local(), event.peer()));
                    let wall_time = about.map_or(last, Event::wall_time);
                    alerts.push((alert.name.clone(), connection, wall_time));
                }
                Said::Write(text) => lines.extend_from_slice(text),
                Said::Count(metric, by) => counts.push((metric.clone(), *by)),
                Said::Log(..) => {}
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
        After {
            model: Model(kept.map(|(_, event)| event).collect()),
            changed: changed.iter().filter(|changed| **changed).count() as u64,
            lines,
            alerts,
            counts,
        }
    }
}

fn with_hosts_fields(record: &[u8], original: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    let hosts = FIELDS.iter().filter(|field| HOSTS.contains(&field.name));
    for field in hosts {
        let place = field.offset..field.offset + field.size;
        record[place.clone()].copy_from_slice(&original[place]);
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
