//! `plugin profile`: the functions of a plugin by their samples, and its stacks.

use std::fs;

use serde_json::Value;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;

const TIME: &[&str] = &["--time", "300ms"];

#[test]
fn samples_are_of_functions_of_the_plugin() {
    let files = Files::new();
    let events = ["--events", "500", "--connections", "9", "--seed", "5"];
    generated(files.path(), "sample.rtc", &events);
    let plugin = fixture(WITNESS).display().to_string();
    let arguments = ["plugin", "profile", &plugin, "--events", "sample.rtc"];
    let profile = |more: &[&str]| {
        let arguments = [&arguments[..], TIME, more].concat();
        ran(&mut host(files.path(), &arguments))
    };
    let (json, _) = profile(&["--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let samples = json["samples"].as_u64().expect("a number");
    let seconds = json["cpu_seconds"].as_f64().expect("a number");
    assert!(seconds >= 0.3, "{json}");
    // An epoch may end late, never early: at most one sample a millisecond of time, which is at least CPU time.
    assert!(samples > 20, "{json}");
    let events = json["events"].as_u64().expect("a number");
    assert_eq!(events, 500 * json["passes"].as_u64().expect("a number"));
    let functions = json["functions"].as_array().expect("a list");
    let own: u64 = functions
        .iter()
        .filter_map(|function| function["self"].as_u64())
        .sum();
    assert_eq!(own, samples);
    let process = functions
        .iter()
        .find(|function| function["name"] == "retrans:plugin/processor@0.1.0#process");
    let process = process.expect("it runs in process");
    assert!(process["total"].as_u64() > Some(samples / 2), "{json}");

    let (table, status) = profile(&["--folded", "stacks"]);
    assert!(table.starts_with("   self    total  function\n"), "{table}");
    assert!(status.contains("stacks to stacks"), "{status}");
    let folded = fs::read_to_string(files.path().join("stacks")).expect("it was written");
    for line in folded.lines() {
        let (stack, samples) = line.rsplit_once(' ').expect("a stack and its samples");
        assert!(
            !stack.is_empty() && samples.parse::<u64>().is_ok(),
            "{line}"
        );
    }
    let (printed, _) = profile(&["--folded", "-"]);
    assert!(
        printed.contains("retrans:plugin/processor@0.1.0#process;"),
        "{printed}"
    );
}

#[test]
fn a_plugin_that_fails_is_not_profiled() {
    let files = Files::new();
    generated(files.path(), "sample.rtc", &["--events", "10"]);
    let plugin = fixture(WITNESS).display().to_string();
    let arguments = [
        "plugin",
        "profile",
        &plugin,
        "--set",
        "panic_at=[3]",
        "--events",
        "sample.rtc",
    ];
    let output = host(files.path(), &arguments).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
    assert!(stderr.contains("witness/src/lib.rs:"), "{stderr}");
    assert!(
        stderr.contains("plugin witness failed in process: wasm trap"),
        "{stderr}"
    );
    let none = ["plugin", "profile", &plugin, "--events", "none.rtc"];
    let words = ["cannot read none.rtc", "No such file"];
    assert_refused(&mut host(files.path(), &none), FAILURE, &words);
}
