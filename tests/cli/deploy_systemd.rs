//! The unit of the service: systemd accepts it, and rates what it restricts.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::system_calls::name;
use crate::common::system_calls::system_service;

const UNIT: &str = include_str!("../../deploy/systemd/retrans-host.service");

/// The exposure of systemd 252, times ten: less is better.
const MAX_EXPOSURE: u32 = 21;

/// Runs systemd-analyze in this directory; what it prints. `None`: it is not here, which is a failure where CI=true.
#[track_caller]
fn systemd_analyze(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("systemd-analyze");
    let command = command.args(arguments).stdin(Stdio::null());
    let output = match command.current_dir(directory).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(
                !is_ci,
                "systemd-analyze is missing (Debian's package systemd)"
            );
            eprintln!("skipped: there is no systemd-analyze");
            return None;
        }
        output => output.expect("it runs"),
    };
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{arguments:?}: {printed}");
    Some(printed)
}

/// A directory with the unit, whose program is the one of the tests.
fn unit() -> Files {
    let files = Files::new();
    let installed = "ExecStart=/usr/bin/retrans-host ";
    assert_eq!(UNIT.matches(installed).count(), 1);
    let text = UNIT.replace(installed, &format!("ExecStart={BINARY} "));
    files.write("retrans-host.service", &text);
    files
}

#[test]
fn systemd_accepts_the_unit() {
    let files = unit();
    let printed = systemd_analyze(files.path(), &["verify", "./retrans-host.service"]);
    // Units of the machine may have warnings of their own.
    let about_it = |line: &&str| line.contains("retrans-host");
    if let Some(printed) = printed {
        assert_eq!(printed.lines().find(about_it), None, "{printed}");
    }
    // It finds what is wrong.
    let text = fs::read_to_string(files.path().join("retrans-host.service")).expect("a unit");
    files.write(
        "wrong.service",
        text.replace("WatchdogSec=", "WatchdogSecs="),
    );
    if let Some(printed) = systemd_analyze(files.path(), &["verify", "./wrong.service"]) {
        assert!(printed.contains("WatchdogSecs"), "{printed}");
    }
}

#[test]
fn the_unit_restricts_at_least_what_was_measured() {
    let files = unit();
    let arguments = [
        "security",
        "--offline=true",
        "--no-pager",
        "./retrans-host.service",
    ];
    let Some(printed) = systemd_analyze(files.path(), &arguments) else {
        return;
    };
    let level = printed
        .split("Overall exposure level for retrans-host.service: ")
        .nth(1);
    let level = level
        .and_then(|rest| rest.split(' ').next())
        .expect("a level");
    let tenths: u32 = level.replace('.', "").parse().expect("a number");
    assert!(tenths <= MAX_EXPOSURE, "{level}: {printed}");
}

/// The tests of the filter do not need systemd: they have its set as of the oldest version.
#[test]
fn the_set_of_system_calls_is_that_of_systemd() {
    let Some(printed) = systemd_analyze(Path::new("/"), &["--version"]) else {
        return;
    };
    let mut found = BTreeSet::new();
    let mut sets = vec!["@system-service".to_owned()];
    while let Some(set) = sets.pop() {
        let printed = systemd_analyze(Path::new("/"), &["syscall-filter", &set]);
        for word in printed.expect("it was there before").lines().map(str::trim) {
            match word.starts_with('@') && word != set {
                true => sets.push(word.to_owned()),
                false => drop(found.insert(word.to_owned())),
            }
        }
    }
    let recorded: Vec<_> = system_service().map(name).collect();
    assert!(recorded.len() > 200, "{recorded:?}");
    for name in recorded {
        assert!(found.contains(name), "{name}: {printed}");
    }
}

#[test]
fn what_must_stay_off_is_off() {
    for setting in [
        "MemoryDenyWriteExecute=",
        "PrivateUsers=",
        "ProtectProc=",
        "ProcSubset=",
        "PrivateNetwork=",
        "RestrictFileSystems=",
        "LimitAS=",
    ] {
        let is_set = UNIT.lines().any(|line| line.starts_with(setting));
        assert!(!is_set, "{setting}");
        assert!(UNIT.contains(setting), "{setting} is explained");
    }
}

/// The host tells what the unit waits for: its own sources name the same messages.
#[test]
fn the_document_explains_each_message_to_the_service_manager() {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md"));
    let document = document.expect("a document");
    for message in [
        "READY=1",
        "RELOADING=1",
        "STOPPING=1",
        "WATCHDOG=1",
        "STATUS=",
    ] {
        assert!(document.contains(message), "{message}");
    }
}
