//! `plugin test`: what a plugin does is written down, compared, and the same however the stream is cut.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

use crate::common::captures::generated;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::implemented;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// A directory with a capture of 30 events.
struct Trial {
    files: Files,
    capture: PathBuf,
}

impl Trial {
    fn new() -> Trial {
        let files = Files::new();
        let capture = generated(
            files.path(),
            "sample.rtc",
            &["--events", "30", "--connections", "3", "--seed", "5"],
        );
        Trial { files, capture }
    }

    fn expected(&self) -> PathBuf {
        self.files.path().join("expected")
    }

    fn command(&self, plugin: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["plugin", "test"]).arg(plugin).args(options);
        command.arg("--events").arg(&self.capture);
        command.arg("--expect").arg(self.expected());
        command
    }

    /// Writes what the plugin does. Returns its lines.
    fn bless(&self, plugin: &Path, options: &[&str]) -> Vec<Value> {
        let output = output(self.command(plugin, options).arg("--bless"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let text = fs::read_to_string(self.expected()).expect("it was written");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn test(&self, plugin: &Path, options: &[&str]) -> Output {
        output(&mut self.command(plugin, options))
    }
}

#[test]
fn a_filter_drops_what_is_written_down_and_another_setting_is_a_difference() {
    let trial = Trial::new();
    let plugin = fixture(DROP_EVERY);
    let lines = trial.bless(&plugin, &["--set", "n=10"]);
    assert_eq!(lines.len(), 30);
    let dropped = lines.iter().filter(|line| line["kept"] == false);
    let dropped: Vec<_> = dropped.map(|line| line["event"].as_u64()).collect();
    assert_eq!(dropped, [Some(10), Some(20), Some(30)]);

    let passed = trial.test(&plugin, &["--set", "n=10"]);
    assert!(passed.status.success());
    assert_eq!(
        String::from_utf8_lossy(&passed.stdout),
        "passed: 27 of 30 events kept, 0 lines, 0 alerts; the same in batches of 1, 7 and 256\n"
    );

    let failed = trial.test(&plugin, &["--set", "n=15"]);
    assert_eq!(failed.status.code(), Some(FAILURE));
    let diff = String::from_utf8_lossy(&failed.stdout);
    assert!(
        diff.contains("-{\"event\":10,\"kept\":false}\n+{\"event\":10}\n"),
        "{diff}"
    );
    let error = String::from_utf8_lossy(&failed.stderr);
    assert!(
        error.contains("3 lines are missing, 3 are new; --bless accepts them"),
        "{error}"
    );

    let json = trial.test(&plugin, &["--set", "n=15", "--json"]);
    let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(report["passed"], false);
    assert_eq!(
        (&report["events"], &report["kept"]),
        (&Value::from(30), &Value::from(28))
    );
    assert_eq!(report["diff"].as_str(), Some(&*diff));
}

#[test]
fn labels_and_lines_and_alerts_are_written_down() {
    let trial = Trial::new();
    let labelled = trial.bless(
        &fixture(TAG_NETWORK),
        &["--set", "network=10.2.0.0/16", "--set", "name=lab"],
    );
    assert!(
        labelled
            .iter()
            .any(|line| line["labels"]["network"] == "lab"),
        "{labelled:?}"
    );
    let changed = trial.bless(&fixture(LIAR), &["--set", "act=change_port_to_443"]);
    let ports = changed
        .iter()
        .map(|line| &line["changed"]["destination.port"]);
    let ports: Vec<_> = ports.filter(|ports| ports.is_array()).collect();
    assert!(!ports.is_empty());
    assert!(
        ports.iter().all(|ports| ports[0] != 443 && ports[1] == 443),
        "{ports:?}"
    );
    let printed = trial.bless(Path::new("json-print"), &[]);
    let is_line = |line: &&Value| line["line"].is_string();
    assert_eq!(printed.iter().filter(is_line).count(), 30);
    let alerted = trial.bless(Path::new("threshold-alert"), &["--set", "threshold=2"]);
    let alerts = alerted
        .iter()
        .filter(|line| line["alert"]["state"] == "firing");
    assert_eq!(alerts.count(), 2);
}

/// A plugin that keeps the events of large batches only: its answer depends on where the stream is cut.
fn dependent_on_batches() -> Vec<u8> {
    let module = r#"(module
        (memory (export "memory") 8)
        (data (i32.const 132) "\01")
        (func (export "retrans:plugin/processor@0.1.0#describe") (result i32) i32.const 64)
        (func (export "retrans:plugin/processor@0.1.0#configure") (param i32 i32) (result i32)
            i32.const 64)
        (func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 7))
                (then (i32.const 128)) (else (i32.const 64))))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))"#;
    implemented(&[CONTRACT], "plugin", module).expect("a component")
}

