//! The data that the runner passes to the host, byte by byte.

use std::cell::Cell;
use std::cell::RefCell;

use retrans_event::RECORD_SIZE;
use retrans_event::synth::Synth;

use super::*;
use crate::Alert;
use crate::NoSettings;
use crate::column::Column;

/// A host that records its calls.
#[derive(Default)]
struct RecordingHost {
    label_requests: Cell<u32>,
    changes: RefCell<Vec<(Vec<u32>, Vec<u8>)>>,
    /// Key, events and text of each column.
    columns: RefCell<Vec<(String, Vec<u32>, String)>>,
    lines: RefCell<Vec<u8>>,
    counts: RefCell<Vec<(String, u64)>>,
    gauges: RefCell<Vec<(String, f64)>>,
    observed: RefCell<Vec<(String, Vec<f64>)>>,
}

impl Host for RecordingHost {
    fn lost(&self) -> u64 {
        0
    }

    fn labels(&self) -> Vec<Column> {
        self.label_requests.update(|times| times + 1);
        // A valid column, and one with inconsistent ends.
        vec![
            Column {
                key: "sound".to_owned(),
                events: vec![0, 2],
                ends: vec![1, 3],
                text: "abc".to_owned(),
            },
            Column {
                key: "broken".to_owned(),
                events: vec![0, 1, 2, 3],
                ends: vec![9, 2, 1],
                text: "é".to_owned(),
            },
        ]
    }

    fn change(&self, events: &[u32], records: &[u8]) {
        let change = (events.to_vec(), records.to_vec());
        self.changes.borrow_mut().push(change);
    }

    fn annotate(&self, column: &Column) {
        let Column {
            key, events, text, ..
        } = column;
        let column = (key.clone(), events.clone(), text.clone());
        self.columns.borrow_mut().push(column);
    }

    fn emit(&self, _: &Alert) {}

    fn write(&self, lines: &[u8]) {
        self.lines.borrow_mut().extend(lines);
    }

    fn count(&self, metric: &str, by: u64) {
        self.counts.borrow_mut().push((metric.to_owned(), by));
    }

    fn gauge(&self, metric: &str, value: f64) {
        self.gauges.borrow_mut().push((metric.to_owned(), value));
    }

    fn observe(&self, metric: &str, values: &[f64]) {
        let observed = (metric.to_owned(), values.to_vec());
        self.observed.borrow_mut().push(observed);
    }
}

