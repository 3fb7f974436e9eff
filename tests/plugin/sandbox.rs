//! A plugin cannot exceed its limits, and has no grants but those of the contract.

use std::time::Duration;
use std::time::Instant;

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::StartError;
use retrans_host::stream::batch::Item;

use crate::common::chain::batch;
use crate::common::chain::batches;
use crate::common::chain::mark;
use crate::common::chain::plugin;
use crate::common::chain::run;
use crate::common::chain::start;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::implemented;
use crate::common::components::processor_module;
use crate::common::components::unimplemented;
use crate::common::fixtures::READER;
use crate::support::liar::allowed;
use crate::support::liar::fault_in_process;
use crate::support::liar::labelled;
use crate::support::liar::liar;
use crate::support::liar::lines;
use crate::support::liar::records;
use crate::support::liar::start_liar;
use crate::support::log::logged;

/// The message without the functions that were running.
fn first_line(error: &StartError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_call_that_says_too_much_is_refused() {
    let too_much = "more than 8388608 bytes of output in one call";
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
        first_line(&error),
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
        first_line(&error.expect("it never ends")),
        "plugin liar failed in configure: took more than 50ms of CPU time; it was stopped"
    );
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    assert_eq!(
        fault_in_process("takes_memory"),
        "it ran out of memory: limit memory=64MiB"
    );
    // A plugin that handles the refusal goes on.
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
fn a_panic_in_configure_is_a_fault() {
    let error = start_liar("configure_panics", Limits::default()).err();
    let error = error.expect("it panics").to_string();
    assert!(
        error.starts_with("plugin liar failed in configure: wasm trap"),
        "{error}"
    );
}

#[test]
fn memory_that_was_refused_is_not_blamed_for_what_has_nothing_to_do_with_it() {
    let fault = fault_in_process("asks_for_memory_and_recurses");
    assert_eq!(fault, "wasm trap: call stack exhausted");
}

#[test]
fn other_ways_to_fall_over_are_faults() {
    assert_eq!(fault_in_process("exits"), "the plugin called exit");
    let fault = fault_in_process("recurses");
    assert!(fault.contains("wasm trap"), "{fault}");
}

#[test]
fn a_plugin_that_traps_before_it_is_configured_is_a_fault() {
    let component = unimplemented(&[CONTRACT], "plugin").expect("a component");
    let files = Files::new();
    let origin = Origin::File(files.write("empty.wasm", component));
    let error = start("empty", &origin, &[], Limits::default()).err();
    assert_eq!(
        first_line(&error.expect("it traps")),
        "plugin empty failed in describe: wasm trap: wasm `unreachable` instruction executed"
    );
}

#[test]
fn a_wasi_function_with_a_type_of_its_own_is_a_fault() {
    // The real function returns a result.
    let wasi = "package wasi:sockets@0.2.0;
        interface tcp-create-socket { create-tcp-socket: func(); }";
    let interface = "wasi:sockets/tcp-create-socket@0.2.0";
    let import = format!(r#"(import "{interface}" "create-tcp-socket" (func $call))"#);
    let error = start_odd(&[wasi], interface, &import, "call $call");
    assert_eq!(
        first_line(&error),
        "plugin odd failed in describe: it imports a function of WASI with a wrong type"
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
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// The line of the reader for these values of both clocks.
fn clocks(time: Duration, wall_time: Duration) -> String {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    format!("clocks: Instant {{ tv_sec: {seconds}, tv_nsec: {nanos} }} {wall_time:?}")
}

#[test]
fn the_clocks_of_a_plugin_show_the_last_mark_however_the_stream_is_cut() {
    let records: Vec<Record> = Synth::new(5).take(600).collect();
    let (first, rest) = records.split_at(300);
    let second = mark(70);
    for cut in [1, 7, 256] {
        let clock = [("configure", "clocks"), ("each", "clocks")];
        let items = batches(first, cut).into_iter();
        let items = items.chain([Item::Mark(second)]).chain(batches(rest, cut));
        let ran = allowed(plugin("reader", READER, &clock), items);

        // Before the first item the clocks are at 1 ns: at 0, programs in Go would exit.
        let least = Duration::from_nanos(1);
        let mut expected = vec![clocks(least, least)];
        let start = clocks(records[0].time(), records[0].wall_time());
        expected.extend(vec![start; first.len()]);
        let later = clocks(second.time, second.wall_time);
        expected.extend(vec![later; rest.len()]);
        assert_eq!(ran.said.lines, expected, "{cut} events a batch");
    }
}

#[test]
fn a_stream_starts_with_its_first_item_even_if_a_plugin_does_not_see_it() {
    let records: Vec<Record> = Synth::new(5).take(20).collect();
    let clock = [("each", "clocks")];
    // The second plugin sees nothing of a batch that the first one drops.
    let items = batches(&records, 5);
    let first_five = plugin("first", READER, &[("drop", "5")]);
    let ran = run(vec![first_five, plugin("reader", READER, &clock)], items);
    let start = clocks(records[0].time(), records[0].wall_time());
    assert_eq!(ran.said.lines, vec![start; 15]);

    let first = mark(1);
    let items = [Item::Mark(first)].into_iter().chain(batches(&records, 5));
    let ran = allowed(plugin("reader", READER, &clock), items);
    let start = clocks(first.time, first.wall_time);
    assert_eq!(ran.said.lines, vec![start; 20]);
}

#[test]
fn a_plugin_that_is_started_anew_has_the_same_clocks() {
    let records: Vec<Record> = Synth::new(5).take(20).collect();
    for cut in [1, 7, 256] {
        let clock = [("each", "clocks"), ("fail_every", "5")];
        let ran = run(
            vec![plugin("reader", READER, &clock)],
            batches(&records, cut),
        );
        let start = clocks(records[0].time(), records[0].wall_time());
        assert_eq!(ran.said.lines, vec![start; 17], "{cut} events a batch");
    }
}

#[test]
fn random_numbers_are_the_same_in_every_run() {
    assert_eq!(lines("hashes"), lines("hashes"));
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
        // The first and the last second may be counted in part.
        let seconds = began.elapsed().as_secs() as usize + 2;
        let told = log.iter().filter(|line| line.contains("again")).count();
        assert!(told >= 100, "{act}: {told} lines");
        assert!(told <= 100 * seconds, "{act}: {told} lines in {seconds} s");
    }
}

/// Starts a plugin that imports an interface of these packages and runs this code in `describe`.
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
