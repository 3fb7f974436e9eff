//! Builds and runs the README's plugin as it is printed there.

use std::fs;
use std::path::Path;
use std::process::Command;

use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;

use crate::common::chain::batches;
use crate::common::chain::run;
use crate::common::chain::start;

/// The first code block of this language in the README's chapter about plugins.
fn block(language: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let (_, part) = readme
        .split_once("## Write a plugin")
        .expect("the README tells how to write a plugin");
    let (_, from) = part
        .split_once(&format!("```{language}\n"))
        .expect("the README shows the plugin");
    let (block, _) = from.split_once("```").expect("the block ends");
    block.to_owned()
}

#[test]
fn the_plugin_of_the_readme_alerts_at_every_timeout() {
    let beside = tempfile::tempdir().expect("a temporary directory");
    let made = Command::new(env!("CARGO_BIN_EXE_retrans-host"))
        .args(["plugin", "new", "alert"])
        .current_dir(beside.path())
        .output()
        .expect("the binary can be run");
    assert!(made.status.success(), "{made:?}");
    let crate_of_its_own = beside.path().join("alert");
    let code = block("rust");
    assert!(code.trim().lines().count() <= 10, "ten lines:\n{code}");
    fs::write(crate_of_its_own.join("src/lib.rs"), code).expect("a file of our own");

    let target = beside.path().join("target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(&crate_of_its_own)
        .args(["build", "--release", "--target", "wasm32-wasip2", "--quiet"])
        .arg("--target-dir")
        .arg(&target);
    let output = cargo.output().expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the plugin does not build:\n{errors}"
    );

    let file = target.join("wasm32-wasip2/release/alert.wasm");
    let records: Vec<Record> = Synth::new(1).take(500).collect();
    let plugin = start("alert", &Origin::File(file), &[], Limits::default());
    let plugin = plugin.expect("the README's plugin starts");
    let ran = run(vec![plugin], batches(&records, 256));
    let timeouts = records
        .iter()
        .filter(|record| record.kind() == Kind::Timeout);
    let expected: Vec<_> = timeouts
        .map(|record| (record.peer_address().to_string(), record.rto()))
        .map(|(peer, rto)| {
            (
                peer,
                format!("no answer within {:?}", rto.expect("it is known")),
            )
        })
        .collect();
    let alerts = ran.said.alerts.iter();
    let actual: Vec<_> = alerts
        .map(|alert| (alert.labels[0].1.clone(), alert.summary.clone()))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(actual, expected);
}
