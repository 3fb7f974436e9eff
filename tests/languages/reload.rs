//! A new version of a plugin goes on with the state of the old one: no count is lost.

use std::fs;

use retrans_host::plugin::Origin;
use retrans_host::plugin::Spec;
use retrans_host::stream::batch::Item;
use serde_json::Value;
use tempfile::TempDir;

use crate::built::LANGUAGES;
use crate::built::component;
use crate::common::chain::mark;
use crate::plugin_support::reload::Running;

/// Replaces the summary of a language between events, and returns what both versions have counted.
fn counted_over_a_reload(language: &str) -> u64 {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("summary.wasm");
    let first = fs::read(component(language, "stateful")).expect("it was built");
    fs::write(&path, &first).expect("a temporary file");
    let mut spec = Spec::new("summary", Origin::File(path.clone()));
    spec.settings
        .texts
        .push(("every".to_owned(), "500s".to_owned()));
    let mut running = Running::begin(&spec);
    running.events(300);
    running.send(Item::Mark(mark(1)));
    running.events(40);
    // An empty custom section changes the file's digest.
    fs::write(&path, [first, vec![0, 2, 1, b'x']].concat()).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{language}: {log:#?}");
    running.events(7);
    let (said, report) = running.end();
    assert_eq!(report.usage[0].reloads, 1, "{language}");
    assert_eq!(report.usage[0].restarts, 0, "{language}");
    let lines = said.lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        line["events"].as_u64().expect("a number of events")
    });
    lines.sum()
}

#[test]
fn a_reload_loses_no_count_in_any_language() {
    for language in LANGUAGES {
        assert_eq!(counted_over_a_reload(language), 347, "{language}");
    }
}
