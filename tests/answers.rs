//! Whatever a plugin answers, takes or tries: the host believes nothing, and what does not fit the
//! contract has no effect.

mod common;

use std::fs;
use std::time::Duration;
use std::time::Instant;

use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::batch::Batch;
use retrans_host::batch::Item;
use retrans_host::chain::Chain;
use retrans_host::labels::Column;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::StartError;

use crate::common::chain::Ran;
use crate::common::chain::Recorder;
use crate::common::chain::batch;
use crate::common::chain::drive;
use crate::common::chain::liar;
use crate::common::chain::mark;
use crate::common::chain::run;
use crate::common::chain::start;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::implemented;
use crate::common::components::processor_module;
use crate::common::components::unimplemented;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::log::logged;

/// So many events are in each call: the second byte of keep bits has two of them.
const EVENTS: usize = 10;

fn records() -> Vec<Record> {
    Synth::new(2).take(EVENTS).collect()
}

/// A batch on which an earlier plugin has put a label.
fn labelled() -> Batch {
    let mut batch = batch(&records());
    batch.labels.annotate(Column::new("earlier", [(3, "here")]));
    batch
}

/// The liar does this to a batch: its call fails, nothing that it said has any effect, and the books
/// balance. What the fault says.
#[track_caller]
fn fault_in_process(act: &str) -> String {
    let recorder = Recorder::default();
    let mut chain = Chain::new(vec![liar(act)], recorder.clone());
    let mut batch = labelled();
    let fault = chain.process(&mut batch).expect_err(act);

    let untouched = labelled();
    assert_eq!(batch.records(), untouched.records(), "{act}");
    assert_eq!(batch.labels, untouched.labels, "{act}");
    let (report, result) = drive(chain, []);
    result.expect("there was nothing left to do");
    let said = recorder.take();
    assert!(said.lines.is_empty(), "{act}: {:?}", said.lines);
    assert!(said.alerts.is_empty(), "{act}: {:?}", said.alerts);
    assert!(report.counters.is_empty(), "{act}: {:?}", report.counters);
    let page = &report.plugins[0];
    assert_eq!((page.events, page.lost), (10, 10), "{act}");

    let fault = fault.to_string();
    let words = fault.strip_prefix("plugin liar failed in process: ");
    words.unwrap_or_else(|| panic!("{act}: {fault}")).to_owned()
}

/// The liar does this to a batch, which is allowed. The lines that it wrote.
#[track_caller]
fn lines(act: &str) -> Vec<String> {
    allowed(liar(act), [Item::Events(labelled())]).said.lines
}

#[track_caller]
fn allowed(plugin: Plugin, items: impl IntoIterator<Item = Item>) -> Ran {
    let ran = run(vec![plugin], items);
    if let Err(error) = &ran.result {
        panic!("{error}");
    }
    ran
}

#[test]
fn what_a_good_call_says_takes_effect() {
    // Without this, the tests below would prove nothing.
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
        "count: the counter has no name"
    );
    for act in ["count_in_two_words", "count_at_length"] {
        assert_eq!(
            fault_in_process(act),
            "count: a name has at most 64 bytes, and no spaces"
        );
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
fn a_call_that_says_too_much_is_refused() {
    let too_much = "more than 8388608 bytes said in one call";
    assert_eq!(fault_in_process("writes_without_end"), too_much);
    assert_eq!(
        fault_in_process("count_a_million_times"),
        "count: more than 256 times in one call"
    );
    assert_eq!(
        fault_in_process("annotate_a_million_times"),
        "annotate: more than 256 times in one call"
    );
}

#[test]
fn what_is_small_in_the_plugin_and_large_in_the_host_is_refused() {
    for act in ["alias_bomb", "keep_bomb", "refuse_bomb"] {
        let fault = fault_in_process(act);
        let too_much = "too much data is being copied between the host and the guest";
        assert!(fault.starts_with(too_much), "{act}: {fault}");
    }
}

#[test]
fn a_plugin_that_hoards_handles_is_stopped() {
    let io = "package wasi:io@0.2.0; interface streams { resource output-stream; }";
    let cli = "package wasi:cli@0.2.0; interface stdout {
        use wasi:io/streams@0.2.0.{output-stream};
        get-stdout: func() -> output-stream;
    }";
    let import = r#"(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get (result i32)))"#;
    let body = "(loop $again (drop (call $get)) (br $again))";
    let error = start_odd(&[io, cli], "wasi:cli/stdout@0.2.0", import, body);
    assert_eq!(
        error.to_string(),
        "plugin odd failed in describe: it holds more than 10000 handles"
    );
}

