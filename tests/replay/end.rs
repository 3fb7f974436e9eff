//! How long a replay takes, and how it ends: at the end of its input, by a signal, or when its reader
//! goes away.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;

use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::output;

#[test]
fn faster_or_slower_it_prints_the_same() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    files.write("b.jsonl", &lines);
    let expected = lines.repeat(2);
    let arguments = ["replay", "a.rtc", "b.jsonl", "--quiet", "--speed", "100x"];
    assert!(
        ran(&mut host(files.path(), &arguments)).0 == expected,
        "other lines were printed"
    );
}

#[test]
fn streams_that_have_no_time_in_common_follow_each_other_at_once() {
    let files = Files::new();
    let far = Synth::new(6).take(1).map(|mut record| {
        record.set_time(Duration::from_secs(1_000_000_000));
        record
    });
    let far: Vec<Record> = far.collect();
    generated(files.path(), "a.rtc", &["--events", "1"]);
    files.write("b.rtc", capture(&head(), &[vec![events(&far, 0)]]));
    files.write("c.jsonl", least(0, "192.0.2.7"));
    let arguments = [
        "replay", "a.rtc", "b.rtc", "c.jsonl", "--quiet", "--speed", "1x",
    ];
    let (stdout, _) = ran(&mut host(files.path(), &arguments));
    assert_eq!(stdout.lines().count(), 3);
}

fn terminate(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is running");
}

#[test]
fn while_it_waits_a_signal_ends_it_and_the_books_balance() {
    let files = Files::new();
    files.write(
        "slow.jsonl",
        least(0, "192.0.2.7") + &least(500, "192.0.2.8"),
    );
    // The second event is due after eight minutes.
    let mut command = host(files.path(), &["replay", "slow.jsonl", "--speed", "0.001x"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the host runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it prints text");
    assert!(line.contains("192.0.2.7"), "{line}");
    terminate(child.id());
    let ended = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{stderr}");
    assert!(
        stderr.starts_with("ledger: replay read=1 left_out=0 delivered=1\n"),
        "{stderr}"
    );
    assert!(!stderr.contains("does not balance"), "{stderr}");
}

#[test]
fn while_standard_input_is_waited_for_a_signal_ends_it() {
    let files = Files::new();
    let mut command = host(files.path(), &["replay", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("the host runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let batch = least(0, "192.0.2.7") + &least(500, "192.0.2.8");
    std::io::Write::write_all(&mut stdin, batch.as_bytes()).expect("it reads");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    // Both: the second may be read only after the first was sent.
    for _ in 0..2 {
        stdout.read_line(&mut line).expect("it prints text");
    }
    terminate(child.id());
    stdout.read_to_string(&mut line).expect("it prints text");
    let ended = child.wait_with_output().expect("it ends");
    drop(stdin);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{stderr}");
    assert_eq!(line.lines().count(), 2, "what was read is printed");
    assert!(
        stderr.starts_with("ledger: replay read=2 left_out=0 delivered=2\n"),
        "{stderr}"
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_in_silence() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "40k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    let text = files.write("a.jsonl", &lines);
    for speed in [&[][..], &["--speed", "1x"]] {
        let mut command = host(files.path(), &["replay", "a.rtc"]);
        let command = command.args(speed).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it prints text");
        drop(stdout);
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
        assert!(lines.starts_with(&line));
    }
    // Input without an end.
    let endless = format!("while cat {}; do :; done", text.display());
    let mut cat = Command::new("sh");
    let mut cat = cat
        .args(["-c", &endless])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs");
    let pipe = cat.stdout.take().expect("it is piped");
    let mut command = host(files.path(), &["replay", "-"]);
    let command = command.stdin(pipe).stdout(Stdio::piped());
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("the host runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout
        .read_line(&mut String::new())
        .expect("it prints text");
    drop(stdout);
    let ended = child.wait_with_output();
    cat.kill().expect("it was not waited for");
    cat.wait().expect("it was killed");
    let ended = ended.expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn at_the_end_it_says_how_many_events_in_which_time() {
    let files = Files::new();
    files.write("two.jsonl", least(0, "192.0.2.7") + &least(1, "192.0.2.8"));
    let (_, stderr) = ran(&mut host(files.path(), &["replay", "two.jsonl"]));
    let last = stderr.lines().last().expect("it says something");
    assert!(
        last.starts_with("retrans-host: replayed 2 events in "),
        "{last}"
    );
    assert!(last.ends_with(" events/s)"), "{last}");
    let quiet = output(&mut host(files.path(), &["replay", "two.jsonl", "--quiet"]));
    assert_eq!(String::from_utf8_lossy(&quiet.stderr), "");
}
