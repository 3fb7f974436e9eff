//! Answers that do not fit the contract are refused and have no effect.

use std::fs;

use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::RECORD_SIZE;
use retrans_host::chain::Chain;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::StartError;
use retrans_host::stream::batch::Item;
use retrans_host::stream::labels::Column;

use crate::common::chain::Recorder;
use crate::common::chain::drive;
use crate::common::chain::mark;
use crate::common::chain::plugin;
use crate::common::chain::run;
use crate::common::chain::start;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::unimplemented;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::support::liar::allowed;
use crate::support::liar::fault_in_process;
use crate::support::liar::labelled;
use crate::support::liar::liar;
use crate::support::liar::lines;
use crate::support::liar::records;
use crate::support::liar::start_liar;

#[test]
fn what_a_good_call_says_takes_effect() {
    // Valid answers must have an effect, or the tests below would prove nothing.
    let recorder = Recorder::default();
    let mut chain = Chain::new(vec![liar("says_everything")], recorder.clone());
    let mut batch = labelled();
    chain.process(&mut batch).expect("it fits the contract");

    let ports: Vec<u16> = batch.events().map(Event::peer_port).collect();
    let mut expected: Vec<u16> = records().iter().map(|record| record.peer_port()).collect();
    expected[0] = 1;
    assert_eq!(ports, expected);
    let said = Column::new("said", (0..10).map(|event| (event, "true")));
    let labels = [Column::new("earlier", [(3, "here")]), said];
    assert_eq!(batch.labels.columns(), labels);
    let (report, _) = drive(chain, []);
    let counters: Vec<_> = report.counters.into_iter().collect();
    assert_eq!(counters, [(("liar".to_owned(), "said".to_owned()), 1)]);
    let said = recorder.take();
    assert_eq!(said.lines, ["said"]);
    assert_eq!(said.alerts.len(), 1);
    let first = &records()[0];
    assert_eq!(said.alerts[0].plugin, "liar");
    assert_eq!(said.alerts[0].wall_time, first.wall_time());
    let connection = Some((first.local(), first.peer()));
    assert_eq!(said.alerts[0].connection, connection);
}

#[test]
fn keep_bits_that_do_not_fit_the_events_are_refused() {
    assert_eq!(
        fault_in_process("keep_too_few"),
        "keep: 1 bytes of bits for 10 events, expected 2"
    );
    assert_eq!(
        fault_in_process("keep_too_many"),
        "keep: 3 bytes of bits for 10 events, expected 2"
    );
    assert_eq!(
        fault_in_process("keep_beyond_the_last"),
        "keep: bits are set beyond the last of 10 events"
    );
}

#[test]
fn changes_of_events_that_are_not_there_or_out_of_order_are_refused() {
    for (act, event) in [
        ("change_unknown", 10),
        ("change_repeated", 3),
        ("change_descending", 2),
    ] {
        let expected =
            format!("change: event {event} is out of order, or not one of this call's 10 events");
        assert_eq!(fault_in_process(act), expected);
    }
}

#[test]
fn changed_records_of_another_size_are_refused() {
    for (act, bytes) in [
        ("change_too_long", 2 * RECORD_SIZE + 1),
        ("change_too_short", 2 * RECORD_SIZE - 1),
    ] {
        let expected = format!("change: 2 events of {RECORD_SIZE} bytes each, but {bytes} bytes");
        assert_eq!(fault_in_process(act), expected);
    }
}

#[test]
fn a_change_of_an_event_that_is_dropped_is_refused() {
    assert_eq!(
        fault_in_process("change_dropped"),
        "change: event 0 is changed, but not kept"
    );
}

#[test]
fn what_belongs_to_the_host_cannot_be_changed() {
    let mut changed = labelled();
    let mut chain = Chain::new(vec![liar("change_every_byte")], Recorder::default());
    chain.process(&mut changed).expect("it fits the contract");

    let hosts = [
        "size",
        "cpu",
        "sequence",
        "boot_time_ns",
        "wall_time_ns",
        "cpu_sequence",
    ];
    for field in FIELDS {
        let bytes = field.offset..field.offset + field.size;
        for (event, original) in records().iter().enumerate() {
            let original = &original.as_bytes()[bytes.clone()];
            let inverted: Vec<u8> = original.iter().map(|byte| !byte).collect();
            let expected = match hosts.contains(&field.name) {
                true => original,
                false => &inverted,
            };
            let changed = &changed.record(event)[bytes.clone()];
            assert_eq!(changed, expected, "{} of event {event}", field.name);
        }
    }
}

#[test]
fn labels_on_events_that_are_not_there_or_out_of_order_are_refused() {
    let out_of_order = "is out of order, or not one of this call's 10 events";
    assert_eq!(
        fault_in_process("annotate_unknown"),
        format!("annotate: label \"key\": event 10 {out_of_order}")
    );
    assert_eq!(
        fault_in_process("annotate_descending"),
        format!("annotate: label \"key\": event 0 {out_of_order}")
    );
}