#[test]
fn an_endless_call_is_stopped() {
    let stopped = "took more than 250ms of CPU time; it was stopped";
    for act in ["loops", "logs_without_end", "prints_without_end"] {
        assert_eq!(fault_in_process(act), stopped, "{act}");
    }
}

#[test]
fn an_endless_start_is_stopped() {
    let limits = Limits {
        start_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let error = start_liar("configure_loops", limits).err();
    assert_eq!(
        error.expect("it never ends").to_string(),
        "plugin liar failed in configure: took more than 50ms of CPU time; it was stopped"
    );
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    assert_eq!(
        fault_in_process("takes_memory"),
        "it ran out of memory: the limit is 64 MiB"
    );
    // A plugin that copes goes on.
    assert_eq!(lines("asks_for_memory"), ["a gigabyte was refused"]);
}

#[test]
fn memory_that_was_refused_in_one_call_is_not_blamed_in_the_next() {
    let one = Item::Events(batch(&records()[..1]));
    let plugin = liar("asks_for_memory_or_panics_at_one_event");
    let ran = run(vec![plugin], [Item::Events(labelled()), one]);
    let error = ran.result.expect_err("it panics").to_string();
    assert!(error.contains("unreachable"), "{error}");
}

#[test]
fn a_panic_is_a_fault_and_its_message_is_in_the_log() {
    let (fault, log) = logged(|| fault_in_process("panics"));
    assert!(fault.contains("unreachable"), "{fault}");
    assert!(
        log.iter().any(|line| line == "WARN liar: on purpose"),
        "{log:#?}"
    );
    assert!(
        log.iter()
            .any(|line| line.contains("panicked at") && line.contains("resources.rs")),
        "{log:#?}"
    );
}

#[test]
fn other_ways_to_fall_over_are_faults() {
    assert_eq!(fault_in_process("exits"), "the plugin called exit");
    let fault = fault_in_process("recurses");
    assert!(fault.contains("wasm trap"), "{fault}");
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
fn a_panic_in_configure_is_a_fault() {
    let error = start_liar("configure_panics", Limits::default()).err();
    let error = error.expect("it panics").to_string();
    assert!(
        error.starts_with("plugin liar failed in configure: wasm trap"),
        "{error}"
    );
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
        error.starts_with("plugin broken: its settings schema is not a JSON object: "),
        "{error}"
    );
}

#[test]
fn a_plugin_that_traps_before_it_is_configured_is_a_fault() {
    let component = unimplemented(&[CONTRACT], "plugin").expect("a component");
    let files = Files::new();
    let origin = Origin::File(files.write("empty.wasm", component));
    let error = start("empty", &origin, &[], Limits::default()).err();
    assert_eq!(
        error.expect("it traps").to_string(),
        "plugin empty failed in describe: wasm trap: wasm `unreachable` instruction executed"
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
fn a_plugin_has_no_arguments_environment_or_input() {
    assert_eq!(
        lines("reads_its_surroundings"),
        ["arguments: 0", "variables: 0", "standard input: Ok(0)"]
    );
}

#[test]
fn a_plugin_has_no_files() {
    let refused = [
        "read a file: refused",
        "read a directory: refused",
        "read here: refused",
        "write a file: refused",
    ];
    assert_eq!(lines("opens_files"), refused);
}

#[test]
fn a_plugin_has_no_network() {
    let refused = [
        "connect: refused",
        "listen: refused",
        "send datagrams: refused",
        "look a name up: refused",
    ];
    assert_eq!(lines("opens_sockets"), refused);
}

#[test]
fn a_plugin_starts_no_processes_and_threads() {
    let refused = ["start a process: refused", "start a thread: refused"];
    assert_eq!(lines("starts_others"), refused);
}

#[test]
fn sleeping_advances_nothing_and_holds_nobody_up() {
    let began = Instant::now();
    assert_eq!(lines("sleeps"), ["slept for 0ns"]);
    assert!(began.elapsed() < Duration::from_secs(3_600));
}

#[test]
fn the_clocks_of_a_plugin_show_the_time_of_the_stream() {
    let records: Vec<Record> = Synth::new(5).take(20).collect();
    let items = records.chunks(5).map(|events| Item::Events(batch(events)));
    let ran = allowed(liar("tells_the_time"), items);

    // That of the last event of each call; the monotonic clock since the first one.
    let expected = records.chunks(5).map(|events| {
        let last = &events[4];
        let elapsed = last.time() - records[4].time();
        format!("{} {}", last.wall_time().as_nanos(), elapsed.as_nanos())
    });
    assert_eq!(ran.said.lines, expected.collect::<Vec<_>>());
}

#[test]
fn random_numbers_are_the_same_in_every_run() {
    assert_eq!(lines("hashes"), lines("hashes"));
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

#[test]
fn what_a_plugin_prints_is_logged_and_never_output() {
    let (lines, log) = logged(|| lines("prints"));
    assert!(lines.is_empty(), "{lines:?}");
    let [first, complaint, long, last] = log.as_slice() else {
        panic!("{log:#?}");
    };
    assert_eq!(first, "INFO liar: one line");
    assert_eq!(complaint, "WARN liar: a complaint\u{fffd}[2J");
    assert_eq!(long.len(), "INFO liar: ".len() + 4096, "cut");
    assert_eq!(last, "INFO liar: no line feed");
}

#[test]
fn what_a_plugin_logs_is_one_line_a_message() {
    let (_, log) = logged(|| lines("logs"));
    let expected = [
        "ERROR liar: an error",
        "WARN liar: a warning",
        "INFO liar: two\u{fffd}lines\u{fffd}[2J",
        "DEBUG liar: a detail",
        "TRACE liar: a small detail",
        "INFO liar:",
    ];
    let log: Vec<&str> = log.iter().map(|line| line.trim_end()).collect();
    assert_eq!(log, expected);
}

#[test]
fn a_plugin_cannot_flood_the_log() {
    for act in ["logs_without_end", "prints_without_end"] {
        let began = Instant::now();
        let (_, log) = logged(|| fault_in_process(act));
        // A second may have begun before it, another may not be over.
        let seconds = began.elapsed().as_secs() as usize + 2;
        let told = log.iter().filter(|line| line.contains("again")).count();
        assert!(told >= 100, "{act}: {told} lines");
        assert!(told <= 100 * seconds, "{act}: {told} lines in {seconds} s");
    }
}

#[test]
fn a_wasi_function_with_a_type_of_its_own_is_a_fault() {
    // The real one returns a list.
    let wasi = "package wasi:filesystem@0.2.0;
        interface preopens { get-directories: func(); }";
    let interface = "wasi:filesystem/preopens@0.2.0";
    let import = format!(r#"(import "{interface}" "get-directories" (func $call))"#);
    let error = start_odd(&[wasi], interface, &import, "call $call");
    assert_eq!(
        error.to_string(),
        "plugin odd failed in describe: an import of WASI with a type of its own"
    );
}

/// Starts a plugin that imports an interface of these packages, and in `describe` does this.
#[track_caller]
fn start_odd(packages: &[&str], interface: &str, import: &str, body: &str) -> StartError {
    let world = format!("{CONTRACT} world odd {{ include plugin; import {interface}; }}");
    let packages = [packages, &[&world]].concat();
    let module = processor_module(import, body);
    let component = implemented(&packages, "odd", &module).expect("a component");
    let files = Files::new();
    let origin = Origin::File(files.write("odd.wasm", component));
    match start("odd", &origin, &[], Limits::default()) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

fn start_liar(act: &str, limits: Limits) -> Result<Plugin, StartError> {
    start(
        "liar",
        &Origin::File(fixture(LIAR)),
        &[("act", act)],
        limits,
    )
}

#[track_caller]
fn start_as(name: &str, act: &str) -> Plugin {
    common::chain::plugin(name, LIAR, &[("act", act)])
}
