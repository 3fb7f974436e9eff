//! Errors in the command line or a plugin: one line that names the cause and what to do.
//!
//! Errors of the machine are in `tests/live/preflight.rs`.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::common::captures::host;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::unimplemented;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// Checks that the host refuses these arguments.
#[track_caller]
pub fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    assert_refused(&mut host(Files::new().path(), arguments), code, words);
}

/// Checks that a plugin with these bytes is refused.
#[track_caller]
fn refused_plugin(bytes: impl AsRef<[u8]>, words: &[&str]) {
    let files = Files::new();
    files.write("bad.wasm", bytes);
    let mut command = host(files.path(), &["--plugin", "bad.wasm"]);
    assert_refused(&mut command, FAILURE, words);
}

/// Checks that a plugin of a changed contract is refused. `replaced`: the old text and the new one.
#[track_caller]
fn refused_contract(replaced: (&str, &str), words: &[&str]) {
    let (from, to) = replaced;
    assert!(CONTRACT.contains(from), "the contract has no {from}");
    let contract = CONTRACT.replace(from, to);
    let component = unimplemented(&[&contract], "ticking-plugin");
    refused_plugin(component.expect("a component"), words);
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

#[test]
fn a_plugin_file_that_is_not_there() {
    let words = ["plugin gone", "cannot read ./gone.wasm", "No such file"];
    refused(&["--plugin", "./gone.wasm"], FAILURE, &words);
    let words = ["plugin named", "cannot read gone.wasm"];
    refused(&["--plugin", "named=gone.wasm"], FAILURE, &words);
    refused(&["--plugin", "./"], USAGE, &["--plugin ./", "name"]);
    let words = ["plugin share", "cannot read /usr/share", "directory"];
    refused(&["--plugin", "share=/usr/share"], FAILURE, &words);
}

#[test]
fn a_bundled_plugin_that_is_not_there() {
    let words = [
        "--plugin",
        "no bundled plugin \"json-prin\"",
        "there are json-print, table-print, threshold-alert",
        "./json-prin",
    ];
    refused(&["--plugin", "json-prin"], USAGE, &words);
}

#[test]
fn a_file_that_is_not_webassembly() {
    let words = [
        "plugin bad",
        "not WebAssembly",
        "cargo build --release --target wasm32-wasip2",
    ];
    refused_plugin("#!/bin/sh\n", &words);
    refused_plugin("", &words);
    refused_plugin("\0asm", &["plugin bad", "component"]);
}

#[test]
fn a_core_module() {
    let words = [
        "plugin bad",
        "a core module, not a component",
        "wasm32-wasip2",
    ];
    refused_plugin(b"\0asm\x01\0\0\0", &words);
    let module = wat::parse_str("(module (func (export \"run\")))");
    refused_plugin(module.expect("a module"), &words);
}

#[test]
fn a_damaged_component() {
    let words = ["plugin bad", "not a valid component"];
    refused_plugin(b"\0asm\x0d\0\x01\0broken", &words);
    let whole = unimplemented(&[CONTRACT], "plugin").expect("a component");
    refused_plugin(&whole[..whole.len() / 2], &words);
}

#[test]
fn a_component_of_another_world() {
    let words = [
        "plugin bad",
        "not a retrans-host plugin",
        "does not export retrans:plugin/processor",
        "docs/writing-plugins.md",
    ];
    let other = "package other:thing@0.1.0; world thing { export run: func(); }";
    refused_plugin(
        unimplemented(&[other], "thing").expect("a component"),
        &words,
    );
    // An empty component.
    refused_plugin(b"\0asm\x0d\0\x01\0", &words);
}

#[test]
fn a_plugin_of_another_version_of_the_contract() {
    for version in ["0.2.0", "0.0.9", "1.0.0", "1.1.0"] {
        let built_for = format!("this plugin was built for retrans:plugin {version}");
        let words = [
            "plugin bad",
            &built_for,
            "this host supports 0.1.0",
            "rebuild",
        ];
        refused_contract(("@0.1.0", &format!("@{version}")), &words);
    }
}

#[test]
fn a_plugin_that_has_the_names_of_the_contract_and_other_types() {
    for (from, to, why) in [
        (
            "process: func(count: u32",
            "process: func(count: u64",
            "type mismatch with parameters",
        ),
        ("configure: func(", "set-up: func(", "configure"),
        ("tick: func(now-ns: u64)", "tick: func(now-ns: u32)", "tick"),
        ("finish: func(", "end: func(", "finish"),
        ("lost: func() -> u64", "lost: func() -> u32", "lost"),
        ("lost: func()", "missed: func()", "missed"),
    ] {
        let words = ["plugin bad", "does not fit retrans:plugin 0.1.0", why];
        refused_contract((from, to), &words);
    }
}

#[test]
fn a_plugin_that_imports_what_is_not_offered() {
    let files = "package evil:files@1.0.0; interface open { open: func(path: string) -> u32; }";
    let http = "package wasi:http@0.2.6; interface types { send: func(); }";
    let clocks = "package wasi:clocks@0.3.0; interface wall-clock { now: func() -> u64; }";
    for (package, import) in [
        (files, "evil:files/open@1.0.0"),
        (http, "wasi:http/types@0.2.6"),
        (clocks, "wasi:clocks/wall-clock@0.3.0"),
    ] {
        let world = format!("{CONTRACT} world greedy {{ include plugin; import {import}; }}");
        let component = unimplemented(&[package, &world], "greedy").expect("a component");
        let imports = format!("it imports {import}, which is not offered");
        refused_plugin(
            component,
            &[
                "plugin bad",
                &imports,
                "only those files and environment variables that the operator grants",
            ],
        );
    }
    let world = format!("{CONTRACT} world greedy {{ include plugin; import run: func(); }}");
    let component = unimplemented(&[&world], "greedy").expect("a component");
    refused_plugin(
        component,
        &["plugin bad", "it imports run, which is not offered"],
    );
}

#[test]
fn an_unknown_setting() {
    let arguments = ["--plugin", "threshold-alert", "--set", "treshold=1"];
    let words = [
        "plugin threshold-alert",
        "unknown setting treshold",
        "threshold?",
    ];
    refused(&arguments, USAGE, &words);
}

#[test]
fn an_ill_typed_setting() {
    let arguments = ["--plugin", "threshold-alert", "--set", "threshold=ten"];
    let words = ["plugin threshold-alert", "threshold: ", "ten"];
    refused(&arguments, USAGE, &words);
}

#[test]
fn a_setting_is_refused_by_the_instance_that_it_was_written_behind() {
    let file = fixture(TAG_NETWORK);
    let [first, second] = ["first", "second"].map(|name| format!("{name}={}", path(&file)));
    let arguments = [
        "--plugin",
        &first,
        "--set",
        "network=10.0.0.0/8",
        "--plugin",
        &second,
        "--set",
        "network=ten",
    ];
    let words = ["plugin second", "network: ", "\"ten\""];
    refused(&arguments, USAGE, &words);
}

#[test]
fn a_setting_of_no_plugin() {
    let words = ["--set a=1", "no --plugin before it"];
    refused(&["--set", "a=1"], USAGE, &words);
    refused(&["--set", "a=1", "--plugin", "json-print"], USAGE, &words);
}

#[test]
fn a_setting_without_a_value() {
    let words = ["--set threshold", "expected KEY=VALUE"];
    for setting in ["threshold", "=10"] {
        let arguments = ["--plugin", "threshold-alert", "--set", setting];
        refused(&arguments, USAGE, &words[1..]);
    }
}

#[test]
fn two_instances_of_one_name() {
    let words = ["two instances have the name json-print", "other=json-print"];
    let twice = ["--plugin", "json-print", "--plugin", "json-print"];
    refused(&twice, USAGE, &words);
    let words = ["two instances have the name a", "another name"];
    let twice = ["--plugin", "a=json-print", "--plugin", "a=threshold-alert"];
    refused(&twice, USAGE, &words);
}

#[test]
fn an_instance_with_a_name_that_would_be_hard_to_read() {
    for name in ["two words", "", "a\x1b[31m", "a:b"] {
        let plugin = format!("{name}=json-print");
        refused(&["--plugin", &plugin], USAGE, &["--plugin", "name"]);
    }
}

#[test]
fn a_ring_that_is_no_power_of_two_of_pages() {
    for size in ["5MiB", "4097", "2048", "0", "2GiB", "12KiB"] {
        let words = ["--ring-size", "a power of two", "such as 4MiB"];
        refused(&["--ring-size", size], USAGE, &words);
    }
}

#[test]
fn what_clap_finds_wrong_is_told_as_everywhere() {
    for arguments in [
        &["--bogus"][..],
        &["--ring-size", "large"],
        &["--attach", "somehow"],
        &["--alerts", "xml"],
        &["--quiet", "--verbose"],
        &["--plugin"],
        &["json-print"],
    ] {
        let output = output(&mut host(Files::new().path(), arguments));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert!(stderr.contains(arguments[0]), "{stderr}");
        assert!(stderr.contains("--help"), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_plugin_that_fails_at_its_start() {
    let files = Files::new();
    let liar = fixture(LIAR);
    let arguments = ["--plugin", path(&liar), "--set", "act=configure_panics"];
    let output = output(&mut host(files.path(), &arguments));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
    // The log has the panic, in lines that name the plugin. No line comes from the host.
    assert!(stderr.contains("liar: on purpose"), "{stderr}");
    let mut others = stderr.lines().filter(|line| !line.contains(" WARN liar: "));
    let why = others.next().expect("it says why");
    let words = "retrans-host: error: plugin liar failed in configure: wasm trap";
    assert!(why.starts_with(words), "{stderr}");
    assert_eq!(others.next(), Some("    in liar::resources::panics"));
    assert!(others.all(|line| line.starts_with("    in ")), "{stderr}");
}

#[test]
fn words_of_a_plugin_stay_in_one_line() {
    let liar = fixture(LIAR);
    let arguments = ["--plugin", path(&liar), "--set", "act=configure_refuses"];
    refused(
        &arguments,
        USAGE,
        &["plugin liar: it is Monday\u{fffd}retrans-host"],
    );
}

#[test]
fn where_no_stream_can_be_written_the_exit_code_is_the_same() {
    let closed = r#"exec "$0" "$@" 2>&- >&-"#;
    let full = r#"exec "$0" "$@" 2>/dev/full >/dev/full"#;
    // Help that cannot be printed is a failure. A closed stream is like /dev/null.
    for (redirected, help) in [(closed, 0), (full, FAILURE)] {
        for (arguments, code) in [
            (&["--plugin", "gone.wasm"][..], FAILURE),
            (&["--set", "a=1"], USAGE),
            (&["--bogus"], USAGE),
            (&["--help"], help),
        ] {
            let mut command = Command::new("sh");
            command
                .args(["-c", redirected, BINARY])
                .args(arguments)
                .stdin(Stdio::null());
            let output = output(&mut command);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{redirected} {arguments:?}"
            );
        }
    }
}

#[test]
fn help_has_examples_and_says_what_the_exit_codes_mean() {
    let output = output(&mut host(Files::new().path(), &["--help"]));
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let help = String::from_utf8_lossy(&output.stdout);
    for word in [
        "Examples:",
        "sudo retrans-host --plugin threshold-alert --set threshold=50",
        "json-print",
        "Exit codes: 0",
        "--plugin <[NAME=]FILE>",
        "--set <KEY=VALUE>",
        "--ring-size",
        "[default: 4MiB]",
        "- tracepoint: The classic tracepoint",
    ] {
        assert!(help.contains(word), "{word:?} is not in:\n{help}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    let output = output(&mut host(Files::new().path(), &["--version"]));
    assert_eq!(output.status.code(), Some(0));
    let expected = concat!("retrans-host ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
