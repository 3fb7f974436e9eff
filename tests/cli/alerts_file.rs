//! `--alerts-file`: alerts are in a file, line by line, whatever happens to it, and the run goes on.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::ALERTS;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::ledger::Ledger;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::lines_of;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// A replay of a.rtc whose alerts go to a file as well.
fn replay(files: &Files, alerts_file: &str) -> Command {
    let mut command = host(files.path(), &["replay", "a.rtc"]);
    command.args(ALERTS).args(["--alerts-file", alerts_file]);
    command
}

/// What became of the alerts: received, sent, queued, dropped, failed.
#[track_caller]
fn counted(stderr: &str) -> [u64; 5] {
    let ledger = Ledger::of(stderr);
    let sink = &ledger.sinks["alerts-file"];
    ["in", "sent", "queued", "dropped", "failed"].map(|name| sink.get(name))
}

/// The peers that the lines of a file are about.
#[track_caller]
fn peers(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("text");
    let peer = |line: &str| {
        let alert: Value = serde_json::from_str(line).expect("a whole line of JSON");
        alert["labels"]["peer"].as_str().expect("a peer").to_owned()
    };
    text.lines().map(peer).collect()
}

#[test]
fn the_file_has_the_lines_of_alerts_json_behind_what_was_in_it() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "3k", "--connections", "50"],
    );
    files.write("alerts.jsonl", "first\n");
    let mut command = replay(&files, "alerts.jsonl");
    let (stdout, stderr) = ran(command.args(["--alerts", "json"]));
    assert_eq!(stdout.lines().count(), 50);
    let file = fs::read_to_string(files.path().join("alerts.jsonl")).expect("text");
    assert_eq!(file, format!("first\n{stdout}"));
    assert_eq!(counted(&stderr), [50, 50, 0, 0, 0]);
}

#[test]
fn a_device_without_room_fails_every_alert_and_the_run_goes_on() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "3k", "--connections", "50"],
    );
    let (_, stderr) = ran(&mut replay(&files, "/dev/full"));
    assert_eq!(counted(&stderr), [50, 0, 0, 0, 50]);
    let errors = stderr.lines().filter(|line| line.contains("ERROR"));
    let errors: Vec<&str> = errors.collect();
    let [error] = errors.as_slice() else {
        panic!("one error: {errors:#?}");
    };
    let cause = "cannot write alerts to /dev/full: No space left on device";
    assert!(error.contains(cause), "{error}");
}

#[test]
fn where_a_file_reaches_its_largest_size_its_lines_are_whole_and_the_others_are_counted() {
    let files = Files::new();
    let many = ["--events", "100k", "--connections", "30k"];
    generated(files.path(), "a.rtc", &many);
    // Without the limit first, which compiles the plugin.
    ran(&mut replay(&files, "all.jsonl"));
    let all = fs::metadata(files.path().join("all.jsonl")).expect("a file");
    let limit = 4096 * 1024;
    assert!(all.len() > limit, "the limit is reached: {}", all.len());

    let script = "ulimit -f 4096; exec \"$0\" \"$@\"";
    let whole = replay(&files, "some.jsonl");
    let mut command = Command::new("bash");
    command.args(["-c", script, BINARY]).args(whole.get_args());
    for (name, value) in whole.get_envs() {
        command.env(name, value.expect("it is set"));
    }
    let (_, stderr) = ran(command.current_dir(files.path()).stdin(Stdio::null()));
    let [received, sent, queued, dropped, failed] = counted(&stderr);
    let lines = peers(&files.path().join("some.jsonl"));
    assert_eq!(lines.len() as u64, sent);
    assert_eq!((queued, dropped), (0, 0));
    assert_eq!(received, sent + failed);
    assert!(failed > 0);
    // Not a byte of the line that did not fit.
    let expected = peers(&files.path().join("all.jsonl"));
    assert_eq!(lines, expected[..lines.len()]);
}

