//! Non-blocking standard streams, readers that go away, and input that arrives in parts: every line
//! that can be written is written, and the rest is counted.

use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::ALERTS;
use crate::SECOND;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::ledger::Ledger;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ended;
use crate::common::pipes::ends_within;
use crate::common::pipes::fill;
use crate::common::pipes::no_waiting;
use crate::common::pipes::pipe;
use crate::common::pipes::pipe_that_refuses_writers;
use crate::common::pipes::read_later;
use crate::common::pipes::sockets;
use crate::common::pipes::spawn;
use crate::common::pipes::terminal;
use crate::common::pipes::text;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

#[test]
fn a_standard_output_that_does_not_wait_gets_every_line() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let expected = printed(files.path(), &["a.rtc"]);
    let (read, write) = pipe_that_refuses_writers();
    let child = spawn(host(files.path(), &["replay", "a.rtc"]).stdout(write));
    let lines = read_later(read, SECOND);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    let lines = lines.join().expect("it is read");
    assert!(lines == expected, "{} of {}", lines.len(), expected.len());
}

#[test]
fn a_standard_error_that_does_not_wait_gets_every_alert_and_the_ledger() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "10k"],
    );
    let arguments = [&["replay", "a.rtc"], ALERTS].concat();
    let (_, expected) = ran(&mut host(files.path(), &arguments));
    let of_alerts = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("WARNING"));
        lines.map(str::to_owned).collect()
    };
    assert!(expected.len() > 256 << 10, "more than a pipe holds");
    let (read, write) = pipe_that_refuses_writers();
    let mut command = host(files.path(), &arguments);
    let mut child = command.stderr(write).spawn().expect("the host runs");
    drop(command);
    let said = read_later(read, SECOND);
    let status = ends_within(&mut child, WAIT_TIMEOUT);
    let said = said.join().expect("it is read");
    assert!(status.success(), "{said}");
    assert!(of_alerts(&said) == of_alerts(&expected), "other alerts");
    assert!(said.contains("ledger: plugin threshold-alert in=20000 "));
}

#[test]
fn a_page_about_a_capture_waits_for_a_full_pipe_that_does_not() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let (expected, _) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    let (read, write) = pipe_that_refuses_writers();
    let filled = fill(&write);
    let child = spawn(host(files.path(), &["inspect", "a.rtc"]).stdout(write));
    let page = read_later(read, SECOND);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(&page.join().expect("it is read")[filled..], expected);
}

#[test]
fn a_standard_input_that_does_not_wait_is_read_to_its_end() {
    let files = Files::new();
    let capture = generated(files.path(), "a.rtc", &["--events", "2k"]);
    let capture = std::fs::read(capture).expect("a capture");
    let lines = printed(files.path(), &["a.rtc"]);
    let (page, _) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    let page = page.replacen("a.rtc", "-", 1);
    for (arguments, input, expected) in [
        (&["replay", "-", "--quiet"][..], &capture, &lines),
        (
            &["replay", "-", "--quiet"],
            &lines.clone().into_bytes(),
            &lines,
        ),
        (&["inspect", "-"], &capture, &page),
    ] {
        let (read, mut write) = pipe();
        no_waiting(&read);
        let mut command = host(files.path(), arguments);
        let mut child = spawn(command.stdin(read).stdout(Stdio::piped()));
        drop(command);
        let stdout = child.stdout.take().expect("it is piped");
        let printed = thread::spawn(move || text(stdout));
        // In three parts, with pauses in between.
        for part in input.chunks(input.len() / 3 + 1) {
            thread::sleep(Duration::from_millis(200));
            write.write_all(part).expect("it is read");
        }
        drop(write);
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        let printed = printed.join().expect("it is read");
        assert!(printed == *expected, "{arguments:?}: {printed}");
    }
}

#[test]
fn a_cause_is_said_once() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let words = ["cannot write to standard output: No space left on device"];
    for arguments in [&["replay", "a.rtc"][..], &["inspect", "a.rtc"]] {
        let full = File::options().write(true).open("/dev/full");
        let mut command = host(files.path(), arguments);
        command.stdout(full.expect("it is there"));
        let output = command.output().expect("the host runs");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
        let error = stderr.lines().find(|line| line.contains("error: "));
        let error = error.unwrap_or_else(|| panic!("{stderr}"));
        assert!(error.contains(words[0]), "{error}");
        assert_eq!(error.matches("os error").count(), 1, "{error}");
    }
}