/// A plugin from a function that is called for each event.
struct FunctionPlugin(fn(&mut Event<'_>, &mut Output) -> Result<Verdict>);

impl Plugin for FunctionPlugin {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(FunctionPlugin(|_, _| Ok(Verdict::Keep)))
    }

    fn on_event(&mut self, event: &mut Event<'_>, out: &mut Output) -> Result<Verdict> {
        (self.0)(event, out)
    }
}

fn runner(function: fn(&mut Event<'_>, &mut Output) -> Result<Verdict>) -> Runner<FunctionPlugin> {
    let mut runner = Runner::<FunctionPlugin>::configure("{}").expect("there are no settings");
    runner.plugin = FunctionPlugin(function);
    runner
}

fn records(count: usize) -> Vec<u8> {
    let records = Synth::new(1).take(count);
    records
        .flat_map(|record| record.as_bytes().to_vec())
        .collect()
}

fn process(runner: &mut Runner<FunctionPlugin>, host: &RecordingHost, count: u32) -> Result<Keep> {
    let mut records = records(count as usize);
    runner.process(host, count, RECORD_SIZE as u32, &mut records)
}

#[test]
fn one_bit_for_each_event_says_whether_it_goes_on_and_the_rest_is_0() {
    let host = RecordingHost::default();
    let mut every_third = runner(|event, _| Ok(Verdict::keep_if(event.sequence() % 3 == 0)));
    for (count, bits) in [
        (3, vec![0b001]),
        (8, vec![0b0100_1001]),
        (9, vec![0b0100_1001, 0]),
        (10, vec![0b0100_1001, 0b10]),
    ] {
        let keep = process(&mut every_third, &host, count).expect("it is sound");
        assert_eq!(keep, Keep::Bits(bits), "of {count}");
    }
    assert_eq!(
        process(&mut every_third, &host, 1).expect("it is sound"),
        Keep::All
    );
    let mut nothing = runner(|_, _| Ok(Verdict::Drop));
    assert_eq!(
        process(&mut nothing, &host, 9).expect("it is sound"),
        Keep::None
    );
    assert_eq!(
        process(&mut nothing, &host, 0).expect("it is sound"),
        Keep::All
    );
}

#[test]
fn only_kept_and_changed_records_cross_back() {
    let host = RecordingHost::default();
    let mut runner = runner(|event, _| {
        let sequence = event.sequence();
        if sequence % 4 > 1 {
            event.set_mark(Some(sequence as u32));
        }
        Ok(Verdict::keep_if(sequence % 4 != 2))
    });
    process(&mut runner, &host, 12).expect("it is sound");
    let changes = host.changes.borrow();
    let [(events, bytes)] = changes.as_slice() else {
        panic!("one call for all: {changes:?}")
    };
    assert_eq!(events, &[3, 7, 11]);
    assert_eq!(bytes.len(), 3 * RECORD_SIZE);
    for (number, bytes) in events.iter().zip(bytes.chunks_exact(RECORD_SIZE)) {
        let mut expected = Synth::new(1)
            .nth(*number as usize)
            .expect("there is no end");
        expected.set_mark(Some(*number));
        assert_eq!(bytes, expected.as_bytes());
    }
}

#[test]
fn of_records_with_unknown_fields_every_byte_crosses_back() {
    let host = RecordingHost::default();
    let longer: Vec<u8> = Synth::new(1)
        .take(3)
        .flat_map(|record| [record.as_bytes(), b"a newer field"].concat())
        .collect();
    let size = RECORD_SIZE + b"a newer field".len();
    let mut runner = runner(|event, _| {
        event.set_mark(Some(1));
        Ok(Verdict::Keep)
    });
    let keep = runner.process(&host, 3, size as u32, &mut longer.clone());
    assert_eq!(keep.expect("it is sound"), Keep::All);
    let changes = host.changes.borrow();
    let newer = changes[0]
        .1
        .chunks_exact(size)
        .map(|record| &record[RECORD_SIZE..]);
    assert!(newer.eq([b"a newer field"; 3]));
}

#[test]
fn of_shorter_records_later_fields_are_unknown() {
    let host = RecordingHost::default();
    let shorter: Vec<u8> = Synth::new(1)
        .take(3)
        .flat_map(|record| record.as_bytes()[..CORE_SIZE].to_vec())
        .collect();
    let mut runner = runner(|event, out| {
        event.set_mark(Some(1));
        out.line(format_args!("{:?} {:?}", event.mark(), event.sequence()));
        Ok(Verdict::Keep)
    });
    let keep = runner.process(&host, 3, CORE_SIZE as u32, &mut shorter.clone());
    assert_eq!(keep.expect("it is sound"), Keep::All);
    assert_eq!(*host.lines.borrow(), b"None 0\nNone 1\nNone 2\n");
}

#[test]
fn bytes_that_are_not_records_are_refused() {
    let host = RecordingHost::default();
    let mut runner = runner(|_, _| Ok(Verdict::Keep));
    for (count, size, bytes) in [
        (2, 288, 575),
        (1, 87, 87),
        (1, 0, 0),
        (u32::MAX, u32::MAX, 288),
    ] {
        let error = runner.process(&host, count, size, &mut vec![0; bytes]);
        assert_eq!(
            error.expect_err("they are not records").to_string(),
            format!(
                "the host passed {bytes} bytes as {count} records of {size} bytes; \
                 a record has at least 88"
            )
        );
    }
}

#[test]
fn labels_cross_in_one_column_a_key_without_those_of_dropped_events() {
    let host = RecordingHost::default();
    let mut runner = runner(|event, _| {
        event.set_label("n", event.sequence());
        if event.sequence() == 3 {
            event.set_label("last", "yes");
        }
        Ok(Verdict::keep_if(event.sequence() != 2))
    });
    process(&mut runner, &host, 4).expect("it is sound");
    assert_eq!(
        *host.columns.borrow(),
        [
            ("last".to_owned(), vec![3], "yes".to_owned()),
            ("n".to_owned(), vec![0, 1, 3], "013".to_owned()),
        ]
    );
    assert_eq!(host.label_requests.get(), 0, "no label was read");
}

#[test]
fn labels_are_fetched_once_and_inconsistent_columns_have_no_labels() {
    let host = RecordingHost::default();
    let mut runner = runner(|event, out| {
        let labels: Vec<String> = event
            .labels()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        out.line(labels.join(" "));
        assert_eq!(event.label("sound").is_some(), event.sequence() != 1);
        Ok(Verdict::Keep)
    });
    process(&mut runner, &host, 3).expect("it is sound");
    assert_eq!(*host.lines.borrow(), b"sound=a\n\nsound=bc\n");
    assert_eq!(host.label_requests.get(), 1);
    process(&mut runner, &host, 3).expect("it is sound");
    assert_eq!(host.label_requests.get(), 2, "a call has its own");
}

#[test]
fn a_call_that_fails_says_nothing_and_leaves_nothing() {
    let host = RecordingHost::default();
    let mut runner = runner(|event, out| {
        event.set_mark(Some(1));
        event.set_label("n", 1);
        out.line("said");
        out.count("said", 1);
        out.gauge("sequence", event.sequence() as f64);
        out.observe("sequence", event.sequence() as f64);
        out.gauge("none", f64::NAN);
        out.observe("none", f64::INFINITY);
        ensure!(event.sequence() < 2, "no further");
        Ok(Verdict::Keep)
    });
    process(&mut runner, &host, 4).expect_err("the third event fails");
    assert!(host.changes.borrow().is_empty());
    assert!(host.columns.borrow().is_empty());
    assert!(host.lines.borrow().is_empty());
    assert!(host.counts.borrow().is_empty());
    assert!(host.gauges.borrow().is_empty());
    assert!(host.observed.borrow().is_empty());

    process(&mut runner, &host, 1).expect("one event is sound");
    assert_eq!(host.changes.borrow()[0].0, [0]);
    assert_eq!(host.columns.borrow()[0].1, [0]);
    assert_eq!(*host.lines.borrow(), b"said\n");
    assert_eq!(*host.counts.borrow(), [("said".to_owned(), 1)]);

    process(&mut runner, &host, 2).expect("two events are sound");
    assert_eq!(host.counts.borrow()[1], ("said".to_owned(), 2));
    let sequence = |value| ("sequence".to_owned(), value);
    assert_eq!(host.gauges.borrow()[1..], [sequence(1.0)]);
    assert_eq!(
        host.observed.borrow()[1..],
        [("sequence".to_owned(), vec![0.0, 1.0])]
    );
}