#[test]
fn a_plugin_whose_answer_depends_on_the_size_of_batches_fails() {
    let trial = Trial::new();
    let plugin = trial.files.write("cut.wasm", dependent_on_batches());
    let failed = output(trial.command(&plugin, &[]).arg("--bless"));
    assert_eq!(failed.status.code(), Some(FAILURE));
    let error = String::from_utf8_lossy(&failed.stderr);
    assert!(error.contains("in batches of 7 instead of 256"), "{error}");
    // 30 events are 4 batches of 7, and one of 2.
    let diff = String::from_utf8_lossy(&failed.stdout);
    assert!(diff.contains("+{\"event\":29,\"kept\":false}\n"), "{diff}");
    assert!(!trial.expected().exists(), "nothing is written");
}

#[test]
fn a_fault_ends_the_test_with_its_functions() {
    let trial = Trial::new();
    let failed = output(
        trial
            .command(&fixture(WITNESS), &["--set", "panic_at=7"])
            .arg("--bless"),
    );
    assert_eq!(failed.status.code(), Some(FAILURE));
    let error = String::from_utf8_lossy(&failed.stderr);
    assert!(error.contains("plugin witness"), "{error}");
    assert!(error.contains("\n    in "), "{error}");
    assert!(!trial.expected().exists());
}

#[test]
fn what_cannot_be_tested_is_refused_in_one_line() {
    let trial = Trial::new();
    let words = [
        "expected: No such file",
        "--bless writes what the plugin does now",
    ];
    assert_refused(
        &mut trial.command(Path::new("json-print"), &[]),
        FAILURE,
        &words,
    );
    fs::write(trial.expected(), "").expect("a file");
    let words = ["cannot read", "none.rtc", "No such file"];
    let mut command = trial.command(Path::new("json-print"), &["--events", "none.rtc"]);
    assert_refused(&mut command, FAILURE, &words);
    let words = ["threshold"];
    let mut command = trial.command(Path::new("threshold-alert"), &["--set", "threshold=0"]);
    assert_refused(&mut command, USAGE, &words);
    let words = ["--set nonsense", "KEY=VALUE"];
    let mut command = trial.command(Path::new("json-print"), &["--set", "nonsense"]);
    assert_refused(&mut command, USAGE, &words);
    let mut command = Command::new(BINARY);
    command
        .args(["plugin", "test", "json-print", "--expect"])
        .arg(trial.expected());
    let none = trial
        .files
        .write("none.jsonl", "{\"type\":\"gap\",\"lost\":1}\n");
    command.arg("--events").arg(none);
    assert_refused(
        &mut command,
        FAILURE,
        &["has no events", "retrans-host generate"],
    );
}

#[test]
fn settings_come_from_files_too_and_set_replaces_them() {
    let trial = Trial::new();
    let plugin = fixture(DROP_EVERY);
    let dropped = |options: &[&str]| {
        let lines = trial.bless(&plugin, options);
        lines.iter().filter(|line| line["kept"] == false).count()
    };
    let file = |name, text: &str| {
        let path = trial.files.write(name, text);
        path.to_str().expect("UTF-8").to_owned()
    };
    let tens = file("tens.toml", "# Every tenth.\nn = 10\n");
    let fives = file("fives.json", "{\"n\": 5}");
    assert_eq!(dropped(&["--settings", &tens]), 3);
    assert_eq!(dropped(&["--settings", &fives]), 6);
    assert_eq!(dropped(&["--settings", &tens, "--settings", &fives]), 6);
    assert_eq!(dropped(&["--set", "n=15", "--settings", &tens]), 2);

    let typed = file("typed.toml", "n = \"10\"\n");
    let unknown = file("unknown.toml", "nn = 10\n");
    let broken = file("broken.toml", "n = 10\nn =\n");
    let list = file("list.json", "[10]");
    for (path, words) in [
        (
            typed.as_str(),
            &["n: expected whole number from", "not \"10\""][..],
        ),
        (&unknown, &["unknown setting nn; did you mean n?"]),
        (&broken, &["--settings", "broken.toml: line 2: not TOML"]),
        (&list, &["list.json: expected a JSON object"]),
        ("none.toml", &["none.toml: cannot read it: No such file"]),
    ] {
        let mut command = trial.command(&plugin, &["--settings", path]);
        assert_refused(&mut command, USAGE, words);
    }
}
