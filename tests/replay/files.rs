//! Events from files pass through the same chain as live ones, with the same output.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;

use crate::common::captures::END;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::frame;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;

/// 2026-01-01T00:00:00Z.
const YEAR: Duration = Duration::from_secs(1_767_225_600);

/// Writes generated events to a file of JSON lines; the lines.
fn some_lines(files: &Files, name: &str, seed: u64) -> String {
    let lines = Synth::new(seed).take(50).map(|record| {
        let line = serde_json::to_string(&record).expect("a record is JSON");
        line + "\n"
    });
    let lines: String = lines.collect();
    files.write(name, &lines);
    lines
}

#[test]
fn replaying_twice_prints_the_same() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "30k", "--gaps"]);
    let arguments = [
        "replay",
        "a.rtc",
        "--plugin",
        "json-print",
        "--plugin",
        "threshold-alert",
    ];
    let run = || {
        let mut command = host(files.path(), &arguments);
        ran(command.args(["--alerts", "json", "--quiet"]))
    };
    let (first, second) = (run(), run());
    assert!(first == second, "the second run was another");
    let (lines, alerts) = first;
    let count = |kind: &str| {
        let kind = format!(r#"{{"type":"{kind}","#);
        lines.lines().filter(|line| line.starts_with(&kind)).count()
    };
    assert_eq!((count("retransmit"), count("gap")), (30_000, 3));
    assert!(count("alert") > 10, "there is something to alert about");
    assert_eq!(count("alert"), alerts.lines().count());
    assert!(alerts.contains("RESOLVED"), "marks are ticks");
}

