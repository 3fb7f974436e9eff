//! A recorded replay: the new capture has the items that went to the chain, from one file or several,
//! unchanged by plugins.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;
use rustix::process::Signal;

use crate::common::captures::Shown;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::items;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::fixture;
use crate::common::ledger::Ledger;
use crate::common::pipes::ended;
use crate::common::pipes::pipe;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::pipes::wait_until_stuck;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refusal;
use crate::common::refusal::assert_refused;

/// The items of a capture, which must be complete.
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
    assert_eq!(Ledger::of(&stderr).captured().get("events"), 5_000);
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
fn the_capture_that_is_replayed_is_not_recorded_to() {
    let files = Files::new();
    let from = generated(files.path(), "a.rtc", &["--events", "2k"]);
    let before = fs::read(&from).expect("a capture");
    std::os::unix::fs::symlink(&from, files.path().join("link.rtc")).expect("a link");
    fs::hard_link(&from, files.path().join("same.rtc")).expect("a link");
    for target in ["a.rtc", "./a.rtc", "link.rtc", "same.rtc"] {
        for force in [&[][..], &["--force"]] {
            let mut command = host(files.path(), &["replay", "a.rtc", "--record", target]);
            let cause = format!("cannot record to {target}: it is the file that is replayed");
            assert_refused(command.args(force), FAILURE, &[&cause, "another name"]);
            assert!(fs::read(&from).expect("a capture") == before, "{target}");
        }
    }
}

/// Replays a.rtc and records it, with a limit on file size in KiB.
fn with_file_size_of(kib: u32, directory: &Path) -> Output {
    let script = format!("ulimit -f {kib}; exec \"$0\" replay a.rtc --record b.rtc >/dev/null");
    let mut command = Command::new("bash");
    command.args(["-c", &script, BINARY]);
    let cache = directory.join("cache");
    let output = command
        .env("XDG_CACHE_HOME", cache)
        .current_dir(directory)
        .output();
    output.expect("bash runs")
}

#[test]
fn a_limit_on_files_that_no_compiled_code_fits_in_is_named() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "1k"]);
    let words = [
        "plugin json-print",
        "larger than the file size limit",
        "ulimit -f",
    ];
    assert_refusal(with_file_size_of(64, files.path()), FAILURE, &words);
}

#[test]
fn an_event_that_is_not_recorded_is_a_failure() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "200k"]);
    let output = with_file_size_of(4_096, files.path());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
    assert!(stderr.contains("events are not in the capture"), "{stderr}");
    let missing = Ledger::of(&stderr).captured().get("not_recorded");
    assert_eq!(
        Ledger::of(&stderr).captured().get("events") + missing,
        200_000,
        "{stderr}"
    );
}

#[test]
fn what_was_lost_before_the_part_is_not_told() {
    let files = Files::new();
    let mut records: Vec<Record> = Synth::new(2).take(3).collect();
    for (second, record) in (0..).zip(&mut records) {
        record.set_wall_time(Duration::from_secs(1_800_000_000 + second));
    }
    let batches = [events(&records[..2], 7), events(&records[2..], 5)];
    files.write("a.rtc", capture(&head(), &[batches.into()]));
    let lines = printed(files.path(), &["a.rtc", "--from", "2027-01-15T08:00:01Z"]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("T08:00:01"), "{lines:?}");
    assert_eq!(lines[1], r#"{"type":"gap","lost":5}"#);
    assert!(lines[2].contains("T08:00:02"), "{lines:?}");
}

#[test]
fn a_reader_that_went_before_the_capture_ends_it_silently() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "200k"]);
    let (read, write) = pipe();
    drop(read);
    let mut command = host(files.path(), &["replay", "a.rtc", "--record", "-"]);
    let child = spawn(command.stdin(Stdio::null()).stdout(write));
    drop(command);
    assert_eq!(ended(child), (Some(0), String::new()));
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
    let delivered = Ledger::of(&stderr).replay.get("delivered");
    assert_eq!(Ledger::of(&stderr).captured().get("events"), delivered);
    let lines = printed(files.path(), &["b.rtc"]);
    assert_eq!(lines.lines().count() as u64, delivered);
    held(&files.path().join("b.rtc"));
}
