//! `top` and its terminal: how it is left, and what is refused or said before it is entered.

use std::fs;
use std::io::Read as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;

use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::components::Files;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::terminal;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::screens::Screen;
use crate::common::screens::Signal;
use crate::top::SIZE;
use crate::top::quit;
use crate::top::shown_to_the_end;

#[test]
fn colours_are_there_where_they_are_wanted() {
    let files = Files::new();
    let screen = shown_to_the_end(&files, SIZE);
    assert!(screen.has_colours());
    quit(screen);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "vt220")] {
        let mut command = host(files.path(), &["top", "a.rtc", "--speed", "max"]);
        command.env(name, value);
        let screen = Screen::run(&command, SIZE);
        screen.wait_for("END");
        screen.wait_for("q Quit");
        assert!(!screen.has_colours(), "{name}");
        quit(screen);
    }
}

#[test]
fn each_signal_leaves_the_terminal_as_it_was() {
    let files = Files::new();
    for number in [Signal::INT, Signal::TERM, Signal::HUP] {
        let screen = shown_to_the_end(&files, SIZE);
        assert!(screen.is_alternate());
        screen.signal(number);
        let left = screen.left();
        assert_eq!(left.status.code(), Some(0), "{number:?}: {}", left.text);
        fs::remove_file(files.path().join("a.rtc")).expect("it is there");
    }
    // Ctrl-C is a signal of the terminal.
    let mut screen = shown_to_the_end(&files, SIZE);
    screen.press("\x03");
    assert_eq!(screen.left().status.code(), Some(0));
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_even_without_its_signal() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "500"]);
    for ignores in [&[][..], &["--ignore-signal=HUP"]] {
        let host_command = host(files.path(), &["top", "a.rtc", "--speed", "max"]);
        let (mut controller, terminal) = terminal();
        let stream = || terminal.try_clone().expect("a descriptor");
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg("env").args(ignores);
        command
            .arg(host_command.get_program())
            .args(host_command.get_args());
        command.current_dir(files.path()).env("TERM", "xterm");
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let mut child = command.spawn().expect("setsid of util-linux is there");
        drop(command);
        drop(terminal);
        let (mut shown, mut buffer) = (String::new(), [0; 4_096]);
        while !shown.contains("END") {
            let read = controller.read(&mut buffer).expect("it draws");
            shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        drop(controller);
        let status = ends_within(&mut child, WAIT_TIMEOUT);
        assert_eq!(status.code(), Some(0), "{ignores:?}");
    }
}

#[test]
fn a_process_that_was_stopped_goes_on_where_it_was() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "500"]);
    let host_command = host(files.path(), &["top", "a.rtc", "--speed", "max"]);
    let program = host_command.get_program().to_string_lossy().into_owned();
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noprofile", "-i"])
        .current_dir(files.path());
    shell.env("PS1", "prompt> ");
    for (name, value) in host_command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let mut screen = Screen::run(&shell, SIZE);
    screen.wait_for("prompt>");
    screen.press(&format!("{program} top a.rtc --speed max\r"));
    screen.wait_for("END");
    screen.press("\x1a");
    screen.wait_until("the shell", |text| text.contains("Stopped"));
    assert!(!screen.is_alternate());
    screen.press("echo not a k''ey\r");
    screen.wait_for("not a key");
    screen.press("fg\r");
    screen.wait_for("END");
    assert!(screen.is_alternate());
    screen.press("q");
    screen.wait_until("the shell", |text| text.trim_end().ends_with("prompt>"));
    assert!(!screen.is_alternate());
    screen.press("exit\r");
    assert_eq!(screen.left().status.code(), Some(0));
}

