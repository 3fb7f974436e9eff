//! `generate` writes exactly what was asked for, or nothing; and `inspect` prints a summary of it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use retrans_event::Event;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;

use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The names of the files in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    let names = entries.map(|entry| entry.expect("it is there").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_same_seed_makes_the_same_file() {
    let files = Files::new();
    let make = |name: &str, seed: &str| {
        let arguments = ["--events", "12k", "--gaps", "--seed", seed];
        fs::read(generated(files.path(), name, &arguments)).expect("it was written")
    };
    let first = make("a.rtc", "7");
    assert!(make("b.rtc", "7") == first, "the second is another");
    assert!(make("c.rtc", "8") != first, "another seed makes the same");
    assert_eq!(names(files.path()), ["a.rtc", "b.rtc", "c.rtc"]);
}

#[test]
fn the_events_are_those_of_the_seed() {
    let files = Files::new();
    let arguments = ["--events", "2k", "--connections", "30", "--seed", "7"];
    generated(files.path(), "a.rtc", &arguments);
    let lines = printed(files.path(), &["a.rtc"]);
    let read = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event"));
    let expected: Vec<Record> = Synth::with_connections(7, 30).take(2_000).collect();
    assert!(read.collect::<Vec<Record>>() == expected, "they are others");
}

#[test]
fn one_event_is_enough() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "1", "--connections", "1", "--gaps"],
    );
    assert_eq!(printed(files.path(), &["a.rtc"]).lines().count(), 1);
    let (page, _) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    assert!(
        page.contains("events      1 (1 segments, 0 not sent), 1 connections"),
        "{page}"
    );
    assert!(page.contains("(0.000 s)"), "{page}");
}