#[test]
fn at_sighup_a_file_that_was_moved_away_is_begun_anew() {
    let files = Files::new();
    let mut command = host(files.path(), &["replay", "-"]);
    command.args(ALERTS).args(["--alerts-file", "a.jsonl"]);
    let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::null()));
    let mut stdin = child.stdin.take().expect("it is piped");
    let stderr = lines_of(child.stderr.take().expect("it is piped"));
    let wait_for = |what: &str| {
        while !stderr
            .recv_timeout(WAIT_TIMEOUT)
            .unwrap_or_else(|_| panic!("{what:?} was not printed"))
            .contains(what)
        {}
    };

    let mut alert = |peer: &str, millis: u64| {
        let line = least(millis, peer);
        stdin.write_all(line.as_bytes()).expect("it reads");
        wait_for(&format!("retransmitted to {peer} "));
    };
    // An alert is printed before it is appended, and SIGHUP overtakes alerts that wait for that.
    let wait_for_lines = |file: &Path, count: usize| {
        let begin = Instant::now();
        let lines = || fs::read_to_string(file).map_or(0, |text| text.matches("\n").count());
        while lines() < count {
            assert!(begin.elapsed() < WAIT_TIMEOUT, "{count} lines in {file:?}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let (file, old) = (files.path().join("a.jsonl"), files.path().join("a.jsonl.1"));
    alert("192.0.2.1", 0);
    wait_for_lines(&file, 1);
    fs::rename(&file, &old).expect("it was made at the start");
    // The file that is open is still written.
    alert("192.0.2.2", 10);
    wait_for_lines(&old, 2);
    signal(&child, Signal::HUP);
    wait_for("alerts file a.jsonl was reopened");
    let line = least(20, "192.0.2.3");
    stdin.write_all(line.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(ends_within(&mut child, WAIT_TIMEOUT).success());
    assert_eq!(peers(&old), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(peers(&file), ["192.0.2.3"]);
}

#[test]
fn a_reader_of_standard_output_that_goes_away_does_not_end_the_run() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "500"],
    );
    ran(&mut replay(&files, "all.jsonl"));
    let script = "\"$0\" \"$@\" | head -c 100 >/dev/null";
    let piped = replay(&files, "piped.jsonl");
    let mut command = Command::new("bash");
    command.args(["-c", script, BINARY]).args(piped.get_args());
    command.args(["--plugin", "json-print"]);
    for (name, value) in piped.get_envs() {
        command.env(name, value.expect("it is set"));
    }
    ran(command.current_dir(files.path()).stdin(Stdio::null()));
    let [all, piped] = ["all.jsonl", "piped.jsonl"].map(|name| peers(&files.path().join(name)));
    assert!(
        all.len() >= 500,
        "one for each peer, and those that were resolved"
    );
    assert_eq!(piped, all);
}

#[test]
fn a_file_that_cannot_be_written_is_named_before_anything_is_replayed() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let made = Command::new("mkfifo")
        .arg(files.path().join("pipe"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    for (file, cause) in [
        ("nowhere/a.jsonl", "No such file or directory"),
        (".", "Is a directory"),
        ("pipe", "No such device or address"),
    ] {
        let message = format!("cannot write alerts to {file}: {cause}");
        assert_refused(&mut replay(&files, file), FAILURE, &[&message]);
    }
}

#[test]
fn the_file_that_is_replayed_gets_no_alerts() {
    let files = Files::new();
    let capture = generated(files.path(), "a.rtc", &["--events", "10"]);
    std::os::unix::fs::symlink("a.rtc", files.path().join("link")).expect("a link");
    let before = fs::read(&capture).expect("a capture");
    for file in ["a.rtc", "./a.rtc", "link"] {
        let cause = format!("cannot write alerts to {file}: it is the file that is replayed");
        assert_refused(&mut replay(&files, file), FAILURE, &[&cause]);
    }
    assert_eq!(fs::read(&capture).expect("a capture"), before);
}

#[test]
fn a_recording_and_alerts_do_not_share_a_file() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let mut command = replay(&files, "./b.rtc");
    let command = command.args(["--record", "b.rtc", "--force"]);
    let message = "--alerts-file ./b.rtc: it is the file of --record, too";
    assert_refused(command, USAGE, &[message]);
    assert!(!files.path().join("b.rtc").exists());
}