#[test]
fn what_json_print_printed_is_printed_again() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "12k", "--gaps", "--seed", "7"],
    );
    let tag = fixture(TAG_NETWORK);
    let tag = tag.to_str().expect("the path is text");
    let mut command = host(
        files.path(),
        &["replay", "a.rtc", "--quiet", "--plugin", tag],
    );
    let (lines, _) = ran(command.args(["--set", "network=10.2.0.0/24", "--plugin", "json-print"]));
    assert_eq!(lines.lines().count(), 12_001);
    assert!(lines.contains(r#","labels":{"network":"internal"}}"#));
    assert!(lines.contains(r#"{"type":"gap","lost":"#));
    files.write("a.jsonl", &lines);
    assert!(
        printed(files.path(), &["a.jsonl"]) == lines,
        "other lines were printed"
    );
}

#[test]
fn losses_are_told_where_they_were() {
    let files = Files::new();
    let records: Vec<Record> = Synth::new(2).take(4).collect();
    let mark = |seconds, lost| Mark {
        time: Duration::from_secs(seconds),
        wall_time: YEAR + Duration::from_secs(seconds),
        lost,
    };
    // The end of the first file does not end the stream, but its losses count.
    let first = [
        events(&records[..1], 1),
        Item::Mark(mark(1_001, 2)),
        Item::Mark(mark(1_002, 3)),
        events(&records[1..2], 4),
        Item::End(mark(1_003, 5)),
    ];
    let second = [events(&records[2..], 0), Item::End(mark(1_004, 6))];
    files.write("a.rtc", capture(&head(), &[first.into()]));
    files.write("b.rtc", capture(&head(), &[second.into()]));
    let both = printed(files.path(), &["a.rtc", "b.rtc"]);
    let short = |line: &str| {
        let lost = line.strip_prefix(r#"{"type":"gap","lost":"#);
        lost.map_or("event".to_owned(), |lost| {
            lost.trim_end_matches('}').to_owned()
        })
    };
    let told: Vec<String> = both.lines().map(short).collect();
    assert_eq!(
        told,
        [
            "1", "event", "2", "3", "4", "event", "5", "event", "event", "6"
        ]
    );
    files.write("both.jsonl", &both);
    assert_eq!(printed(files.path(), &["both.jsonl"]), both);
}

#[test]
fn losses_beyond_counting_are_as_many_as_can_be_counted() {
    let files = Files::new();
    let gap = format!("{{\"type\":\"gap\",\"lost\":{}}}\n", u64::MAX);
    files.write("gaps.jsonl", gap.repeat(3));
    assert_eq!(printed(files.path(), &["gaps.jsonl"]), gap.repeat(3));
    // A plugin without ticks gets the losses in one sum.
    let tag = fixture(TAG_NETWORK);
    let tag = tag.to_str().expect("the path is text");
    let arguments = ["replay", "gaps.jsonl", "--plugin", tag];
    ran(&mut host(files.path(), &arguments));
    // Before events that a filter leaves out, all of them are before the next event. Less than a second has no mark.
    let left_out = |millis| gap.clone() + &least(millis, "192.0.2.7");
    let lines = left_out(1) + &left_out(2) + &least(3, "192.0.2.8");
    files.write("hand.jsonl", lines);
    let found = printed(files.path(), &["hand.jsonl", "--peer", "192.0.2.8"]);
    assert!(found.starts_with(&gap), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
    // A recording has them where they were.
    let all = printed(files.path(), &["hand.jsonl", "--record", "a.rtc"]);
    assert_eq!(all.matches(&gap).count(), 2, "{all}");
    assert_eq!(printed(files.path(), &["a.rtc"]), all);
}

#[test]
fn a_line_needs_six_values() {
    let files = Files::new();
    files.write(
        "hand.jsonl",
        least(1_500, "192.0.2.7") + &least(1_500, "192.0.2.8"),
    );
    let line = |peer, sequence| {
        format!(
            r#"{{"type":"retransmit","timestamp":"2026-01-01T00:00:01.500000000Z","sequence":{sequence},"ipversion":4,"state":"ESTABLISHED","state_number":1,"source":{{"ip":"10.0.0.1","port":33000}},"destination":{{"ip":"{peer}","port":443}},"record":{{"cpu":0,"cpu_sequence":0,"boot_time_ns":1767225601500000000}},"retransmit":{{"kind":"unknown","tracepoint":"tcp_retransmit_skb"}}}}
"#
        )
    };
    let expected = line("192.0.2.7", 0) + &line("192.0.2.8", 1);
    assert_eq!(printed(files.path(), &["hand.jsonl"]), expected);
}

#[test]
fn files_are_replayed_in_their_order() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "300", "--seed", "1"]);
    let b = some_lines(&files, "b.jsonl", 2);
    generated(files.path(), "c.rtc", &["--events", "1", "--seed", "3"]);
    let [a, c] = ["a.rtc", "c.rtc"].map(|file| printed(files.path(), &[file]));
    assert_eq!(
        printed(files.path(), &["c.rtc", "b.jsonl", "a.rtc"]),
        format!("{c}{b}{a}")
    );
    let twice = printed(files.path(), &["b.jsonl", "b.jsonl"]);
    assert_eq!(twice, b.repeat(2));
}

#[test]
fn both_kinds_of_files_are_read_from_standard_input() {
    let files = Files::new();
    let capture = generated(files.path(), "a.rtc", &["--events", "3k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    let text = files.write("a.jsonl", &lines);
    for path in [capture, text] {
        let file = fs::File::open(&path).expect("it was written");
        let mut command = host(files.path(), &["replay", "-", "--quiet"]);
        assert!(ran(command.stdin(file)).0 == lines, "{}", path.display());
        let mut cat = Command::new("cat");
        let mut cat = cat
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("cat runs");
        let pipe = cat.stdout.take().expect("it is piped");
        let mut command = host(files.path(), &["replay", "-", "--quiet"]);
        assert!(
            ran(command.stdin(pipe)).0 == lines,
            "{} in a pipe",
            path.display()
        );
        cat.wait().expect("cat ends");
    }
}

#[test]
fn of_a_capture_that_was_cut_off_the_whole_frames_are_replayed() {
    let files = Files::new();
    let records: Vec<Record> = Synth::new(4).take(9).collect();
    let frames = [
        vec![events(&records[..5], 0)],
        vec![events(&records[5..], 0)],
    ];
    let whole = capture(&head(), &frames);
    let good = capture(&head(), &frames[..1]).len() - frame(END, b"").len();
    files.write("whole.rtc", &whole);
    let lines = printed(files.path(), &["whole.rtc"]);
    files.write("cut.rtc", &whole[..good + 30]);
    let (stdout, stderr) = ran(&mut host(files.path(), &["replay", "cut.rtc", "whole.rtc"]));
    let five: String = lines.split_inclusive('\n').take(5).collect();
    assert_eq!(stdout, five + &lines);
    let cut =
        format!("WARN cut.rtc: it was cut off at byte {good}; everything before that is good\n");
    assert!(stderr.contains(&cut), "{stderr}");
    assert!(
        stderr.contains("replay read=14 left_out=0 delivered=14\n"),
        "{stderr}"
    );
}

/// The time at which the only alert was resolved.
#[track_caller]
fn resolved_at(files: &Files, file: &str) -> String {
    let arguments = [
        "replay",
        file,
        "--quiet",
        "--alerts",
        "json",
        "--plugin",
        "threshold-alert",
    ];
    let (stdout, _) = ran(host(files.path(), &arguments).args(["--set", "threshold=3"]));
    let alerts = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let [fired, resolved] = &alerts.collect::<Vec<serde_json::Value>>()[..] else {
        panic!("not two alerts:\n{stdout}")
    };
    assert_eq!(
        (&fired["state"], &resolved["state"]),
        (&"firing".into(), &"resolved".into())
    );
    resolved["timestamp"].as_str().expect("text").to_owned()
}

#[test]
fn marks_are_the_ticks_of_plugins() {
    let files = Files::new();
    // The count falls below three at 10.3 s, and has been below for the window of 10 s at 20.3 s.
    let three: String = [300, 400, 500]
        .map(|millis| least(millis, "192.0.2.7"))
        .concat();
    files.write("quiet.jsonl", three.clone() + &least(60_000, "192.0.2.8"));
    // For JSON lines the host makes marks: one a second, starting at the first event.
    assert_eq!(
        resolved_at(&files, "quiet.jsonl"),
        "2026-01-01T00:00:20.300000000Z"
    );

    // A capture has the marks that were recorded.
    let records: Vec<Record> = three
        .lines()
        .map(|line| {
            let mut record: Record = serde_json::from_str(line).expect("an event");
            let time = record.wall_time() - YEAR;
            record.set_time(time);
            record
        })
        .collect();
    let mark = |millis| {
        let time = Duration::from_millis(millis);
        let wall_time = YEAR + time;
        Item::Mark(Mark {
            time,
            wall_time,
            lost: 0,
        })
    };
    let items = vec![
        events(&records, 0),
        mark(20_299),
        mark(24_700),
        mark(25_700),
    ];
    files.write("quiet.rtc", capture(&head(), &[items]));
    assert_eq!(
        resolved_at(&files, "quiet.rtc"),
        "2026-01-01T00:00:24.700000000Z"
    );
}

#[test]
fn it_needs_no_privilege() {
    const NOBODY: u32 = 65_534;
    let files = Files::new();
    let expected = {
        generated(files.path(), "a.rtc", &["--events", "2k", "--gaps"]);
        printed(files.path(), &["a.rtc"])
    };
    // As root the host runs as a user without rights, on files of that user.
    let theirs = Files::new();
    let binary = theirs.path().join("retrans-host");
    fs::copy(BINARY, &binary).expect("there is room");
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(theirs.path(), Some(NOBODY), Some(NOBODY)).expect("root may do it");
    }
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command
            .args(arguments)
            .current_dir(theirs.path())
            .env("XDG_CACHE_HOME", theirs.path().join("cache"))
            .stdin(Stdio::null());
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let run = |arguments: &[&str]| ran(&mut command(arguments));
    run(&["generate", "a.rtc", "--events", "2k", "--gaps"]);
    let (page, _) = run(&["inspect", "a.rtc"]);
    assert!(page.contains("events      2000 ("), "{page}");
    let (lines, stderr) = run(&["replay", "a.rtc", "--quiet"]);
    assert!(lines == expected, "other lines were printed");
    assert_eq!(stderr, "");

    // A file that the user may not read is an error.
    theirs.write("secret.rtc", "");
    let none = fs::Permissions::from_mode(0o000);
    fs::set_permissions(theirs.path().join("secret.rtc"), none).expect("it is ours");
    for (arguments, file) in [
        (&["replay", "secret.rtc"], "cannot replay secret.rtc"),
        (&["inspect", "secret.rtc"], "cannot inspect secret.rtc"),
        (
            &["generate", "/etc/retrans.rtc"],
            "cannot write /etc/retrans.rtc",
        ),
    ] {
        let words = [file, "Permission denied"];
        assert_refused(&mut command(arguments), FAILURE, &words);
    }
    let mode = fs::metadata(theirs.path().join("a.rtc")).map(|about| about.permissions().mode());
    assert_eq!(mode.expect("it was written") & 0o777, 0o600);
}

#[test]
fn every_kind_of_event_is_printed_as_it_is() {
    let files = Files::new();
    let records: Vec<Record> = Synth::new(11).take(3_000).collect();
    let items = records
        .chunks(100)
        .map(|records| events(records, 0))
        .collect();
    files.write("a.rtc", capture(&head(), &[items]));
    let lines = printed(files.path(), &["a.rtc"]);
    let read = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event"));
    assert!(
        read.collect::<Vec<Record>>() == records,
        "other events were printed"
    );
    let sequences = records.iter().map(|record| Event::sequence(record));
    assert!(sequences.eq(0..3_000));
}
