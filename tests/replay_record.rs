//! A replay can be recorded: what goes to the chain is in another capture, cut out of one or of several, whatever
//! plugins make of it.

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use crate::common::captures::Shown;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::items;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::fixture;
use crate::common::pipes::ended;
use crate::common::pipes::ledger;
use crate::common::pipes::pipe;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::pipes::wait_until_stuck;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The items of a capture that has an end.
#[track_caller]
fn held(file: &Path) -> Vec<Shown> {
    let bytes = fs::read(file).expect("a capture");
    let (items, error) = items(&bytes).expect("a capture");
    assert!(error.is_none(), "{error:?}");
    items
}

#[test]
fn what_is_replayed_is_recorded_item_by_item() {
    let files = Files::new();
    let from = generated(files.path(), "a.rtc", &["--events", "5k", "--gaps"]);
    let arguments = ["replay", "a.rtc", "--record", "b.rtc"];
    let (stdout, stderr) = ran(&mut host(files.path(), &arguments));
    assert_eq!(ledger(&stderr, "capture", "events"), 5_000);
    assert_eq!(held(&files.path().join("b.rtc")), held(&from));
    assert_eq!(printed(files.path(), &["b.rtc"]), stdout);
}

#[test]
fn the_machine_is_that_of_the_first_capture_that_names_one() {
    let files = Files::new();
    generated(files.path(), "none.rtc", &["--events", "10"]);
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let (fast, timeout) = (captures.join("fast.rtc"), captures.join("timeout.rtc"));
    let mut command = host(files.path(), &["replay", "--record", "b.rtc", "none.rtc"]);
    ran(command.args([&fast, &timeout]));
    let about = |file: &Path| {
        let (page, _) = ran(host(files.path(), &["inspect"]).arg(file));
        let line = page.lines().find(|line| line.contains("  host  "));
        line.map(str::to_owned)
    };
    let recorded = about(&files.path().join("b.rtc"));
    assert!(
        recorded.is_some() && recorded == about(&fast),
        "{recorded:?}"
    );
}

#[test]
fn a_part_is_recorded_and_no_plugin_changes_what() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "5k"]);
    let all = printed(files.path(), &["a.rtc"]);
    let plugin = fixture(HTTPS_ONLY).display().to_string();
    let arguments = ["replay", "a.rtc", "--count", "1k", "--record", "b.rtc"];
    let mut command = host(files.path(), &arguments);
    let (none, _) = ran(command.args(["--plugin", &plugin]));
    assert_eq!(none, "");
    let part: String = all.split_inclusive('\n').take(1_000).collect();
    assert!(printed(files.path(), &["b.rtc"]) == part, "another part");
}

#[test]
fn lines_become_a_capture() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    files.write("a.jsonl", &lines);
    ran(&mut host(
        files.path(),
        &["replay", "a.jsonl", "--record", "b.rtc"],
    ));
    assert_eq!(printed(files.path(), &["b.rtc"]), lines);
}

#[test]
fn the_capture_that_is_replayed_can_be_replaced_by_a_part_of_it() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    let all = printed(files.path(), &["a.rtc"]);
    let in_place = ["replay", "a.rtc", "--count", "100", "--record", "a.rtc"];
    let words = ["cannot record to a.rtc", "the file exists", "--force"];
    assert_refused(&mut host(files.path(), &in_place), FAILURE, &words);
    assert_eq!(printed(files.path(), &["a.rtc"]), all);
    ran(host(files.path(), &in_place).arg("--force"));
    let part: String = all.split_inclusive('\n').take(100).collect();
    assert_eq!(printed(files.path(), &["a.rtc"]), part);
}

#[test]
fn a_part_goes_through_a_pipe() {
    let files = Files::new();
    let from = generated(files.path(), "a.rtc", &["--events", "2k"]);
    let arguments = ["replay", "a.rtc", "--record", "-", "--quiet"];
    let output = host(files.path(), &arguments).output();
    let output = output.expect("the host runs");
    assert!(output.status.success(), "{output:?}");
    let file = files.write("b.rtc", &output.stdout);
    assert_eq!(held(&file), held(&from));
    let mut command = host(files.path(), &arguments);
    assert_refused(command.args(["--alerts", "json"]), USAGE, &["--record -"]);
}

#[test]
fn a_signal_ends_the_capture_although_no_line_is_read() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let (read, write) = pipe();
    let mut command = host(files.path(), &["replay", "a.rtc", "--record", "b.rtc"]);
    let child = spawn(command.stdin(Stdio::null()).stdout(write));
    drop(command);
    wait_until_stuck(&read);
    signal(&child, Signal::TERM);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    let delivered = ledger(&stderr, "replay", "delivered");
    assert_eq!(ledger(&stderr, "capture", "events"), delivered);
    let lines = printed(files.path(), &["b.rtc"]);
    assert_eq!(lines.lines().count() as u64, delivered);
    held(&files.path().join("b.rtc"));
}
