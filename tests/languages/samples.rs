//! The samples of each language give the same bytes as those in Rust: events, labels, lines, alerts, counters.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::built::LANGUAGES;
use crate::built::SAMPLES;
use crate::built::component;
use crate::built::in_rust;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;

/// Events of the generated stream.
const EVENTS: &str = "200000";

/// What a plugin did with a capture: everything that it printed, and its counters.
struct Answers {
    printed: String,
    counters: Vec<String>,
}

fn answers(plugin: &Path, settings: &[&str], capture: &Path) -> Answers {
    let path = |path: &Path| path.display().to_string();
    let mut command = host(
        Path::new("."),
        &[
            "replay",
            &path(capture),
            "--alerts",
            "json",
            "--plugin",
            &path(plugin),
        ],
    );
    let (printed, ledger) = ran(command.args(settings).args(["--plugin", "json-print"]));
    let counters = ledger
        .lines()
        .filter(|line| line.starts_with("ledger: counter "));
    Answers {
        counters: counters.map(str::to_owned).collect(),
        printed,
    }
}

/// Compares a language with Rust, and returns what Rust printed.
fn compare(language: &str, sample: &str, settings: &[&str], capture: &Path) -> String {
    let expected = answers(&in_rust(sample), settings, capture);
    let found = answers(&component(language, sample), settings, capture);
    let at = format!("{sample} in {language}, {}", capture.display());
    let lines = expected.printed.lines().zip(found.printed.lines());
    for (number, (expected, found)) in lines.enumerate() {
        assert_eq!(found, expected, "{at}, line {}", number + 1);
    }
    assert_eq!(found.printed.len(), expected.printed.len(), "{at}");
    assert_eq!(found.counters, expected.counters, "{at}");
    expected.printed
}

/// All samples of a language, with generated events and with what kernels have recorded.
fn compare_all(language: &str) {
    let directory = TempDir::new().expect("a temporary directory");
    let stream = generated(
        directory.path(),
        "stream.rtc",
        &["--events", EVENTS, "--gaps"],
    );
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let recorded = fs::read_dir(recorded).expect("there are captures");
    let recorded = recorded.map(|entry| entry.expect("it can be read").path());
    let recorded = recorded.filter(|path| path.extension().is_some_and(|name| name == "rtc"));
    let recorded: Vec<_> = recorded.collect();
    assert_eq!(recorded.len(), 8);
    for (sample, settings) in SAMPLES {
        let printed = compare(language, sample, settings, &stream);
        // The settings give the sample something to do.
        let count = |words: &str| printed.lines().filter(|line| line.contains(words)).count();
        match sample {
            "filter" => assert!((1_000..100_000).contains(&count(r#""type":"retransmit""#))),
            "transform" => assert!((1_000..190_000).contains(&count(r#""network":"ours""#))),
            "alert" => {
                assert!(count(r#""state":"firing""#) > 1_000);
                assert!(count(r#""state":"resolved""#) > 1_000);
            }
            _ => assert!(count(r#""type":"kind_summary""#) > 50),
        }
        for capture in &recorded {
            // The documented settings: the filter keeps port 443.
            compare(language, sample, &[], capture);
        }
    }
}

#[test]
fn every_language_is_tested() {
    assert_eq!(LANGUAGES, ["c", "go", "python", "javascript"]);
}

#[test]
fn c_answers_as_rust() {
    compare_all("c");
}

#[test]
fn go_answers_as_rust() {
    compare_all("go");
}

#[test]
fn python_answers_as_rust() {
    compare_all("python");
}

#[test]
fn javascript_answers_as_rust() {
    compare_all("javascript");
}
