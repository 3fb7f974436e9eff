//! People get columns on a terminal, as wide as it is; programs get JSON.

use std::fs::File;
use std::process::Command;
use std::process::Stdio;

use rustix::termios::Winsize;
use rustix::termios::tcsetwinsize;

use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::shown_on;
use crate::common::pipes::terminal;

/// An event of a connection over IPv6, and one of which little is known.
fn events() -> Files {
    let files = Files::new();
    let long = "2001:db8:1234:5678:9abc:def0:1234:5678";
    let owner = r#"{"owner":{"status":"held","pid":1077,"comm":"postgres"},"#;
    let first = least(1_234, "192.0.2.1").replacen('{', owner, 1);
    let second = least(2_000, long).replace("10.0.0.1", "fd00::1");
    files.write("a.jsonl", first + &second);
    files
}

/// A terminal with lines of this length. 0: it does not tell.
fn terminal_of(columns: u16) -> (File, File) {
    let (controller, terminal) = terminal();
    let size = Winsize {
        ws_row: 5,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).expect("a terminal");
    (controller, terminal)
}

/// The lines that a command shows on a terminal with colours.
#[track_caller]
fn shown(mut command: Command, columns: u16) -> Vec<String> {
    let (controller, terminal) = terminal_of(columns);
    command.stdout(terminal).stderr(Stdio::null());
    let mut child = command.spawn().expect("the host runs");
    // The terminal's last descriptors are those of the host.
    drop(command);
    let shown = shown_on(controller);
    let status = ends_within(&mut child, WAIT_TIMEOUT);
    let shown = shown.join().expect("it is read");
    assert!(status.success(), "{shown}");
    shown.lines().map(str::to_owned).collect()
}

/// A replay of the events with these further arguments.
fn replay(files: &Files, arguments: &[&str]) -> Command {
    let arguments = [&["replay", "a.jsonl"], arguments].concat();
    let mut command = host(files.path(), &arguments);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    command
}

fn without_colours(files: &Files, arguments: &[&str]) -> Command {
    let mut command = replay(files, arguments);
    command.env("NO_COLOR", "1");
    command
}

#[test]
fn a_terminal_shows_columns() {
    let files = events();
    // It does not tell its width, which is then 80.
    let lines = shown(without_colours(&files, &[]), 0);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let heading = "TIME             PID COMM       LADDR:LPORT      PEER:PPORT      KIND";
    assert_eq!(lines[0], heading);
    assert!(
        lines[1].starts_with("00:00:01.234    1077 postgres   10.0.0.1:"),
        "{}",
        lines[1]
    );
    assert!(lines[1].contains(" 192.0.2.1:"), "{}", lines[1]);
    assert!(
        lines[2].contains(" [fd00::1]:") && lines[2].contains('…'),
        "{}",
        lines[2]
    );
    assert_eq!(
        lines,
        shown(without_colours(&files, &["--plugin", "table-print"]), 80)
    );
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let files = events();
    for columns in [20, 80, 200] {
        let lines = shown(without_colours(&files, &[]), columns);
        assert_eq!(lines.len(), 3, "{lines:#?}");
        for line in &lines {
            assert!(line.chars().count() <= columns.into(), "{columns}: {line}");
        }
    }
    assert_eq!(
        shown(without_colours(&files, &[]), 20)[1],
        "00:00:01.234    1077"
    );
    let lines = shown(without_colours(&files, &[]), 200);
    assert!(lines[0].ends_with("SRTT    RTO  CWND"), "{}", lines[0]);
    assert!(
        lines[2].contains(" [2001:db8:1234:5678:9abc:def0:1234:5678]:"),
        "{}",
        lines[2]
    );
    // What is set stays.
    let narrow = ["--plugin", "table-print", "--set", "width=12"];
    assert_eq!(shown(without_colours(&files, &narrow), 200)[0], "TIME");
    let unlimited = ["--plugin", "table-print", "--set", "width=0"];
    let lines = shown(without_colours(&files, &unlimited), 20);
    assert!(lines[0].ends_with("SRTT    RTO  CWND"), "{}", lines[0]);
}