#[test]
fn inspect_counts_what_is_there() {
    const EVENTS: usize = 45_000;
    let files = Files::new();
    let arguments = [
        "--events",
        "45k",
        "--connections",
        "300",
        "--seed",
        "9",
        "--gaps",
    ];
    generated(files.path(), "a.rtc", &arguments);
    let records: Vec<Record> = Synth::with_connections(9, 300).take(EVENTS).collect();
    let mut kinds = BTreeMap::new();
    let mut peers = BTreeMap::new();
    for record in &records {
        *kinds.entry(record.kind().to_string()).or_insert(0) += 1;
        *peers.entry(record.peer_address()).or_insert(0) += 1;
    }
    let connections: HashSet<_> = records.iter().map(|r| (r.local(), r.peer())).collect();

    let (page, stderr) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    assert_eq!(stderr, "");
    let mut lines = page.lines();
    let mut next = || lines.next().expect("there is more");
    assert_eq!(next(), "a.rtc");
    let version = env!("CARGO_PKG_VERSION");
    let written = format!("  written by  retrans-host {version}, begun 2026-01-01T00:00:00.000Z");
    assert_eq!(next(), written);
    assert_eq!(
        next(),
        "  host        unknown: the events are synthetic, or were JSON lines"
    );
    let (size, fields) = (retrans_event::RECORD_SIZE, retrans_event::FIELDS.len());
    assert_eq!(
        next(),
        format!("  records     {size} bytes, {fields} fields")
    );
    let times = records.iter().map(|record| Event::wall_time(record));
    let span = times.clone().max().expect("one") - times.min().expect("one");
    let seconds = format!(" ({:.3} s)", span.as_secs_f64());
    let line = next();
    assert!(
        line.starts_with("  span        2026-01-01T00:16:40.") && line.ends_with(&seconds),
        "{line}"
    );
    let connections = connections.len();
    let expected = format!(
        "  events      {EVENTS} ({EVENTS} segments, 0 not sent), {connections} connections"
    );
    assert_eq!(next(), expected);
    assert!(kinds.len() > 4, "there are events of every kind");
    for (kind, count) in &kinds {
        assert_eq!(next(), format!("    {count:>9} {kind}"));
    }
    // Losses come before each ten-thousandth event; the seed decides how many.
    let lost: Vec<u64> = [9_999_u64, 19_999, 29_999, 39_999]
        .map(|number| 1 + (9 ^ number) % 64)
        .into();
    assert_eq!(
        next(),
        format!("  lost        {} in 4 gaps", lost.iter().sum::<u64>())
    );
    assert_eq!(next(), format!("  by peer: {} keys", peers.len()));
    assert_eq!(next(), "       events  segments     share  peer");
    let mut top: Vec<_> = peers
        .into_iter()
        .map(|(peer, count)| (count, peer))
        .collect();
    top.sort_by_key(|(count, peer)| (std::cmp::Reverse(*count), *peer));
    for (count, peer) in top.iter().take(10) {
        let share = 100.0 * *count as f64 / EVENTS as f64;
        let line = format!("    {count:>9} {count:>9} {share:>7.1} %  {peer}");
        assert_eq!(next(), line);
    }
    let line = next();
    let heading = line.strip_prefix("  over time   events in each ");
    assert!(heading.is_some(), "{line}");
    let over_time: usize = lines
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .map(|number| number.parse::<usize>().expect("a number"))
        .sum();
    assert_eq!(over_time, EVENTS);

    let printed = printed(files.path(), &["a.rtc"]);
    let gaps = printed.lines().enumerate().filter_map(|(number, line)| {
        let lost = line.strip_prefix(r#"{"type":"gap","lost":"#)?;
        Some((
            number,
            lost.trim_end_matches('}').parse().expect("a number"),
        ))
    });
    let expected = lost
        .iter()
        .enumerate()
        .map(|(index, lost)| (9_999 + index * 10_001, *lost));
    assert!(gaps.eq(expected), "gaps are elsewhere");
}

#[test]
fn inspect_tells_of_losses_and_attempts_that_failed_and_of_the_host() {
    let files = Files::new();
    let mut records: Vec<Record> = Synth::new(3).take(3).collect();
    records[0].set_segments(Some(5));
    records[1].set_segments(Some(0));
    records[1].set_sent(Some(false));
    records[2].set_segments(None);
    let mark = Mark {
        lost: 2,
        ..Mark::default()
    };
    let mut head = head();
    head.host = serde_json::from_str(
        r#"{"name":"db\u001b[2J","kernel":"6.12.0","booted":"2026-01-01T00:00:00.000Z","boot_id":"x",
            "attached":"tp_btf"}"#,
    )
    .expect("a host");
    let items = vec![events(&records, 3), Item::Mark(mark), Item::End(mark)];
    let whole = capture(&head, &[items]);
    files.write("a.rtc", &whole);
    files.write("none.rtc", capture(&head, &[]));
    let (page, stderr) = ran(&mut host(files.path(), &["inspect", "a.rtc", "none.rtc"]));
    assert_eq!(stderr, "");
    for line in [
        "  host        db\\u{1b}[2J, Linux 6.12.0, booted 2026-01-01T00:00:00.000Z (tp_btf)\n",
        "  events      3 (5 segments, 1 not sent), ",
        "  lost        7 in 3 gaps\n",
        "none.rtc\n",
        "  span        no event\n  events      0 (0 segments, 0 not sent), 0 connections\n",
    ] {
        assert!(page.contains(line), "{line:?} is not in:\n{page}");
    }
    // A capture that was cut off: its events are counted, and the place of the cut is printed.
    files.write("cut.rtc", &whole[..whole.len() - 1]);
    let (cut, stderr) = ran(&mut host(files.path(), &["inspect", "cut.rtc"]));
    assert!(cut.contains("  events      3 ("), "{cut}");
    assert!(
        stderr.starts_with("retrans-host: cut.rtc: it was cut off at byte "),
        "{stderr}"
    );
}

