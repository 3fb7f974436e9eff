//! Plugins that fail at their start: the host ends at once, and names the plugin, the call and the
//! cause.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;
use rustix::process::setsid;

use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::instances_in_instances;
use crate::common::components::unimplemented;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refusal_in;
use crate::host::release;
use crate::host::run;
use crate::plugins::Hostile;
use crate::survival::assert_keeps_all;
use crate::survival::assert_memory;

/// The longest message, in bytes, whatever it quotes.
const MAX_MESSAGE_BYTES: usize = 1_000;

/// The message about a plugin that takes too much of the host's memory.
const TOO_LARGE: &str = "of memory to hold it: limit footprint=";

/// The message about a plugin that does not return.
const STOPPED: &str = "took more than 100ms of CPU time; it was stopped";

/// Checks that the host does not start: it exits with this code and these words, and leaves no process
/// behind.
#[track_caller]
fn assert_no_start(hostile: &Hostile, code: i32, words: &[&str]) {
    let functions = assert_no_start_in(hostile, code, words);
    assert_eq!(functions, Vec::<String>::new());
}

/// The processes of a session, as `/proc/PID/stat` shows them.
fn processes_of(session: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("it is mounted");
    let stats = processes.filter_map(|process| {
        let stat = process.expect("it is mounted").path().join("stat");
        fs::read_to_string(stat).ok()
    });
    // After the name, which may hold anything: state, parent, process group, session.
    let in_session = |stat: &String| {
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        after.split(' ').nth(3) == Some(&session.to_string())
    };
    stats.filter(in_session).collect()
}

/// The same; returns the functions that were running, the innermost first.
#[track_caller]
fn assert_no_start_in(hostile: &Hostile, code: i32, words: &[&str]) -> Vec<String> {
    let mut command = release(&["replay", "-"]);
    command
        .args(&hostile.arguments)
        .args(["--limit", "start-time=100ms", "--plugin", "json-print"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
    unsafe {
        // Its children have process groups of their own, but stay in this session.
        command.pre_exec(|| Ok(setsid().map(drop)?));
    }
    let host = command.spawn().expect("the host can be run");
    let session = host.id();
    let output = host.wait_with_output().expect("it is ours");
    assert!(
        output.stderr.len() < MAX_MESSAGE_BYTES,
        "{}",
        output.stderr.len()
    );
    assert_eq!(processes_of(session), Vec::<String>::new());
    assert_refusal_in(output, code, &[&["plugin hostile"], words].concat())
}

/// Checks that a file of the folder fails with these words.
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
            "it ran out of memory: limit memory=64MiB",
        ),
        (
            "declares_a_hundred_million_table_elements",
            "it ran out of room in tables: limit table=100000; --limit table=…",
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
    // More than the limit on the file, and more than the limit on memory.
    let data = "x".repeat(65 << 20);
    let memory = format!("(memory (export \"memory\") {})", 66 * 16);
    let text = format!("{memory} (data (i32.const 0) \"{data}\")");
    let words = ["the file is too large: limit file=64MiB; --limit file=… changes this limit"];
    let hostile = Hostile::importing(&text, &[], "");
    assert_no_start(&hostile, FAILURE, &words);
    let words = [
        "failed in instantiate",
        "it ran out of memory: limit memory=64MiB",
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

/// Memory that wasmtime takes without asking a limiter: the process of the footprint check sees it, and
/// the host itself is not affected.
#[test]
fn a_plugin_that_takes_a_gigabyte_of_the_host_to_be_loaded_is_refused() {
    let hostile = Hostile::around(&instances_in_instances(20));
    assert_no_start(
        &hostile,
        FAILURE,
        &[TOO_LARGE, "the host needs more than 256.0 MiB of"],
    );
}

/// 61 instances have 4.8 MB of globals each.
const MANY_GLOBALS: usize = 300_000;

fn globals(start: &str) -> Hostile {
    let globals = "(global (mut v128) (v128.const i64x2 1 1))".repeat(MANY_GLOBALS);
    let fails = format!("(core module $start (func $start {start}) (start $start))");
    let instances = "(core instance (instantiate $globals))".repeat(61);
    Hostile::around(&format!(
        "(component (core module $globals {globals}) {fails} {instances}
            (core instance (instantiate $start)))"
    ))
}

#[test]
fn a_plugin_whose_globals_are_many_in_many_instances_is_refused() {
    assert_no_start(&globals(""), FAILURE, &[TOO_LARGE, "the host needs "]);
    // A plugin that fails afterwards has taken the memory all the same.
    assert_no_start(
        &globals("unreachable"),
        FAILURE,
        &[TOO_LARGE, "the host needs "],
    );
}

#[test]
fn what_the_host_may_hold_of_a_plugin_is_what_its_operator_says() {
    // 1.6 MB, and what wasmtime knows of each.
    let globals = "(global (mut v128) (v128.const i64x2 1 1))".repeat(100_000);
    let inner = format!("(component (core module $m {globals}) (core instance (instantiate $m)))");
    let hostile = Hostile::around(&inner).within("footprint=1MiB");
    let words = [TOO_LARGE, "=1MiB; --limit footprint=… changes this limit"];
    assert_no_start(&hostile, FAILURE, &words);
    let survived = run(&hostile.within("footprint=16MiB"));
    assert_keeps_all(&survived);
    assert_memory(&survived, 16 << 10);
}

#[test]
fn a_pipe_in_the_place_of_a_plugin_holds_nothing_up() {
    let files = Files::new();
    let pipe = files.path().join("pipe.wasm");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
    let hostile = Hostile::at(&pipe, None);
    assert_no_start(
        &hostile,
        FAILURE,
        &["cannot read ", "pipe.wasm: not a regular file"],
    );
}

#[test]
fn a_plugin_with_a_huge_version_is_quoted_in_a_few_words() {
    let version = format!("0.2.0-{}", "a".repeat(90_000));
    let contract = CONTRACT.replace("0.1.0", &version);
    let component = unimplemented(&[&contract], "plugin").expect("a component");
    let files = Files::new();
    let hostile = Hostile::at(&files.write("hostile.wasm", component), None);
    let words = [
        "this plugin was built for retrans:plugin 0.2.0-aaa",
        "aaa…",
        "rebuild it",
    ];
    assert_no_start(&hostile, FAILURE, &words);
}

#[test]
fn a_schema_of_settings_that_has_itself_in_it_is_refused() {
    for (name, why) in [
        (
            "describes_settings_that_have_themselves_in_them",
            "it has more than",
        ),
        (
            "describes_settings_that_are_lists_of_themselves",
            "it has more than 32 levels, or it refers to itself",
        ),
    ] {
        assert_fails(name, &["cannot use its settings schema", why]);
    }
}

#[test]
fn a_plugin_with_a_huge_schema_is_refused() {
    let words = [
        "cannot use its settings schema",
        "it has more than 1048576 bytes",
    ];
    assert_fails(
        "describes_its_settings_in_a_string_of_eight_megabytes",
        &words,
    );
}
