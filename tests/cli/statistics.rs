//! A running host prints its ledger on SIGUSR1 or at intervals, and goes on.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::thread;

use rustix::process::Signal;

use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::components::Files;
use crate::common::components::large;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::lines_of;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// A replay whose lines the test writes.
struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: Receiver<String>,
}

impl Running {
    fn begin(files: &Files, arguments: &[&str]) -> Running {
        let mut command = host(files.path(), &["replay", "-"]);
        let command = command.args(arguments).stdin(Stdio::piped());
        let mut child = spawn(command.stdout(Stdio::piped()));
        Running {
            stdin: child.stdin.take().expect("it is piped"),
            stdout: BufReader::new(child.stdout.take().expect("it is piped")),
            stderr: lines_of(child.stderr.take().expect("it is piped")),
            child,
        }
    }

    /// Writes an event at this time and waits until it is printed.
    fn event(&mut self, millis: u64) {
        let line = least(millis, "192.0.2.7");
        self.stdin.write_all(line.as_bytes()).expect("it reads");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        assert!(line.contains("192.0.2.7"), "{line}");
    }

    /// The next lines of standard error.
    fn said(&self, lines: usize) -> Vec<String> {
        let line = || self.stderr.recv_timeout(WAIT_TIMEOUT).expect("a line");
        (0..lines).map(|_| line()).collect()
    }

    /// Ends the stream; the remaining lines of standard error.
    fn end(mut self) -> Vec<String> {
        drop(self.stdin);
        assert!(ends_within(&mut self.child, WAIT_TIMEOUT).success());
        self.stderr.iter().collect()
    }
}

#[track_caller]
fn assert_begins(lines: &[String], begins: &[&str]) {
    assert_eq!(lines.len(), begins.len(), "{lines:#?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{begin:?}: {lines:#?}");
    }
}

#[test]
fn at_sigusr1_the_ledger_is_printed_and_the_run_goes_on() {
    let files = Files::new();
    let mut running = Running::begin(&files, &["--record", "a.rtc"]);
    running.event(0);
    running.event(10);
    // The mark before its second comes after two events.
    running.event(1_500);
    signal(&running.child, Signal::USR1);
    let counted = [
        "retrans-host: statistics at 20",
        "ledger: replay read=2 left_out=0 delivered=2",
        "ledger: plugin json-print in=2 kept=2 dropped=0 passed_unseen=0 lost=0",
        "ledger: usage json-print calls=",
        "ledger: capture a.rtc events=2 not_recorded=0 ",
    ];
    assert_begins(&running.said(5), &counted);
    running.event(1_510);
    let end = running.end();
    assert!(end[0].starts_with("ledger: replay read=4 "), "{end:#?}");
    assert!(
        end[1].starts_with("ledger: plugin json-print in=4 "),
        "{end:#?}"
    );
    assert!(!end.iter().any(|line| line.contains("balance")), "{end:#?}");
}

#[test]
fn before_the_first_mark_there_is_nothing_to_print() {
    let files = Files::new();
    let mut running = Running::begin(&files, &["--quiet"]);
    running.event(0);
    signal(&running.child, Signal::USR1);
    assert_begins(&running.said(1), &["retrans-host: statistics at 20"]);
    running.event(10);
    assert_eq!(running.end(), [""; 0]);
}

#[test]
fn regularly_it_is_printed_again_and_again() {
    let files = Files::new();
    let mut running = Running::begin(&files, &["--quiet", "--stats-every", "1s"]);
    running.event(0);
    running.event(1_500);
    for _ in 0..2 {
        let counted = [
            "retrans-host: statistics at 20",
            "ledger: replay read=1 ",
            "ledger: plugin json-print in=1 ",
            "ledger: usage json-print calls=",
        ];
        assert_begins(&running.said(4), &counted);
    }
    running.end();
    let words = ["--stats-every: \"0s\"", "such as 30s"];
    let arguments = ["replay", "-", "--stats-every", "0s"];
    assert_refused(&mut host(files.path(), &arguments), USAGE, &words);
}

#[test]
fn while_plugins_compile_sigusr1_does_not_end_the_run() {
    let files = Files::new();
    files.write("slow.wasm", large(60_000));
    let arguments = ["--plugin", "./slow.wasm"];
    let mut running = Running::begin(&files, &arguments);
    thread::sleep(std::time::Duration::from_millis(500));
    signal(&running.child, Signal::USR1);
    assert_begins(&running.said(1), &["retrans-host: statistics at 20"]);
    assert!(running.child.try_wait().expect("our child").is_none());
    signal(&running.child, Signal::TERM);
    assert!(ends_within(&mut running.child, WAIT_TIMEOUT).success());
}