#[test]
fn colours_are_there_where_they_are_wanted() {
    let files = events();
    let has_colours = |command| shown(command, 80).concat().contains('\u{1b}');
    let lines = shown(replay(&files, &[]), 80);
    assert!(
        lines[0].starts_with("\u{1b}[1mTIME ") && lines[0].ends_with("\u{1b}[0m"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("\u{1b}[38;5;"), "{}", lines[1]);
    assert!(!has_colours(without_colours(&files, &[])));
    let mut dumb = replay(&files, &[]);
    dumb.env("TERM", "dumb");
    assert!(!has_colours(dumb));
    let table = ["--plugin", "table-print", "--set"];
    assert!(!has_colours(replay(
        &files,
        &[&table[..], &["color=false"]].concat()
    )));
    // The variable is of the user, who reads what the plugin was told to write.
    let coloured = [&table[..], &["color=true"]].concat();
    assert!(has_colours(replay(&files, &coloured)));
    assert_eq!(
        shown(without_colours(&files, &coloured), 80),
        shown(without_colours(&files, &[]), 80)
    );
}

#[test]
fn a_pipe_gets_json_and_columns_without_colours_and_limits_if_they_are_asked_for() {
    let files = events();
    let (json, _) = ran(&mut replay(&files, &[]));
    assert_eq!(json.lines().count(), 2);
    assert!(json.starts_with(r#"{"type":"retransmit","#), "{json}");
    let (columns, _) = ran(&mut replay(&files, &["--plugin", "table-print"]));
    assert!(
        columns.starts_with("TIME             PID COMM "),
        "{columns}"
    );
    assert!(
        columns.contains(" [2001:db8:1234:5678:9abc:def0:1234:5678]:"),
        "{columns}"
    );
    assert!(!columns.contains(['\u{1b}', '…']), "{columns}");
    // Standard error has the lines where standard output has the capture.
    let arguments = ["--record", "-", "--plugin", "table-print"];
    let mut command = replay(&files, &arguments);
    let output = command.output().expect("the host runs");
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains(&columns), "{stderr}");
}

#[test]
fn a_terminal_gets_colours_only_of_plugins_that_were_told_to_use_them() {
    let files = Files::new();
    files.write("a.jsonl", least(0, "192.0.2.1"));
    let liar = fixture(LIAR).display().to_string();
    let arguments = ["--plugin", &liar, "--set", "act=write_colours"];
    let told = [&arguments[..], &["--set", "color=true"]].concat();
    let cleaned = [
        "\u{fffd}[31mred\u{fffd}[0m",
        "\u{fffd}[8mhidden\u{fffd}\u{fffd}[2J",
    ];
    assert_eq!(shown(replay(&files, &arguments), 80), cleaned);
    // They end with the line, and nothing but colours is kept.
    let coloured = [
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}[8mhidden\u{fffd}\u{fffd}[2J\u{1b}[0m",
    ];
    assert_eq!(shown(replay(&files, &told), 80), coloured);
    let plain = ["red", "hidden\u{fffd}\u{fffd}[2J"];
    assert_eq!(shown(without_colours(&files, &told), 80), plain);
    // A plugin behind it in the chain is not meant.
    let both = [&told[..], &["--plugin", "json-print"]].concat();
    let lines = shown(replay(&files, &both), 80);
    assert_eq!(lines[..2], coloured);
    assert!(lines[2..].iter().all(|line| !line.contains('\u{1b}')));
    // A pipe gets what the plugin writes.
    let (piped, _) = ran(&mut replay(&files, &arguments));
    assert_eq!(
        piped,
        "\u{1b}[31mred\u{1b}[0m\n\u{1b}[8mhidden\u{9b}\u{1b}[2J\n"
    );
}
