//! The samples of each language give the same bytes as those in Rust: events, labels, lines, alerts, counters. Also where
//! the time steps back to that of another boot.

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

/// What a plugin did with captures: everything that it printed, and its counters.
struct Answers {
    printed: String,
    counters: Vec<String>,
}

fn answers(plugin: &Path, settings: &[&str], captures: &[&Path]) -> Answers {
    let mut command = host(Path::new("."), &["replay", "--alerts", "json", "--plugin"]);
    command.arg(plugin).args(settings);
    let (printed, ledger) = ran(command.args(["--plugin", "json-print"]).args(captures));
    let counters = ledger
        .lines()
        .filter(|line| line.starts_with("ledger: counter "));
    Answers {
        counters: counters.map(str::to_owned).collect(),
        printed,
    }
}

/// Compares a language with Rust, and returns what Rust printed.
fn compare(language: &str, sample: &str, settings: &[&str], captures: &[&Path]) -> String {
    let expected = answers(&in_rust(sample), settings, captures);
    let found = answers(&component(language, sample), settings, captures);
    let at = format!("{sample} in {language}, {captures:?}");
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
    let generated = |file, arguments: &[&str]| generated(directory.path(), file, arguments);
    let stream = generated("stream.rtc", &["--events", EVENTS, "--gaps"]);
    // Of another boot: its time begins where that of the first stream did. More peers than may have an alert.
    let crowd = generated("crowd.rtc", &["--events", "50k", "--connections", "60k"]);
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let recorded = fs::read_dir(recorded).expect("there are captures");
    let recorded = recorded.map(|entry| entry.expect("it can be read").path());
    let recorded = recorded.filter(|path| path.extension().is_some_and(|name| name == "rtc"));
    let recorded: Vec<_> = recorded.collect();
    assert_eq!(recorded.len(), 8);
    for (sample, settings) in SAMPLES {
        let printed = compare(language, sample, settings, &[&stream, &crowd]);
        // The settings give the sample something to do.
        let count = |words: &str| printed.lines().filter(|line| line.contains(words)).count();
        match sample {
            "filter" => assert!((1_000..100_000).contains(&count(r#""type":"retransmit""#))),
            "transform" => assert!((1_000..190_000).contains(&count(r#""network":"ours""#))),
            "alert" => {
                assert!(count(r#""state":"firing""#) > 1_000);
                assert!(count(r#""state":"resolved""#) > 1_000);
            }
            // 61 of the first boot.
            _ => assert!(count(r#""type":"kind_summary""#) > 70),
        }
        for capture in &recorded {
            // The documented settings: the filter keeps port 443.
            compare(language, sample, &[], &[capture]);
        }
    }
    // All peers are slow. Those of an earlier boot make room for those of the next one.
    let settings = ["--set", "timeout=0s", "--set", "hold=20s"];
    let printed = compare(language, "alert", &settings, &[&crowd, &crowd]);
    let count = |words: &str| printed.lines().filter(|line| line.contains(words)).count();
    let resolved = count(r#""state":"resolved""#);
    assert!(resolved > 5_000);
    assert!((1..=1_000).contains(&(count(r#""state":"firing""#) - resolved)));
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
