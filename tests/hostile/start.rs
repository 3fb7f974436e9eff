//! Plugins that never get as far as an event: the host ends at once, and says which, where and why.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::test_kill_process_group;

use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refusal_in;
use crate::host::release;
use crate::plugins::Hostile;

/// What a plugin has that never comes to an end.
const STOPPED: &str = "took more than 100ms of CPU time; it was stopped";

/// The host does not start: it says this and ends with this code, and nothing that it started is left.
#[track_caller]
fn assert_no_start(hostile: &Hostile, code: i32, words: &[&str]) {
    let functions = assert_no_start_in(hostile, code, words);
    assert_eq!(functions, Vec::<String>::new());
}

/// The same, and which functions were running, the innermost first.
#[track_caller]
fn assert_no_start_in(hostile: &Hostile, code: i32, words: &[&str]) -> Vec<String> {
    let mut command = release(&["replay", "-"]);
    command
        .args(&hostile.arguments)
        .args(["--limit", "start-time=100ms", "--plugin", "json-print"])
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let host = command.spawn().expect("the host can be run");
    let group = Pid::from_child(&host);
    let output = host.wait_with_output().expect("it is ours");
    assert_eq!(test_kill_process_group(group), Err(Errno::SRCH));
    assert_refusal_in(output, code, &[&["plugin hostile"], words].concat())
}

/// A file of the folder fails with these words.
#[track_caller]
fn assert_fails(name: &str, words: &[&str]) {
    assert_no_start(&Hostile::from_folder(name), FAILURE, words);
}

#[test]
fn a_plugin_that_loops_in_its_start_function_is_refused() {
    let words = ["failed in instantiate", STOPPED];
    let hostile = Hostile::from_folder("loops_in_its_start_function");
    assert_eq!(assert_no_start_in(&hostile, FAILURE, &words), ["start"]);
}

#[test]
fn a_plugin_that_loops_in_describe_is_refused() {
    let hostile = Hostile::from_folder("loops_in_describe");
    let words = ["failed in describe", STOPPED];
    assert_eq!(assert_no_start_in(&hostile, FAILURE, &words).len(), 1);
}

#[test]
fn a_plugin_that_loops_or_panics_in_configure_is_refused() {
    for (act, why, function) in [
        ("configure_loops", STOPPED, "liar::resources::loops"),
        ("configure_panics", "wasm trap", "liar::resources::panics"),
    ] {
        let words = ["failed in configure", why];
        let hostile = Hostile::liar(act).within("log=0");
        assert_eq!(assert_no_start_in(&hostile, FAILURE, &words)[0], function);
    }
}

#[test]
fn a_plugin_that_refuses_its_settings_is_the_fault_of_the_command_line() {
    let hostile = Hostile::liar("configure_refuses");
    assert_no_start(&hostile, USAGE, &["it is Monday\u{fffd}retrans-host"]);
}

#[test]
fn a_plugin_that_describes_itself_in_no_words_is_refused() {
    for (name, why) in [
        ("describes_itself_in_no_utf8", "invalid utf-8 sequence"),
        (
            "describes_itself_in_sixteen_million_words",
            "list pointer/length out of bounds of memory",
        ),
    ] {
        assert_fails(name, &["failed in describe", why]);
    }
}

#[test]
fn a_plugin_that_declares_more_than_it_may_have_is_refused() {
    for (name, why) in [
        (
            "declares_four_gibibytes",
            "it ran out of memory: the limit is 64.0 MiB",
        ),
        (
            "declares_a_hundred_million_table_elements",
            "it ran out of room in tables: the limit is 100000 elements",
        ),
    ] {
        assert_fails(name, &["failed in instantiate", why]);
    }
}

#[test]
fn a_plugin_with_data_outside_of_its_memory_is_refused() {
    let words = [
        "failed in instantiate",
        "wasm trap: out of bounds memory access",
    ];
    assert_fails("has_data_outside_of_its_memory", &words);
}

#[test]
fn a_plugin_with_a_huge_data_segment_is_refused() {
    // What the file may have, and what the memory may have.
    let data = "x".repeat(65 << 20);
    let memory = format!("(memory (export \"memory\") {})", 66 * 16);
    let text = format!("{memory} (data (i32.const 0) \"{data}\")");
    let words = ["it has more than 64.0 MiB; --limit file=… allows more"];
    let hostile = Hostile::importing(&text, &[], "");
    assert_no_start(&hostile, FAILURE, &words);
    let words = [
        "failed in instantiate",
        "it ran out of memory: the limit is 64.0 MiB",
    ];
    assert_no_start(&hostile.within("file=100MiB"), FAILURE, &words);
}

#[test]
fn a_plugin_with_imports_that_are_not_granted_is_refused() {
    let files = "package evil:files@1.0.0; interface open { open: func(path: string) -> u32; }";
    let network = "package wasi:http@0.2.6; interface types { send: func() -> u32; }";
    for (package, import, function) in [
        (
            files,
            "evil:files/open@1.0.0",
            "\"open\" (func (param i32 i32)",
        ),
        (network, "wasi:http/types@0.2.6", "\"send\" (func"),
    ] {
        let text = format!("(import \"{import}\" {function} (result i32)))");
        let hostile = Hostile::importing(&text, &[package], &format!("import {import};"));
        let words = format!("it imports {import}, which is not offered to plugins");
        assert_no_start(&hostile, FAILURE, &[&words]);
    }
}