#[test]
fn a_reader_that_goes_away_ends_inspect_in_silence() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "1k"]);
    let (reader, writer) = std::io::pipe().expect("there is a pipe");
    drop(reader);
    let mut command = host(files.path(), &["inspect", "a.rtc", "a.rtc"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).output();
    let output = output.expect("the host runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn what_exists_is_overwritten_only_by_force() {
    let files = Files::new();
    files.write("a.rtc", "precious");
    let arguments = ["generate", "a.rtc", "--events", "10"];
    let words = [
        "cannot write a.rtc",
        "the file exists",
        "--force overwrites it",
    ];
    assert_refused(&mut host(files.path(), &arguments), FAILURE, &words);
    assert_eq!(
        fs::read(files.path().join("a.rtc")).expect("it is there"),
        b"precious"
    );
    ran(host(files.path(), &arguments).arg("--force"));
    assert_eq!(printed(files.path(), &["a.rtc"]).lines().count(), 10);
    assert_eq!(names(files.path()), ["a.rtc"]);
}

#[test]
fn what_is_no_file_is_not_overwritten_by_force_either() {
    let files = Files::new();
    fs::create_dir(files.path().join("directory")).expect("a directory");
    std::os::unix::fs::symlink("/dev/null", files.path().join("null")).expect("a link");
    for name in ["directory", "null", "."] {
        for force in [&[][..], &["--force"]] {
            let mut command = host(files.path(), &["generate", name]);
            let words = [&format!("cannot write {name}"), "it is not a regular file"];
            assert_refused(command.args(force), FAILURE, &words);
        }
    }
    assert_eq!(names(files.path()), ["directory", "null"]);
}

#[test]
fn a_directory_that_is_not_there_or_not_ours() {
    let files = Files::new();
    let words = ["cannot write missing/a.rtc", "No such file or directory"];
    let mut command = host(files.path(), &["generate", "missing/a.rtc"]);
    assert_refused(&mut command, FAILURE, &words);
    // Not even root can create files there.
    let mut command = host(files.path(), &["generate", "/proc/self/fdinfo/a.rtc"]);
    assert_refused(
        &mut command,
        FAILURE,
        &["cannot write /proc/self/fdinfo/a.rtc"],
    );
    assert_eq!(names(files.path()), [""; 0]);
}

#[test]
fn where_there_is_no_room_nothing_is_left_behind() {
    let files = Files::new();
    // A limit of 64 KiB for files. SIGXFSZ is ignored, so that the write fails with an error.
    let limited = r#"trap '' XFSZ; ulimit -f 128; exec "$0" "$@""#;
    for force in [&[][..], &["--force"]] {
        let mut command = Command::new("sh");
        command
            .args(["-c", limited, BINARY, "generate", "a.rtc"])
            .args(force)
            .current_dir(files.path());
        let words = ["cannot write a.rtc", "File too large"];
        assert_refused(&mut command, FAILURE, &words);
        assert_eq!(names(files.path()), [""; 0]);
    }
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let files = Files::new();
    let mut command = host(files.path(), &["generate", "a.rtc", "--events", "10G"]);
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("the host runs");
    // The host catches signals before it creates the file.
    while names(files.path()).is_empty() {
        assert!(child.try_wait().expect("it runs").is_none(), "it has ended");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is running");
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
    assert_eq!(
        stderr,
        "retrans-host: error: cannot write a.rtc: interrupted by a signal\n"
    );
    assert_eq!(names(files.path()), [""; 0]);
}

#[test]
fn numbers_that_are_none() {
    let files = Files::new();
    for (option, value) in [
        ("--events", "0"),
        ("--events", "1.5M"),
        ("--events", "many"),
        ("--connections", "0"),
        ("--connections", "1m"),
    ] {
        let mut command = host(files.path(), &["generate", "a.rtc", option, value]);
        let words = [option, value, "a number from 1, such as 5000, 20k or 1M"];
        assert_refused(&mut command, USAGE, &words);
    }
    assert_eq!(names(files.path()), [""; 0]);
}
