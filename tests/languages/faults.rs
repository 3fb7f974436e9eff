//! A fault of a plugin is told with what its language knows of the place, and does no harm to the run.

use std::path::Path;

use tempfile::TempDir;

use crate::built::LANGUAGES;
use crate::built::component;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::refusal::output;

/// What the host says of a fault with this kind, after 10 of 100 events.
fn said(language: &str, fault: &str) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let stream = generated(directory.path(), "stream.rtc", &["--events", "100"]);
    let plugin = component(language, "faulty").display().to_string();
    let stream = stream.display().to_string();
    let mut command = host(
        Path::new("."),
        &["replay", &stream, "--plugin", &plugin, "--set", "after=10"],
    );
    command.args(["--set", &format!("fault={fault}"), "--limit", "time=500ms"]);
    let output = output(command.args(["--plugin", "json-print"]));
    let stderr = String::from_utf8(output.stderr).expect("it writes text");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{language}, {fault}: {stderr}"
    );
    // Events before the fault went through, and the run went on.
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    assert!(
        printed.lines().count() >= 10,
        "{language}, {fault}: {stderr}"
    );
    let told = "plugin faulty failed in process: ";
    assert!(stderr.contains(told), "{language}, {fault}: {stderr}");
    stderr
}

#[test]
fn an_exception_is_told_with_its_file_and_line() {
    for (language, place) in [
        ("c", "faulty.c:"),
        ("go", "faulty.go:"),
        ("python", "plugin.py:"),
        ("javascript", "plugin.js:"),
    ] {
        let said = said(language, "exception");
        let after = said.split(place).nth(1).unwrap_or_default();
        assert!(
            after.starts_with(|digit: char| digit.is_ascii_digit()),
            "{language}: {said}"
        );
    }
}

#[test]
fn an_endless_loop_misses_the_deadline() {
    for language in LANGUAGES {
        let said = said(language, "loop");
        assert!(
            said.contains("of CPU time; it was stopped"),
            "{language}: {said}"
        );
    }
}

#[test]
fn a_plugin_that_takes_all_memory_is_told_by_the_limit() {
    for language in LANGUAGES {
        let said = said(language, "memory");
        // Where the language has an exception for it, that is what is told.
        let told = ["ran out of memory", "MemoryError", "out of memory"];
        assert!(
            told.iter().any(|told| said.contains(told)),
            "{language}: {said}"
        );
    }
}