#[test]
fn labels_whose_parts_do_not_fit_together_are_refused() {
    assert_eq!(
        fault_in_process("annotate_without_key"),
        "annotate: a label has an empty key"
    );
    assert_eq!(
        fault_in_process("annotate_fewer_ends"),
        "annotate: label \"key\": 2 events, but 1 ends"
    );
    for (act, end, bytes) in [
        ("annotate_descending_ends", 1, 2),
        ("annotate_end_beyond", u32::MAX, 1),
        ("annotate_end_before", 1, 2),
        ("annotate_within_a_character", 1, 2),
    ] {
        let expected =
            format!("annotate: label \"key\": end {end} does not fit the text of {bytes} bytes");
        assert_eq!(fault_in_process(act), expected);
    }
}

#[test]
fn alerts_that_name_nothing_are_refused() {
    assert_eq!(
        fault_in_process("emit_without_name"),
        "emit: the alert has no name"
    );
    assert_eq!(
        fault_in_process("emit_about_unknown"),
        "emit: event 10 is not one of this call's 10 events"
    );
}

#[test]
fn output_that_is_not_whole_lines_of_text_is_refused() {
    assert_eq!(
        fault_in_process("write_half_a_line"),
        "write: the last line has no line feed"
    );
    assert_eq!(
        fault_in_process("write_no_text"),
        "write: not UTF-8 at byte 1"
    );
}

#[test]
fn counters_with_names_that_nobody_could_read_are_refused() {
    assert_eq!(
        fault_in_process("count_without_name"),
        "count: the name is empty"
    );
    for act in ["count_in_two_words", "count_at_length"] {
        assert_eq!(
            fault_in_process(act),
            "count: a name has at most 64 bytes, and no spaces"
        );
    }
}

#[test]
fn gauges_and_observations_are_checked_as_counters_are() {
    for (act, error) in [
        ("gauge_without_name", "gauge: the name is empty"),
        (
            "gauge_that_is_no_number",
            "gauge: a value is no finite number",
        ),
        ("observe_infinity", "observe: a value is no finite number"),
        (
            "observe_a_million_times",
            "observe: more than 256 times in one call",
        ),
        (
            "observe_more_than_the_output",
            "more than 8388608 bytes of output in one call",
        ),
    ] {
        assert_eq!(fault_in_process(act), error, "{act}");
    }
}

#[test]
fn the_gauges_and_histograms_of_one_plugin_are_bounded_and_the_others_counted() {
    let items = (0..4).map(|_| Item::Events(labelled()));
    let ran = run(vec![start_as("many", "metrics_ever_more")], items);
    ran.result.expect("it fits the contract");
    assert_eq!(
        (ran.report.gauges.len(), ran.report.histograms.len()),
        (256, 32)
    );
    let key = |name: &str| ("many".to_owned(), name.to_owned());
    assert_eq!(ran.report.gauges[&key("gauge_255")], -0.5);
    let histogram = &ran.report.histograms[&key("histogram_0")];
    assert_eq!((histogram.count(), histogram.sum()), (2, 3.2));
    let refused = 400 - 256 + 400 - 32;
    assert_eq!(ran.report.usage[0].metrics_refused, refused);
    let ledger = ran.report.to_string();
    for line in [
        "ledger: gauge many gauge_0=-0.5\n",
        "ledger: histogram many histogram_0 count=2 sum=3.2\n",
        "ledger: metrics many refused=512\n",
    ] {
        assert!(ledger.contains(line), "{ledger}");
    }
}

#[test]
fn a_counter_stops_at_the_largest_number() {
    let items = [Item::Events(labelled()), Item::Events(labelled())];
    let ran = allowed(liar("count_to_the_limit"), items);
    let key = ("liar".to_owned(), "events".to_owned());
    assert_eq!(ran.report.counters[&key], u64::MAX);
}

#[test]
fn the_counters_of_one_plugin_are_bounded_and_leave_room_for_those_of_others() {
    let items = (0..3).map(|_| Item::Events(labelled()));
    let others = start_as("other", "says_everything");
    let ran = run(vec![start_as("many", "count_ever_more"), others], items);
    ran.result.expect("it fits the contract");
    let of = |name: &str| {
        let names = ran.report.counters.keys();
        names.filter(|(plugin, _)| plugin == name).count()
    };
    assert_eq!((of("many"), of("other")), (256, 1));
}

