//! Text from events, files and arguments reaches a terminal without control characters.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::ALERTS;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ended;
use crate::common::pipes::ends_within;
use crate::common::pipes::shown_on;
use crate::common::pipes::spawn;
use crate::common::pipes::terminal;
use crate::common::refusal::USAGE;

/// An event whose owner's name has control characters that change colours, order and input.
fn steering() -> String {
    let name = "\u{9b}31m\u{85}\u{7f}\u{202e}";
    let owner = format!(r#"{{"owner":{{"status":"held","pid":7,"comm":"{name}"}},"#);
    least(0, "192.0.2.1").replacen('{', &owner, 1)
}

#[test]
fn nothing_on_a_terminal_can_steer_it() {
    let files = Files::new();
    files.write("a.jsonl", steering());
    let key = ["--set", "key=process"];
    let chain = [
        ALERTS,
        &key,
        &["--plugin", "json-print", "--alerts", "json"],
    ]
    .concat();
    let arguments = [&["replay", "a.jsonl"], &chain[..]].concat();
    let bad = |text: &str| {
        let steers = |char: char| {
            char.is_control() && !matches!(char, '\n' | '\r' | '\u{1b}') || char == '\u{202e}'
        };
        text.contains(steers)
    };
    // In a pipe the name is unchanged.
    let (lines, _) = ran(&mut host(files.path(), &arguments));
    assert!(bad(&lines), "{lines:?}");
    let (controller, terminal) = terminal();
    let mut command = host(files.path(), &arguments);
    let both = terminal.try_clone().expect("a descriptor");
    let command = command.env("TERM", "xterm").stdout(both).stderr(terminal);
    let mut child = command.spawn().expect("the host runs");
    drop(host(files.path(), &[]));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let shown = shown_on(controller);
    assert!(ends_within(&mut child, WAIT_TIMEOUT).success());
    let shown = shown.join().expect("it is read");
    assert!(shown.contains(r#""type":"alert""#), "{shown:?}");
    assert!(shown.contains(r#""type":"retransmit""#), "{shown:?}");
    assert!(shown.contains("WARNING"), "{shown:?}");
    assert!(!bad(&shown), "{shown:?}");
    // The host's own colours are the only escape sequences.
    let escapes = shown.matches('\u{1b}').count();
    let colours = shown.split('\u{1b}').skip(1).filter(|rest| {
        let end = rest.find(|char: char| !"[0123456789;".contains(char));
        rest.starts_with('[') && end.is_some_and(|end| rest[end..].starts_with('m'))
    });
    assert_eq!(colours.count(), escapes, "{shown:?}");
    assert!(escapes > 0, "the alert has colours");
}

#[test]
fn an_argument_on_a_terminal_cannot_steer_it() {
    // A file name can have escape sequences, and a shell pattern passes it on.
    let files = Files::new();
    for argument in ["--\u{9b}31m\u{1b}[2J", "\u{1b}]0;title\u{7}", "--\u{1b}[8m"] {
        let (controller, terminal) = terminal();
        let mut command = host(files.path(), &[argument]);
        let command = command.env("TERM", "xterm").stderr(terminal);
        let mut child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the host runs");
        command.stderr(Stdio::null());
        let shown = shown_on(controller);
        assert_eq!(ends_within(&mut child, WAIT_TIMEOUT).code(), Some(USAGE));
        let shown = shown.join().expect("it is read");
        assert!(shown.contains("error"), "{shown:?}");
        assert!(!shown.contains(['\u{9b}', '\u{7}']), "{shown:?}");
        assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
        assert!(!shown.contains("\u{1b}]"), "{shown:?}");
        assert!(!shown.contains("\u{1b}[8m"), "{shown:?}");
    }
}

#[test]
fn a_files_name_on_a_terminal_cannot_steer_it() {
    // It hides the text that follows.
    let name = "\u{1b}[8mx.rtc";
    let files = Files::new();
    files.write(name, "");
    for arguments in [
        &["inspect", name][..],
        &["replay", name],
        &["generate", name],
        &["export", name, "--to", "csv"],
    ] {
        let (controller, terminal) = terminal();
        let mut command = host(files.path(), arguments);
        let command = command.env("TERM", "xterm").stderr(terminal);
        let mut child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the host runs");
        command.stderr(Stdio::null());
        let shown = shown_on(controller);
        ends_within(&mut child, WAIT_TIMEOUT);
        let shown = shown.join().expect("it is read");
        assert!(shown.contains("error: cannot"), "{shown:?}");
        assert!(shown.contains("[8mx.rtc"), "{shown:?}");
        // The message replaces the bar's line, with the only cursor movement.
        let shown = shown.replace("\r\u{1b}[2K", "");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn what_a_controller_of_a_terminal_is_given_is_shown_by_that_terminal() {
    let files = Files::new();
    files.write("a.jsonl", least(0, "192.0.2.1"));
    let (controller, terminal) = terminal();
    // What the test writes to the controlling side is the terminal's input; echo is off.
    let mut command = host(
        files.path(),
        &["replay", "a.jsonl", "--quiet", "--plugin", "json-print"],
    );
    let child = spawn(command.stdout(controller));
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line).expect("text");
    assert!(line.contains("192.0.2.1"), "{line}");
    drop(command);
    assert_eq!(ended(child).0, Some(0));
}

#[test]
fn a_replay_whose_input_has_no_size_shows_what_was_read() {
    let files = Files::new();
    let (controller, terminal) = terminal();
    let mut command = host(files.path(), &["replay", "-"]);
    let command = command.env("TERM", "xterm").stderr(terminal);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the host runs");
    command.stderr(Stdio::null());
    let shown = shown_on(controller);
    let mut stdin = child.stdin.take().expect("it is piped");
    // The bar is drawn ten times a second at most.
    for millis in 0..5 {
        stdin
            .write_all(least(millis, "192.0.2.1").as_bytes())
            .expect("it reads");
        thread::sleep(Duration::from_millis(200));
    }
    drop(stdin);
    assert_eq!(ends_within(&mut child, WAIT_TIMEOUT).code(), Some(0));
    let shown = shown.join().expect("it is read");
    assert!(shown.contains(" read in "), "{shown:?}");
    assert!(!shown.contains('%'), "{shown:?}");
}
