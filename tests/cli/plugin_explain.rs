//! `plugin explain` and `plugin diff`: what each plugin of a chain did with each event, and what two versions do
//! differently.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::common::captures::generated;
use crate::common::components::Files;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// Explains a chain with 12 synthetic events.
fn explain(arguments: &[&str]) -> Command {
    explain_with("1", arguments)
}

/// The same with events of several connections.
fn explain_with(connections: &str, arguments: &[&str]) -> Command {
    let files = Files::new();
    let capture = generated(
        files.path(),
        "sample.rtc",
        &[
            "--events",
            "12",
            "--connections",
            connections,
            "--seed",
            "5",
        ],
    );
    let mut command = Command::new(BINARY);
    command.args(["plugin", "explain"]).args(arguments);
    // Held open: the directory is deleted when this returns.
    let file = std::fs::File::open(&capture).expect("it was generated");
    command.args(["--events", "-"]).stdin(file);
    command
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = output(&mut explain(arguments));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn steps(arguments: &[&str]) -> Vec<Value> {
    let text = printed(&[arguments, &["--json"]].concat());
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

#[test]
fn each_plugin_has_its_own_settings_and_its_own_share() {
    let (drop, tag) = (path(DROP_EVERY), path(TAG_NETWORK));
    let steps = steps(&[
        &drop,
        "--set",
        "n=3",
        &tag,
        "--set",
        "network=::/0",
        "--set",
        "name=six",
        &format!("other={tag}"),
        "--set",
        "network=0.0.0.0/0",
        "threshold-alert",
        "--set",
        "threshold=4",
        "json-print",
        "--set",
        "fields=type",
    ]);
    let events: Vec<_> = steps
        .iter()
        .filter(|step| step["event"].is_number())
        .collect();
    assert_eq!(events.len(), 12);
    for (number, step) in (1..).zip(&events) {
        assert_eq!(step["event"], number);
        let plugins = step["plugins"].as_array().expect("an array");
        let names: Vec<_> = plugins.iter().map(|plugin| &plugin["plugin"]).collect();
        if number % 3 == 0 {
            assert_eq!(plugins, &[json!({ "plugin": "drop_every", "kept": false })]);
            continue;
        }
        assert_eq!(
            names,
            [
                "drop_every",
                "tag_network",
                "other",
                "threshold-alert",
                "json-print"
            ]
        );
        assert_eq!(plugins[0], json!({ "plugin": "drop_every", "kept": true }));
        // The peer is either in the one network or in the other.
        let labels = [&plugins[1], &plugins[2]].map(|plugin| plugin["labels"]["network"].as_str());
        assert!(
            labels == [Some("six"), None] || labels == [None, Some("internal")],
            "{labels:?}"
        );
        assert_eq!(plugins[4]["lines"], json!(["{\"type\":\"retransmit\"}"]));
        assert!(
            plugins[3]["lines"].is_null(),
            "the lines are those of json-print"
        );
    }
    let alerts = events
        .iter()
        .flat_map(|step| step["plugins"].as_array().into_iter().flatten());
    let alerts: Vec<_> = alerts
        .filter(|plugin| plugin["alerts"].is_array())
        .collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["plugin"], "threshold-alert");
    assert_eq!(alerts[0]["alerts"][0]["state"], "firing");
}

#[test]
fn changes_have_the_old_and_the_new_value() {
    let liar = path(LIAR);
    let arguments = [&liar, "--set", "act=change_port_to_443", "json-print"];
    let output = output(&mut explain_with("4", &arguments));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.contains("  liar             kept, destination.port 6379 -> 443\n"),
        "{text}"
    );
    assert!(text.contains("    | {\"type\":\"retransmit\""), "{text}");
    assert!(text.starts_with("event 1 20"), "{text}");
}

#[test]
fn the_number_of_events_is_bounded() {
    assert_eq!(steps(&["json-print", "--count", "5"]).len(), 5);
}

#[test]
fn what_cannot_be_explained_is_refused_in_one_line() {
    let words = ["--set n=3", "no --plugin before it"];
    assert_refused(&mut explain(&["--set", "n=3", "json-print"]), USAGE, &words);
    let words = ["two instances have the name json-print"];
    assert_refused(&mut explain(&["json-print", "json-print"]), USAGE, &words);
    let mut command = Command::new(BINARY);
    command.args(["plugin", "explain", "json-print", "--events", "none.rtc"]);
    assert_refused(
        &mut command,
        FAILURE,
        &["cannot read none.rtc", "No such file"],
    );
}

#[test]
fn two_versions_are_compared_with_the_same_options() {
    let files = Files::new();
    let capture = generated(files.path(), "sample.rtc", &["--events", "12"]);
    let diff = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command
            .args(["plugin", "diff"])
            .args(arguments)
            .arg("--events")
            .arg(&capture);
        output(&mut command)
    };
    // The same with an empty custom section: another file, and no other name in it.
    let plugin = std::fs::read(path(DROP_EVERY)).expect("it was built");
    let other = files.write("other.wasm", [&plugin[..], &[0, 1, 0]].concat());
    let other = other.display().to_string();
    let same = diff(&[&path(DROP_EVERY), &other, "--set", "n=5"]);
    assert!(same.status.success(), "{same:?}");
    assert_eq!(
        String::from_utf8_lossy(&same.stdout),
        "both do the same with 12 events\n"
    );

    let differ = diff(&[&path(DROP_EVERY), "json-print", "--json"]);
    assert_eq!(differ.status.code(), Some(FAILURE));
    let report: Value = serde_json::from_slice(&differ.stdout).expect("JSON");
    assert_eq!(report["same"], false);
    // The one drops every second event, the other drops none and prints 12 lines.
    assert_eq!(
        (&report["only_old"], &report["only_new"]),
        (&json!(6), &json!(18))
    );
    let text = report["diff"].as_str().expect("text");
    assert!(
        text.contains("-{\"event\":2,\"kept\":false}\n+{\"event\":2}\n"),
        "{text}"
    );
    let error = String::from_utf8_lossy(&differ.stderr);
    assert!(error.contains("the versions differ: 6 lines of"), "{error}");
}
