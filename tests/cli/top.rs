//! `top` on a terminal: what is on the screen, and what keys do.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::captures::capture;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::screens::Screen;

pub const SIZE: (u16, u16) = (80, 24);

/// The number of the line with the titles of the table, at 80×24.
pub const TITLES: usize = 8;

/// Shows a capture of 3,000 events to its end, as fast as possible.
pub fn shown_to_the_end(files: &Files, size: (u16, u16)) -> Screen {
    generated(
        files.path(),
        "a.rtc",
        &["--events", "3k", "--connections", "50"],
    );
    let command = host(files.path(), &["top", "a.rtc", "--speed", "max"]);
    let screen = Screen::run(&command, size);
    screen.wait_for("END");
    screen
}

/// Quits, and asserts that the terminal is as it was.
#[track_caller]
pub fn quit(mut screen: Screen) {
    screen.press("q");
    let left = screen.left();
    assert_eq!(left.status.code(), Some(0), "{}", left.text);
    assert_eq!(left.text.trim(), "", "nothing is left");
}

#[test]
fn times_are_those_of_files_and_brokers() {
    for option in ["--from", "--since", "--to"] {
        let mut command = host(Path::new("/"), &["top", option, "1h"]);
        let words = ["--from, --since and --to: top has them for files and brokers"];
        assert_refused(&mut command, USAGE, &words);
    }
}

#[test]
fn rows_are_those_of_inspect() {
    let files = Files::new();
    let mut screen = shown_to_the_end(&files, (120, 40));
    let (json, _) = ran(&mut host(
        files.path(),
        &[
            "inspect",
            "a.rtc",
            "--json",
            "--by",
            "peer",
            "--by",
            "connection",
            "--top",
            "10",
        ],
    ));
    let inspected: Value = serde_json::from_str(&json).expect("JSON");
    let total = &inspected["events"];
    screen.wait_for(&format!("3000 segs  {total} events"));
    for (number, key, name) in [(0, '1', "peer"), (1, '4', "connection")] {
        screen.press(&key.to_string());
        let table = &inspected["by"][number];
        screen.wait_for(&format!("{} ({})", name.to_uppercase(), table["keys"]));
        let text = screen.text();
        let titles = text
            .lines()
            .position(|line| line.contains("SEGS▼"))
            .expect("titles");
        let rows = text.lines().skip(titles + 1);
        let expected = table["top"].as_array().expect("rows");
        assert_eq!(expected.len(), 10);
        for (row, expected) in rows.zip(expected) {
            let cells: Vec<_> = row.split_whitespace().collect();
            assert_eq!(cells[0], expected["segments"].to_string(), "{text}");
            assert_eq!(cells[1], expected["events"].to_string(), "{text}");
            // Ties have the same order in both.
            let peer = match name {
                "peer" => expected["key"]["peer"].as_str().expect("text").to_owned(),
                _ => {
                    let port = &expected["key"]["connection"]["source"]["port"];
                    format!(":{port} > ")
                }
            };
            assert!(row.contains(&peer), "{peer} is not in {row}");
        }
    }
    quit(screen);
}

#[test]
fn keys_sort_group_and_open_panes() {
    let files = Files::new();
    let mut screen = shown_to_the_end(&files, SIZE);
    let titles = |screen: &Screen| screen.line(TITLES);
    assert!(titles(&screen).contains("SEGS▼"), "{}", screen.text());
    assert!(titles(&screen).contains("PEER (50)"), "{}", screen.text());
    screen.press("s");
    screen.wait_for("EVENTS▼");
    screen.press("S");
    screen.wait_for("SEGS▼");
    screen.press("g");
    screen.wait_for("PROCESS (");
    screen.press("5");
    screen.wait_for("KIND (6)");
    screen.press("4");
    screen.wait_for("CONNECTION (50)");
    let selected = screen.line(TITLES + 2);
    let connection = selected
        .split_whitespace()
        .nth(6)
        .expect("a connection")
        .to_owned();
    screen.press("\x1b[B\r");
    screen.wait_for(&format!("events of {connection}"));
    screen.wait_for("TIME         CAUSE           SEGS");
    screen.press("\x1b");
    screen.wait_for("CONNECTION (50)");
    screen.press("?");
    screen.wait_for("filter, as on the command line");
    screen.press("\x1b[6~");
    screen.wait_for("tail_loss_probe");
    screen.press("l");
    screen.wait_for("alerts: 0 active; log:");
    screen.press("\x1b");
    screen.wait_for("CONNECTION (50)");
    quit(screen);
}