#[test]
fn a_plugin_refuses_in_its_own_words_and_in_one_line() {
    let words = "it is Monday\u{fffd}retrans-host: \u{fffd}[31mfire";
    assert_eq!(fault_in_process("refuses"), words);
    let error = start_liar("configure_refuses", Limits::default()).err();
    let error = error.expect("it refuses");
    assert!(matches!(error, StartError::Settings(..)));
    assert_eq!(error.to_string(), format!("plugin liar: {words}"));
}

#[test]
fn nothing_can_be_said_before_the_first_event() {
    let ran = allowed(liar("configure_says_things"), [Item::End(mark(1))]);
    assert!(ran.said.lines.is_empty());
    assert!(ran.said.alerts.is_empty());
    assert!(ran.report.counters.is_empty());
}

#[test]
fn ticks_and_the_end_say_things_too() {
    let items = || [Item::Mark(mark(1)), Item::Mark(mark(2)), Item::End(mark(3))];
    for (act, times) in [("tick_says_things", 2), ("finish_says_things", 1)] {
        let ran = allowed(liar(act), items());
        assert_eq!(ran.said.lines, vec!["said"; times]);
        assert_eq!(ran.said.alerts.len(), times);
        let last = ran.said.alerts.last().expect("there are some");
        assert_eq!(
            last.wall_time,
            mark(if times == 2 { 2 } else { 3 }).wall_time
        );
        assert_eq!(last.connection, None);
        assert_eq!(ran.report.counters.values().sum::<u64>(), times as u64);
    }
}

#[test]
fn wrong_answers_in_ticks_and_at_the_end_are_refused() {
    let no_events = "is out of order, or not one of this call's 0 events";
    let annotates = format!("annotate: label \"key\": event 0 {no_events}");
    let words = "it is Monday\u{fffd}retrans-host: \u{fffd}[31mfire";
    for (act, export, expected) in [
        ("tick_annotates", "tick", annotates.as_str()),
        (
            "tick_names_an_event",
            "tick",
            "emit: event 0 is not one of this call's 0 events",
        ),
        (
            "tick_loops",
            "tick",
            "took more than 250ms of CPU time; it was stopped",
        ),
        ("tick_panics", "tick", "wasm trap"),
        ("tick_refuses", "tick", words),
        ("finish_panics", "finish", "wasm trap"),
        ("finish_refuses", "finish", words),
    ] {
        let items = [Item::Mark(mark(1)), Item::End(mark(2))];
        let ran = run(vec![liar(act)], items);
        let error = ran.result.expect_err(act).to_string();
        let expected = format!("plugin liar failed in {export}: {expected}");
        assert!(error.starts_with(&expected), "{act}: {error}");
        assert!(ran.said.lines.is_empty(), "{act}");
        assert!(ran.said.alerts.is_empty(), "{act}");
        assert!(ran.report.counters.is_empty(), "{act}");
    }
}

#[test]
fn a_schema_that_is_no_json_object_is_refused() {
    let liar = fs::read(fixture(LIAR)).expect("it was built");
    let schema = br#"{"properties":{"act":"#;
    let places: Vec<usize> = (0..liar.len() - schema.len())
        .filter(|at| liar[*at..].starts_with(schema))
        .collect();
    let [at] = places.as_slice() else {
        panic!("the schema is in there once, not {} times", places.len());
    };
    let mut broken = liar.clone();
    broken[*at] = b'[';
    let files = Files::new();
    let path = files.write("broken.wasm", broken);

    let origin = Origin::File(path);
    let error = start("broken", &origin, &[("act", "loops")], Limits::default()).err();
    let error = error.expect("no object").to_string();
    assert!(
        error.starts_with("plugin broken: cannot use its settings schema: it is not JSON: "),
        "{error}"
    );
}

#[test]
fn a_plugin_of_another_patch_version_of_the_contract_is_linked() {
    let contract = CONTRACT.replace("@0.1.0", "@0.1.7");
    let component = unimplemented(&[&contract], "ticking-plugin").expect("a component");
    let files = Files::new();
    let origin = Origin::File(files.write("newer.wasm", component));
    let error = start("newer", &origin, &[], Limits::default()).err();
    let error = error.expect("it traps").to_string();
    assert!(
        error.starts_with("plugin newer failed in describe: wasm trap"),
        "{error}"
    );
}

#[test]
fn the_layout_is_that_of_the_table_of_fields() {
    let expected = FIELDS.iter().map(|field| {
        let (name, kind) = (field.name, field.format.name());
        let bit = field.presence_bit.unwrap_or(0xffff_ffff);
        format!("{name} {} {} {kind} {bit}", field.offset, field.size)
    });
    let mut expected: Vec<String> = expected.collect();
    expected.insert(0, "said".to_owned());
    assert_eq!(lines("write_the_layout"), expected);
}

#[track_caller]
fn start_as(name: &str, act: &str) -> Plugin {
    plugin(name, LIAR, &[("act", act)])
}