#[test]
fn without_a_terminal_there_is_an_error_that_says_what_to_do() {
    let files = Files::new();
    files.write("a.jsonl", least(0, "192.0.2.1"));
    let words = ["top: standard output is not a terminal", "flow-summary"];
    assert_refused(&mut host(files.path(), &["top", "a.jsonl"]), USAGE, &words);
    assert_refused(&mut host(files.path(), &["top"]), USAGE, &words);
    for term in ["dumb", ""] {
        let (_controller, terminal) = terminal();
        let mut command = host(files.path(), &["top", "a.jsonl"]);
        command.stdin(terminal.try_clone().expect("a descriptor"));
        command
            .stdout(terminal)
            .stderr(Stdio::piped())
            .env("TERM", term);
        let ended = command.spawn().and_then(|child| child.wait_with_output());
        let output = ended.expect("the host runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(USAGE), "{text}");
        assert!(
            text.contains("this terminal cannot move its cursor (TERM="),
            "{text}"
        );
    }
}

#[test]
fn options_that_cannot_work_are_refused() {
    let files = Files::new();
    files.write("a.jsonl", least(0, "192.0.2.1"));
    for (arguments, words) in [
        (
            &["a.jsonl", "--ring-size", "8MiB"][..],
            "--ring-size: top does not have it for files",
        ),
        (
            &["a.jsonl", "--no-census"],
            "--no-census: top does not have it for files",
        ),
        (
            &["a.jsonl", "--record", "-"],
            "--record -: standard output is the screen",
        ),
        (
            &["--alerts", "json"],
            "--alerts json: standard output is the screen",
        ),
        (
            &["a.jsonl", "--record-dir", "nowhere"],
            "--record-dir nowhere: there is no such directory",
        ),
        (
            &["a.jsonl", "--speed", "fast"],
            "--speed: \"fast\", expected",
        ),
    ] {
        let arguments = [&["top"], arguments].concat();
        assert_refused(&mut host(files.path(), &arguments), USAGE, &[words]);
    }
}

#[test]
fn mistakes_of_a_configuration_file_have_their_line() {
    let files = Files::new();
    files.write("config.toml", "ring-size = \"8MiB\"\ncensus = \"never\"\n");
    let command = host(files.path(), &["top", "-c", "config.toml"]);
    let screen = Screen::run(&command, (200, 24));
    screen.wait_for("error: config.toml:2: census: ");
    assert_eq!(screen.left().status.code(), Some(USAGE));
    let mut command = host(files.path(), &["top"]);
    let screen = Screen::run(command.env("RETRANS_HOST_BACKLOG", "1"), (200, 24));
    screen.wait_for("error: RETRANS_HOST_BACKLOG: ");
    assert_eq!(screen.left().status.code(), Some(USAGE));
}

#[test]
fn names_of_processes_cannot_steer_the_terminal() {
    let files = Files::new();
    // A name has 16 bytes.
    let name = "\\u001b[8m\\u009b31m\\u202e中";
    let owner = format!(r#"{{"owner":{{"status":"held","pid":7,"comm":"{name}"}},"#);
    let event = least(0, "192.0.2.1").replacen('{', &owner, 1);
    let labels = r#"{"labels":{"zone":"\u001b[2J<script>"},"#;
    files.write("a.jsonl", event.replacen('{', labels, 1));
    let mut screen = Screen::run(&host(files.path(), &["top", "a.jsonl"]), SIZE);
    screen.wait_for("END");
    screen.press("2");
    screen.wait_for("�[8m�31m�中");
    screen.press("\r");
    screen.press(&"\x1b[C".repeat(10));
    screen.wait_for("zone=�[2J<script>");
    let bytes = String::from_utf8(screen.bytes()).expect("text");
    for sequence in ["\u{9b}", "\u{202e}", "\u{1b}[8m", "\u{1b}[2J<"] {
        assert!(!bytes.contains(sequence), "{sequence:?}");
    }
    quit(screen);
}

#[test]
fn an_error_in_the_middle_is_shown_and_printed_at_the_end() {
    let files = Files::new();
    let records: Vec<Record> = Synth::new(1).take(100).collect();
    let mut bytes = capture(
        &head(),
        &[vec![events(&records, 0)], vec![events(&records, 0)]],
    );
    let damaged = bytes.len() / 2 + 100;
    bytes[damaged] ^= 1;
    fs::write(files.path().join("bad.rtc"), bytes).expect("it can be written");
    let mut screen = Screen::run(
        &host(files.path(), &["top", "bad.rtc", "--speed", "max"]),
        SIZE,
    );
    screen.wait_for("error: cannot replay bad.rtc");
    screen.press("q");
    let left = screen.left();
    assert_eq!(left.status.code(), Some(FAILURE), "{}", left.text);
    assert!(
        left.text.contains("error: cannot replay bad.rtc"),
        "{}",
        left.text
    );
}

#[test]
fn an_error_at_the_start_is_on_the_terminal_itself() {
    let files = Files::new();
    let screen = Screen::run(&host(files.path(), &["top", "missing.rtc"]), SIZE);
    let bytes = screen.bytes();
    let left = screen.left();
    assert_eq!(left.status.code(), Some(FAILURE));
    assert!(
        left.text.contains("error: cannot replay missing.rtc"),
        "{}",
        left.text
    );
    assert!(!String::from_utf8_lossy(&bytes).contains("\x1b[?1049h"));
}

#[test]
fn what_does_not_change_is_not_drawn_again() {
    let files = Files::new();
    let mut screen = shown_to_the_end(&files, SIZE);
    screen.wait_for("q Quit");
    thread::sleep(Duration::from_millis(600));
    let before = screen.bytes().len();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(screen.bytes().len(), before, "an idle view writes nothing");
    screen.press("\x1b[B");
    thread::sleep(Duration::from_millis(600));
    let written = screen.bytes().len() - before;
    // Two rows of the table, and the lines of the selected row.
    assert!(
        (1..1_500).contains(&written),
        "{written} bytes for a step to the next row"
    );
    quit(screen);
}