#[test]
fn a_filter_has_the_words_of_the_command_line_and_an_error_is_shown() {
    let files = Files::new();
    let mut screen = shown_to_the_end(&files, SIZE);
    screen.press("/--kind slow\r");
    screen.wait_for("--kind slow: expected one of unknown, syn, syn_ack, tail_loss_probe,");
    screen.wait_for("/--kind slow");
    screen.press("\x15kind timeout peer 10.0.0.0/8\r");
    screen.wait_for("/kind timeout peer 10.0.0.0/8");
    screen.press("5");
    screen.wait_for("KIND (1)");
    let (json, _) = ran(&mut host(
        files.path(),
        &[
            "inspect",
            "a.rtc",
            "--json",
            "--kind",
            "timeout",
            "--peer",
            "10.0.0.0/8",
        ],
    ));
    let inspected: Value = serde_json::from_str(&json).expect("JSON");
    let row = screen.line(TITLES + 1);
    let segments = row.split_whitespace().next().expect("a number").to_owned();
    assert_eq!(
        segments,
        inspected["events"].to_string(),
        "{}",
        screen.text()
    );
    assert!(row.trim_end().ends_with("timeout"), "{row}");
    screen.press("/\x15\r");
    screen.wait_for("KIND (6)");
    // A line that is given up changes nothing, and its letters are no keys.
    screen.press("/q");
    screen.wait_until("the line", |text| text.ends_with("\n/q"));
    screen.press("\x1b");
    screen.wait_for("q Quit");
    quit(screen);
}

#[test]
fn a_paused_view_stays_as_it_is() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let mut screen = Screen::run(
        &host(files.path(), &["top", "a.rtc", "--speed", "2x"]),
        SIZE,
    );
    screen.wait_until("events", |text| {
        !text.contains("no event yet") && text.contains("segs")
    });
    screen.press("p");
    screen.wait_for("PAUSED");
    let (counts, row) = (screen.line(1), screen.line(TITLES + 1));
    thread::sleep(Duration::from_millis(800));
    assert_eq!(
        (screen.line(1), screen.line(TITLES + 1)),
        (counts.clone(), row)
    );
    screen.press(" ");
    screen.wait_until("later events", |text| {
        !text.contains("PAUSED") && text.lines().nth(1) != Some(&counts)
    });
    quit(screen);
}

#[test]
fn the_screen_fits_the_terminal_when_it_is_resized() {
    let files = Files::new();
    let screen = shown_to_the_end(&files, SIZE);
    screen.wait_for("q Quit");
    screen.resize(120, 40);
    screen.wait_until("a larger screen", |text| {
        text.lines().count() == 40
            && text
                .lines()
                .last()
                .is_some_and(|line| line.contains("q Quit"))
    });
    assert!(screen.text().contains("LATEST"), "{}", screen.text());
    screen.resize(20, 5);
    screen.wait_until("a small screen", |text| {
        text.lines().count() == 5 && text.contains("SEGS▼ PEER (50)")
    });
    screen.resize(5, 1);
    screen.wait_until("hardly a screen", |text| text.starts_with("too"));
    screen.resize(80, 24);
    screen.wait_for("q Quit");
    quit(screen);
}

