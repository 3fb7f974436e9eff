//! `plugin list`, `plugin describe` and `plugin bench`: text, JSON, and plugins that cannot be used.

use std::process::Command;

use serde_json::Value;

use crate::common::components::Files;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

fn plugin(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("plugin").args(arguments);
    command
}

/// What a command prints that succeeds and says nothing else.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = output(&mut plugin(arguments));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).expect("JSON")
}

#[test]
fn bundled_plugins_are_listed_with_what_they_do() {
    let text = printed(&["list"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert!(
        lines[0].starts_with("json-print         Prints each event"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("table-print        Prints each event as a line of columns"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("threshold-alert    Alerts when"),
        "{text}"
    );
    assert!(
        lines[6].starts_with("sample             Keeps one connection"),
        "{text}"
    );
}

#[test]
fn a_directory_is_listed_too_and_a_file_that_is_no_plugin_says_why() {
    let files = Files::new();
    let good = files.write(
        "b-good.wasm",
        std::fs::read(fixture(WITNESS)).expect("it is there"),
    );
    let bad = files.write("c-bad.wasm", b"\0asm\x01\0\0\0");
    files.write("a-note.txt", b"not listed");
    let directory = good.parent().expect("a directory").display().to_string();
    let listed = json(&["list", "--dir", &directory, "--json"]);
    let names: Vec<_> = listed
        .as_array()
        .expect("an array")
        .iter()
        .map(|item| &item["plugin"])
        .collect();
    let paths = [&good, &bad].map(|path| path.display().to_string());
    assert_eq!(
        names,
        [
            "json-print",
            "table-print",
            "threshold-alert",
            "flow-summary",
            "label-networks",
            "ratio-alert",
            "sample",
            &paths[0],
            &paths[1]
        ]
    );
    assert_eq!(listed[1]["bundled"], true);
    assert_eq!(listed[7]["bundled"], false);
    assert_eq!(listed[7]["description"]["name"], "witness");
    let error = listed[8]["error"].as_str().expect("an error");
    assert!(error.contains("a core module, not a component"), "{error}");
    let text = printed(&["list", "--dir", &directory]);
    assert!(text.lines().count() == 9, "{text}");
    assert!(text.contains("c-bad.wasm cannot be used: "), "{text}");
}

#[test]
fn a_plugin_is_described_with_its_settings_in_words() {
    let text = printed(&["describe", "threshold-alert"]);
    for words in [
        "threshold-alert 0.1.0\nAlerts when a peer",
        "contract   retrans:plugin@0.1.0\n",
        "receives   events, a tick every second, the end of the stream\n",
        "grants     it can use --allow env=NAME\n",
        "state      survives faults and new versions\n",
        "  threshold: whole number from 1 to 524288, by default 10\n      Count at which the alert fires.\n",
        "  window: text such as 10s, 250ms, 1m30s, by default 10s\n",
        "  key: one of the words below, or several with commas, by default peer\n",
        "      peer_port      Port of the peer.\n",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let described = json(&["describe", "threshold-alert", "--json"]);
    assert_eq!(described["exports"]["state"], true);
    assert_eq!(described["sha256"].as_str().map(str::len), Some(64));
    // A page of linear memory has 64 KiB, and the footprint includes the compiled code.
    assert_eq!(
        described["memory"].as_u64().map(|bytes| bytes % 65_536),
        Some(0)
    );
    assert!(described["footprint"].as_u64() > described["size"].as_u64());
}

/// A live run makes a census for a plugin that imports the function, so that no other plugin may import it.
#[test]
fn a_plugin_that_takes_no_census_does_not_import_it() {
    let fixture = fixture(WITNESS).display().to_string();
    for (name, expected) in [
        ("json-print", "optional"),
        ("table-print", "none"),
        ("threshold-alert", "none"),
        ("flow-summary", "none"),
        ("label-networks", "none"),
        ("ratio-alert", "required"),
        ("sample", "none"),
        (fixture.as_str(), "none"),
    ] {
        let described = json(&["describe", name, "--json"]);
        assert_eq!(described["census"], expected, "{name}");
    }
    let text = printed(&["describe", "ratio-alert"]);
    let words = "the end of the stream; a census, which a live run makes for it\n";
    assert!(text.contains(words), "{text}");
    assert!(text.contains(", by default none\n"), "{text}");
}

#[test]
fn a_plugin_without_state_or_timer_says_so() {
    let path = fixture(TAG_NETWORK);
    let described = json(&["describe", &path.display().to_string(), "--json"]);
    assert_eq!(described["exports"]["state"], false);
    assert_eq!(described["contract"], "retrans:plugin@0.1.0");
}

#[test]
fn what_is_no_plugin_is_refused_in_one_line() {
    let words = ["no bundled plugin \"nope\"", "json-print"];
    assert_refused(&mut plugin(&["describe", "nope"]), USAGE, &words);
    let words = ["plugin ./nope.wasm", "No such file"];
    assert_refused(&mut plugin(&["describe", "./nope.wasm"]), FAILURE, &words);
    let words = ["cannot list plugins in /nope", "No such file"];
    assert_refused(&mut plugin(&["list", "--dir", "/nope"]), FAILURE, &words);
}

#[test]
fn a_plugin_is_measured_beside_one_that_keeps_every_event_and_beside_another() {
    let other = fixture(TAG_NETWORK).display().to_string();
    let measured = json(&["bench", "json-print", "--compare", &other, "--json"]);
    let measured = measured.as_array().expect("an array");
    let names: Vec<_> = measured.iter().map(|item| &item["plugin"]).collect();
    assert_eq!(names, ["pass-through", "json-print", "tag_network"]);
    for plugin in measured {
        let batches = plugin["batches"].as_array().expect("an array");
        let sizes: Vec<_> = batches
            .iter()
            .map(|batch| &batch["events_in_a_call"])
            .collect();
        assert_eq!(sizes, [1, 64, 256]);
        for batch in batches {
            let [min, median, max] =
                ["min_ns", "median_ns", "max_ns"].map(|key| batch[key].as_f64());
            assert!(Some(0.0) < min && min <= median && median <= max, "{batch}");
        }
        assert!(plugin["compile_ms"].as_f64() > Some(0.0));
        assert!(plugin["start_us"].as_f64() > Some(0.0));
        assert_eq!(
            plugin["memory"].as_u64().map(|bytes| bytes % 65_536),
            Some(0)
        );
    }
    let text = printed(&["bench", "json-print"]);
    assert!(text.contains("\njson-print "), "{text}");
    let words = ["plugin nope: cannot read ./nope.wasm", "No such file"];
    assert_refused(&mut plugin(&["bench", "./nope.wasm"]), FAILURE, &words);
}