#[test]
fn lines_of_a_pipe_are_sent_when_there_are_no_more_yet() {
    let files = Files::new();
    for arguments in [
        &["replay", "-", "--quiet"][..],
        &["replay", "-", "--quiet", "--speed", "1x"],
    ] {
        let mut command = host(files.path(), arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(command);
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut read = || {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("text");
            line
        };
        // The second write ends in the middle of the third line.
        let lines = [
            least(0, "192.0.2.1"),
            least(1, "192.0.2.2"),
            least(2, "192.0.2.3"),
        ];
        let (begin, rest) = lines[2].split_at(40);
        stdin.write_all(lines[0].as_bytes()).expect("it reads");
        assert!(read().contains("192.0.2.1"));
        let more = format!("{}{begin}", lines[1]);
        stdin.write_all(more.as_bytes()).expect("it reads");
        assert!(read().contains("192.0.2.2"));
        stdin.write_all(rest.as_bytes()).expect("it reads");
        assert!(read().contains("192.0.2.3"));
        drop(stdin);
        assert_eq!(ended(child), (Some(0), String::new()));
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let files = Files::new();
    files.write("a.jsonl", format!("\u{feff}{}", least(0, "192.0.2.1")));
    let lines = printed(files.path(), &["a.jsonl"]);
    assert_eq!(lines.lines().count(), 1);
    // A byte order mark is accepted at the start alone.
    let twice = format!("{}\u{feff}{}", least(0, "192.0.2.1"), least(0, "192.0.2.1"));
    files.write("b.jsonl", twice);
    let mut command = host(files.path(), &["replay", "b.jsonl", "--quiet"]);
    let output = command.output().expect("the host runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("b.jsonl:2: column 1"), "{stderr}");
}

/// A line whose event has this number of labels.
fn labelled(labels: usize) -> String {
    let labels: Vec<String> = (0..labels).map(|key| format!(r#""k{key}":"v""#)).collect();
    let labels = format!(r#"{{"labels":{{{}}},"#, labels.join(","));
    least(0, "192.0.2.1").replacen('{', &labels, 1)
}

#[test]
fn labels_without_end_are_refused_at_once() {
    let files = Files::new();
    files.write("many.jsonl", labelled(50_000));
    let begun = Instant::now();
    let words = ["many.jsonl:1", "labels: 50000 keys", "at most 256"];
    let mut command = host(files.path(), &["replay", "many.jsonl"]);
    assert_refused(&mut command, FAILURE, &words);
    // It took 14 s before the number of labels was limited.
    assert!(begun.elapsed() < Duration::from_secs(5));
    files.write("few.jsonl", labelled(256));
    let lines = printed(files.path(), &["few.jsonl"]);
    assert!(lines.contains(r#""k255":"v""#), "{lines}");
}

#[test]
fn labels_of_many_lines_are_in_as_many_batches_as_they_need() {
    let files = Files::new();
    // 300 lines with 100 keys of their own each, and one with half a MiB of text.
    let line = |number: usize| {
        let keys = (0..100).map(|key| format!(r#""l{number}-{key}":"v""#));
        let labels = format!(r#"{{"labels":{{{}}},"#, keys.collect::<Vec<_>>().join(","));
        least(0, "192.0.2.1").replacen('{', &labels, 1)
    };
    let mut lines: String = (0..300).map(line).collect();
    let long = format!(r#"{{"labels":{{"long":"{}"}},"#, "x".repeat(500_000));
    for _ in 0..20 {
        lines += &least(0, "192.0.2.1").replacen('{', &long, 1);
    }
    files.write("a.jsonl", lines);
    let begun = Instant::now();
    let printed = printed(files.path(), &["a.jsonl"]);
    assert!(begun.elapsed() < WAIT_TIMEOUT);
    assert_eq!(printed.lines().count(), 320);
    for (number, line) in printed.lines().take(300).enumerate() {
        assert!(line.contains(&format!(r#""l{number}-99":"v""#)), "{line}");
        assert_eq!(line.matches(r#"":"v""#).count(), 100, "{line}");
    }
}

#[test]
fn where_a_socket_has_lost_its_reader_that_is_an_error() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let (ours, theirs) = sockets();
    drop(ours);
    let mut command = host(files.path(), &["replay", "a.rtc"]);
    let child = spawn(command.stdout(theirs));
    drop(command);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(FAILURE), "{stderr}");
    let words = "cannot write to standard output: Broken pipe";
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn a_run_that_alerts_goes_on_without_a_reader_of_its_lines() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "2k", "--connections", "1k"],
    );
    let arguments = [&["replay", "a.rtc"], ALERTS, &["--plugin", "json-print"]].concat();
    let (_, expected) = ran(&mut host(files.path(), &arguments));
    let alerts = |text: &str| text.matches("WARNING").count();
    let (pipe_reader, pipe) = pipe();
    let (socket_reader, socket) = sockets();
    drop((pipe_reader, socket_reader));
    for (name, stdout) in [
        ("a pipe", Stdio::from(pipe)),
        ("a socket", Stdio::from(socket)),
    ] {
        let mut command = host(files.path(), &arguments);
        let child = spawn(command.stdout(stdout));
        drop(command);
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(0), "{name}: {stderr}");
        let said = "standard output has no reader any more";
        assert_eq!(stderr.matches(said).count(), 1, "{name}: {stderr}");
        assert_eq!(alerts(&stderr), alerts(&expected), "{name}");
        assert_eq!(Ledger::of(&stderr).not_printed(), 2_000, "{name}");
        assert!(!stderr.contains("does not balance"), "{stderr}");
    }
}

#[test]
fn how_much_is_said_can_stand_before_the_command() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    for arguments in [["-q", "replay", "a.rtc"], ["replay", "-q", "a.rtc"]] {
        let (stdout, stderr) = ran(&mut host(files.path(), &arguments));
        assert_eq!((stdout.lines().count(), stderr.as_str()), (10, ""));
    }
    // Options of watching are refused by name.
    let mut command = host(files.path(), &["--ring-size", "8MiB", "replay", "a.rtc"]);
    let output = command.output().expect("the host runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
    assert!(stderr.contains("--ring-size"), "{stderr}");
    let mut command = host(files.path(), &["-q", "-v", "replay", "a.rtc"]);
    assert_eq!(
        command.output().expect("the host runs").status.code(),
        Some(USAGE)
    );
}

#[test]
fn help_waits_for_a_full_pipe_that_does_not() {
    let files = Files::new();
    let (expected, _) = ran(&mut host(files.path(), &["replay", "--help"]));
    assert!(expected.contains("Usage: "), "{expected}");
    let (read, write) = pipe_that_refuses_writers();
    let filled = fill(&write);
    let child = spawn(host(files.path(), &["replay", "--help"]).stdout(write));
    let help = read_later(read, SECOND);
    assert_eq!(ended(child), (Some(0), String::new()));
    assert_eq!(help.join().expect("it is read")[filled..], expected);
}

#[test]
fn a_page_for_a_socket_without_a_reader_is_an_error_and_for_a_pipe_none() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let (reader, socket) = sockets();
    drop(reader);
    let child = spawn(host(files.path(), &["inspect", "a.rtc"]).stdout(socket));
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(FAILURE), "{stderr}");
    assert!(stderr.contains("Broken pipe"), "{stderr}");
    let (reader, pipe) = pipe();
    drop(reader);
    let child = spawn(host(files.path(), &["inspect", "a.rtc"]).stdout(pipe));
    assert_eq!(ended(child), (Some(0), String::new()));
}

#[test]
fn a_capture_can_be_made_up_on_standard_output() {
    let files = Files::new();
    let same = ["--events", "2k", "--seed", "7"];
    let expected = generated(files.path(), "a.rtc", &same);
    let expected = std::fs::read(expected).expect("a capture");
    let mut command = host(files.path(), &["generate", "-"]);
    let output = command.args(same).output().expect("the host runs");
    assert!(output.status.success());
    assert!(output.stdout == expected, "another capture");
    assert!(!files.path().join("-").exists());
    let (controller, terminal) = terminal();
    let mut command = host(files.path(), &["generate", "-"]);
    let words = ["cannot write to standard output", "it is a terminal"];
    assert_refused(command.stdout(terminal), FAILURE, &words);
    drop(controller);
}

#[test]
fn a_full_disk_behind_standard_output_is_not_taken_for_a_reader_that_has_gone() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "2k", "--connections", "1k"],
    );
    let arguments = [&["replay", "a.rtc"], ALERTS, &["--plugin", "json-print"]].concat();
    let full = File::options().write(true).open("/dev/full");
    let mut command = host(files.path(), &arguments);
    let child = spawn(command.stdout(full.expect("it is there")));
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    let words = "cannot write to standard output (No space left on device";
    assert_eq!(stderr.matches(words).count(), 1, "{stderr}");
    assert!(!stderr.contains("reader"), "{stderr}");
    let mut command = host(files.path(), &["--help"]);
    let full = File::options().write(true).open("/dev/full");
    let child = spawn(command.stdout(full.expect("it is there")));
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(FAILURE), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