#[test]
fn alerts_lines_and_messages_are_in_the_pane() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "2k", "--connections", "3", "--gaps"],
    );
    let arguments = [
        "top",
        "a.rtc",
        "--speed",
        "max",
        "--plugin",
        "threshold-alert",
        "--set",
        "threshold=5",
        "--plugin",
        "flow-summary",
        "--set",
        "top=1",
    ];
    let mut screen = Screen::run(&host(files.path(), &arguments), SIZE);
    screen.wait_for("END");
    screen.wait_for("WARNING since ");
    assert!(screen.line(1).contains("LOST "), "{}", screen.text());
    screen.press("l");
    screen.wait_for("retransmit-threshold: ");
    screen.wait_until("lines of flow-summary", |text| {
        text.contains("segments") && text.contains("peer")
    });
    quit(screen);
}

#[test]
fn there_is_something_to_see_without_events_and_of_one() {
    let files = Files::new();
    fs::write(files.path().join("none.rtc"), capture(&head(), &[])).expect("it can be written");
    let screen = Screen::run(&host(files.path(), &["top", "none.rtc"]), SIZE);
    screen.wait_for("END");
    screen.wait_for("no event yet");
    quit(screen);
    files.write("one.jsonl", least(0, "192.0.2.1"));
    let mut screen = Screen::run(&host(files.path(), &["top", "one.jsonl"]), (20, 5));
    screen.wait_for("192.0.2.1");
    screen.press("\r");
    screen.wait_for("events of 192.0.2.1");
    quit(screen);
}

#[test]
fn a_capture_that_was_cut_off_is_shown_up_to_the_cut() {
    let files = Files::new();
    let whole = generated(files.path(), "a.rtc", &["--events", "20k"]);
    let bytes = fs::read(whole).expect("it is there");
    fs::write(files.path().join("cut.rtc"), &bytes[..bytes.len() / 2]).expect("it can be written");
    let screen = Screen::run(
        &host(files.path(), &["top", "cut.rtc", "--speed", "max"]),
        SIZE,
    );
    screen.wait_for("END");
    screen.wait_for("cut.rtc: ");
    assert!(!screen.text().contains(" 0 segs"), "{}", screen.text());
    quit(screen);
}

#[test]
fn the_key_r_begins_and_ends_a_recording() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let mut screen = Screen::run(
        &host(files.path(), &["top", "a.rtc", "--speed", "2x"]),
        (120, 24),
    );
    screen.wait_until("events", |text| {
        !text.contains("no event yet") && text.contains("segs")
    });
    screen.press("r");
    screen.wait_for("start with --record-dir DIR");
    quit(screen);
    fs::create_dir(files.path().join("captures")).expect("it can be made");
    let arguments = ["top", "a.rtc", "--speed", "2x", "--record-dir", "captures"];
    let mut screen = Screen::run(&host(files.path(), &arguments), (120, 24));
    screen.wait_for("rec off");
    screen.press("r");
    screen.wait_until("a recording of events", |text| {
        text.contains("REC ") && !text.contains("REC 0 events")
    });
    screen.press("r");
    screen.wait_for("rec off");
    screen.press("l");
    screen.wait_for(" 0 not recorded");
    let log = screen.text();
    let said = log
        .lines()
        .rev()
        .find_map(|line| line.split_once("recorded "));
    let (_, said) = said.expect("it says how many");
    let number = said.split(' ').next().expect("a number").to_owned();
    quit(screen);
    let written = fs::read_dir(files.path().join("captures")).expect("it is there");
    let written: Vec<_> = written.map(|file| file.expect("a file").path()).collect();
    assert_eq!(written.len(), 1);
    let name = written[0].to_string_lossy().into_owned();
    let (json, _) = ran(&mut host(files.path(), &["inspect", &name, "--json"]));
    let inspected: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(inspected["events"].to_string(), number, "{log}");
    assert_eq!(inspected["cut"], Value::Null);
}
