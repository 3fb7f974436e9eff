//! Standard streams that are the journal of systemd: each line has a priority and no time, and a journal that breaks ends
//! no run.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use crate::ALERTS;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::components::Files;
use crate::common::ledger::Ledger;
use crate::common::pipes::ended;
use crate::common::pipes::sockets;
use crate::common::pipes::spawn;
use crate::common::pipes::text;
use crate::common::refusal::FAILURE;

/// A journal: its end of the stream, that of a service, and the value of `JOURNAL_STREAM`.
fn journal() -> (UnixStream, OwnedFd, String) {
    let (ours, theirs) = sockets();
    let about = File::from(theirs.try_clone().expect("a descriptor"));
    let about = about.metadata().expect("a socket");
    let stream = format!("{}:{}", about.dev(), about.ino());
    (ours, theirs, stream)
}

/// Runs a command whose standard error is a journal. Its exit code, and the lines.
fn logged(mut command: Command) -> (Option<i32>, Vec<String>) {
    let (ours, theirs, stream) = journal();
    command.env("JOURNAL_STREAM", stream).stdout(Stdio::null());
    let mut child = command.stderr(theirs).spawn().expect("the host runs");
    drop(command);
    let lines = text(ours);
    let code = child.wait().expect("a child").code();
    (code, lines.lines().map(str::to_owned).collect())
}

/// A capture with a few events.
fn few() -> Files {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    files
}

#[track_caller]
fn with<'a>(lines: &'a [String], words: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("{words}: {lines:#?}"))
}

#[test]
fn each_line_has_a_priority_and_no_time() {
    let files = few();
    let arguments = [&["replay", "a.rtc", "-v"], ALERTS].concat();
    let (code, lines) = logged(host(files.path(), &arguments));
    assert_eq!(code, Some(0), "{lines:#?}");
    for line in &lines {
        let rest = line.strip_prefix('<');
        let (priority, rest) = rest.and_then(|rest| rest.split_once('>')).expect(line);
        assert!(matches!(priority, "4" | "5" | "6" | "7"), "{line}");
        let begins_with_time = rest.starts_with(|first: char| first.is_ascii_digit());
        assert!(!begins_with_time && !rest.contains('\u{1b}'), "{line}");
    }
    assert!(with(&lines, "retransmit-threshold").starts_with("<4>WARNING retransmit-threshold: "));
    assert!(with(&lines, "ledger: plugin").starts_with("<6>ledger: "));
    // The journal has the name of the program.
    assert!(with(&lines, "replayed 10 events").starts_with("<6>replayed "));
}

#[test]
fn what_ends_a_run_is_an_error_in_each_of_its_lines() {
    let files = few();
    for (arguments, code, begin) in [
        (&["replay", "missing.rtc"][..], FAILURE, "<3>error: "),
        // Of several lines.
        (&["--no-such-option"], 2, "<3>error: "),
    ] {
        let (ended, lines) = logged(host(files.path(), arguments));
        assert_eq!(ended, Some(code), "{lines:#?}");
        assert!(lines[0].starts_with(begin), "{lines:#?}");
        let is_error = |line: &String| line.starts_with("<3>");
        assert!(lines.iter().all(is_error), "{lines:#?}");
    }
}

#[test]
fn another_stream_than_the_one_that_is_named_has_no_priorities() {
    let files = few();
    let mut command = host(files.path(), &["replay", "a.rtc"]);
    let child = spawn(command.env("JOURNAL_STREAM", "1:2").stdout(Stdio::null()));
    drop(command);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0));
    assert!(
        stderr.contains("\nretrans-host: replayed 10 events"),
        "{stderr}"
    );
    assert!(!stderr.contains('<'), "{stderr}");
}

#[test]
fn a_journal_that_breaks_does_not_end_a_run() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let (mut ours, theirs, stream) = journal();
    let mut command = host(files.path(), &["replay", "a.rtc", "--plugin", "json-print"]);
    let child = spawn(command.env("JOURNAL_STREAM", stream).stdout(theirs));
    drop(command);
    // It breaks after the first lines.
    let broken = thread::spawn(move || ours.read_exact(&mut [0; 4096]));
    let (code, stderr) = ended(child);
    broken.join().expect("a thread").expect("lines");
    assert_eq!(code, Some(0), "{stderr}");
    let words = "further lines are counted, not printed, and the run goes on";
    assert_eq!(stderr.matches(words).count(), 1, "{stderr}");
    let ledger = Ledger::of(&stderr);
    assert!(ledger.not_printed() > 0, "{stderr}");
    assert!(!stderr.contains("does not balance"), "{stderr}");
}

#[test]
fn a_run_goes_on_without_its_log() {
    let files = few();
    let (ours, theirs, stream) = journal();
    drop(ours);
    let arguments = [&["replay", "a.rtc"], ALERTS, &["--plugin", "json-print"]].concat();
    let mut command = host(files.path(), &arguments);
    command.env("JOURNAL_STREAM", stream);
    let output = command.stderr(theirs).output().expect("the host runs");
    assert_eq!(output.status.code(), Some(0));
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(
        lines.matches("\"type\":\"retransmit\"").count(),
        10,
        "{lines}"
    );
}
