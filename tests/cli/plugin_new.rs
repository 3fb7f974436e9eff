//! `plugin new`: every kind of project builds, passes its test, and is a plugin; names that cannot be used leave nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// Runs cargo in a project. All projects have one target directory, so that the SDK is built once for each target.
#[track_caller]
fn cargo(project: &Path, arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(arguments)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_TERM_COLOR", "never");
    let output = cargo.output().expect("cargo can be run");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    assert!(!errors.contains("warning"), "{errors}");
    printed
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-new/target")
}

/// Makes a project at a place that is the same in each run: cargo knows it again.
fn project(name: &str, options: &[&str]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-new");
    let project = directory.join(name);
    let _ = fs::remove_dir_all(&project);
    fs::create_dir_all(&directory).expect("a directory of our own");
    let arguments = [&["plugin", "new", name], options].concat();
    let (stdout, stderr) = ran(&mut host(&directory, &arguments));
    assert_eq!(stderr, "");
    assert!(stdout.contains(&format!("cd {name}\n")), "{stdout}");
    project
}

#[test]
fn every_kind_of_project_builds_passes_its_test_and_is_a_plugin() {
    for (kind, tests, has_state) in [
        ("filter", 1, false),
        ("transform", 1, false),
        ("alert", 1, false),
        ("stateful", 2, true),
    ] {
        let name = format!("new-{kind}");
        let project = project(&name, &[&format!("--{kind}")]);
        for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
            for part in ["retrans-event", "retrans-plugin-sdk"] {
                assert!(project.join("vendor").join(part).join(file).is_file());
            }
        }
        cargo(&project, &["fmt", "--check"]);
        let tested = cargo(&project, &["test", "--quiet"]);
        assert!(
            tested.contains(&format!("{tests} passed; 0 failed")),
            "{tested}"
        );
        cargo(
            &project,
            &["build", "--quiet", "--release", "--target", "wasm32-wasip2"],
        );
        let file = format!("wasm32-wasip2/release/new_{kind}.wasm");
        let component = target().join(file).display().to_string();
        let arguments = ["plugin", "describe", &component, "--json"];
        let (described, _) = ran(&mut host(&project, &arguments));
        let described: Value = serde_json::from_str(&described).expect("JSON");
        assert_eq!(described["name"], *name);
        assert_eq!(described["exports"]["state"], has_state, "{kind}");
        assert_ne!(described["summary"], "");
        let arguments = ["plugin", "test", &component, "--events", "sample.rtc"];
        let arguments = [&arguments[..], &["--expect", "expected.jsonl", "--bless"]].concat();
        let (blessed, _) = ran(&mut host(&project, &arguments));
        assert!(blessed.contains("of 300 events kept"), "{blessed}");
    }
}

#[test]
fn a_project_may_use_an_sdk_elsewhere() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin-sdk");
    let project = project("new-elsewhere", &["--sdk", &sdk.display().to_string()]);
    assert!(!project.join("vendor").exists());
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("there is one");
    let path = fs::canonicalize(&sdk).expect("it is there");
    assert!(manifest.contains(&path.display().to_string()), "{manifest}");
    // The umask applies, as for any directory, whatever it is.
    let beside = project.with_file_name("new-beside");
    let _ = fs::remove_dir(&beside);
    fs::create_dir(&beside).expect("a directory of our own");
    let [mode, expected] = [&project, &beside].map(|directory| {
        let metadata = fs::metadata(directory).expect("it is there");
        metadata.permissions().mode()
    });
    assert_eq!(mode, expected);
}

#[test]
fn what_cannot_be_made_is_refused_in_one_line_and_leaves_nothing() {
    let files = Files::new();
    let directory = files.path();
    let refused = |arguments: &[&str], code, words: &[&str]| {
        let arguments = [&["plugin", "new"], arguments].concat();
        assert_refused(&mut host(directory, &arguments), code, words);
    };
    refused(&["fn"], USAGE, &["plugin new fn", "reserved"]);
    refused(
        &["../up"],
        USAGE,
        &["plugin new ../up", "lower-case letter"],
    );
    refused(
        &["x", "--sdk", "."],
        FAILURE,
        &["--sdk .", "not the directory of retrans-plugin-sdk"],
    );
    refused(
        &["x", "--sdk", "none"],
        FAILURE,
        &["--sdk none", "No such file"],
    );
    assert_eq!(fs::read_dir(directory).expect("a directory").count(), 0);
    fs::write(directory.join("mine"), "precious").expect("a file");
    refused(&["mine"], FAILURE, &["cannot make mine: it exists"]);
    assert_eq!(
        fs::read(directory.join("mine")).expect("it is there"),
        b"precious"
    );
}
