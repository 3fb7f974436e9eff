//! A signal ends a replay in time, whatever blocks it; a repeated signal counts once; runs can be
//! bounded.

use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use rustix::termios::Action;
use rustix::termios::tcflow;

use crate::ALERTS;
use crate::SECOND;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::components::large;
use crate::common::ledger::Ledger;
use crate::common::pipes::ended;
use crate::common::pipes::ends_within;
use crate::common::pipes::no_waiting;
use crate::common::pipes::pipe;
use crate::common::pipes::pipe_that_refuses_writers;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::pipes::terminal;
use crate::common::pipes::text;
use crate::common::pipes::wait_until;
use crate::common::pipes::wait_until_stuck;
use crate::common::refusal::BINARY;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The host ends within this time of the first signal.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Checks that lines printed and lines not printed add up to the events delivered.
#[track_caller]
fn assert_every_line_is_accounted_for(printed: File, stderr: &str) {
    let lines = text(printed).matches('\n').count() as u64;
    let delivered = Ledger::of(stderr).replay.get("delivered");
    let not_printed = Ledger::of(stderr).not_printed();
    assert_eq!(lines + not_printed, delivered, "{stderr}");
}

#[test]
fn two_signals_within_a_second_are_one() {
    let files = Files::new();
    let mut command = host(files.path(), &["replay", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    for second in [Signal::TERM, Signal::INT] {
        let mut child = spawn(command);
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdin
            .write_all(least(0, "192.0.2.1").as_bytes())
            .expect("it reads");
        stdout.read_line(&mut String::new()).expect("text");
        // Both signals are pending before the host runs again.
        signal(&child, Signal::STOP);
        signal(&child, Signal::TERM);
        signal(&child, second);
        signal(&child, Signal::CONT);
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(Ledger::of(&stderr).replay.get("delivered"), 1);
    }
}

#[test]
fn a_second_signal_after_a_second_ends_the_process() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    // The pipe is never read, so that the first signal cannot end the run at once.
    let (read, write) = pipe();
    let mut command = host(files.path(), &["replay", "a.rtc"]);
    let mut child = spawn(command.stdout(write));
    drop(command);
    wait_until_stuck(&read);
    signal(&child, Signal::TERM);
    thread::sleep(Duration::from_millis(1_200));
    signal(&child, Signal::TERM);
    let status = ends_within(&mut child, Duration::from_millis(1_500));
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_reader_that_never_reads_does_not_hold_up_the_end() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    for waits in [true, false] {
        let (read, write) = pipe();
        if !waits {
            no_waiting(&write);
        }
        let mut command = host(files.path(), &["replay", "a.rtc"]);
        let mut child = spawn(command.stdout(write));
        drop(command);
        wait_until_stuck(&read);
        signal(&child, Signal::TERM);
        let status = ends_within(&mut child, END_LIMIT);
        let stderr = text(child.stderr.take().expect("it is piped"));
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("does not balance"), "{stderr}");
        assert_every_line_is_accounted_for(read, &stderr);
    }
}

#[test]
fn a_standard_error_that_is_never_read_does_not_hold_up_the_end() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "10k"],
    );
    let arguments = [&["replay", "a.rtc"], ALERTS].concat();
    let (read, write) = pipe();
    let mut command = host(files.path(), &arguments);
    let mut child = command.stderr(write).spawn().expect("the host runs");
    drop(command);
    wait_until_stuck(&read);
    signal(&child, Signal::INT);
    ends_within(&mut child, END_LIMIT);
}

#[test]
fn while_plugins_compile_a_signal_ends_it_and_no_plugin_is_blamed() {
    let files = Files::new();
    files.write("slow.wasm", large(60_000));
    for end in [Signal::TERM, Signal::INT] {
        let mut command = host(files.path(), &["replay", "-", "--plugin", "./slow.wasm"]);
        let mut child = spawn(command.stdin(Stdio::piped()));
        let compiler = || {
            let children = format!("/proc/{0}/task", child.id());
            let tasks = std::fs::read_dir(children).ok()?.flatten();
            let children = tasks.map(|task| {
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
            });
            children.collect::<String>().trim().parse::<u32>().ok()
        };
        let mut pid = None;
        wait_until("the compiler to run", || {
            pid = compiler();
            pid.is_some()
        });
        signal(&child, end);
        let status = ends_within(&mut child, END_LIMIT);
        let stderr = text(child.stderr.take().expect("it is piped"));
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("plugin slow"), "{stderr}");
        // The compiling process ends with the host.
        let compiler = format!("/proc/{}", pid.expect("it ran"));
        wait_until("the compiler to end", || {
            !std::path::Path::new(&compiler).exists()
        });
    }
}

/// The host may end in the moment between the start of the compiler and its wish to end with it.
#[test]
fn a_compiler_whose_host_has_ended_before_it_began_does_not_compile() {
    let files = Files::new();
    files.write("slow.wasm", large(60_000));
    let component = File::open(files.path().join("slow.wasm")).expect("it was written");
    let (unread, stderr) = pipe();
    drop(unread);
    let mut command = Command::new(BINARY);
    command.args(["compile", "60", "4000000000"]);
    command
        .stdin(component)
        .stdout(Stdio::piped())
        .stderr(stderr);
    let mut child = command.spawn().expect("the host runs");
    drop(command);
    // Compiling takes longer than this.
    let status = ends_within(&mut child, SECOND);
    assert_eq!(status.code(), Some(1));
    assert_eq!(text(child.stdout.take().expect("it is piped")), "");
}

#[test]
fn a_fifo_that_no_process_writes_to_does_not_hold_up_the_end() {
    let files = Files::new();
    let fifo = files.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a FIFO");
    let mut command = host(files.path(), &["replay", "fifo", "--plugin", "json-print"]);
    let mut child = spawn(command.stdout(Stdio::piped()));
    // Gives the host time to open the file, which blocks.
    thread::sleep(Duration::from_millis(500));
    signal(&child, Signal::TERM);
    let status = ends_within(&mut child, END_LIMIT);
    assert_eq!(status.code(), Some(0));
    // With a writer the FIFO is read to its end.
    let child = spawn(command.stdout(Stdio::piped()));
    let mut writer = File::options().write(true).open(&fifo).expect("it reads");
    thread::sleep(Duration::from_millis(100));
    writer
        .write_all(least(0, "192.0.2.1").as_bytes())
        .expect("it reads");
    drop(writer);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(Ledger::of(&stderr).replay.get("delivered"), 1);
}

#[test]
fn a_run_can_be_bounded_by_events() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    for count in ["1", "300", "1k", "5k"] {
        let (stdout, stderr) = ran(&mut host(
            files.path(),
            &["replay", "a.rtc", "--count", count],
        ));
        let wanted = count.replace('k', "000").parse().expect("a number");
        let expected: String = lines.split_inclusive('\n').take(wanted).collect();
        assert!(stdout == expected, "{count}");
        let delivered = Ledger::of(&stderr).replay.get("delivered");
        assert_eq!(delivered, wanted.min(2_000) as u64);
    }
    let words = ["--count", "\"0\"", "a number from 1"];
    let mut command = host(files.path(), &["replay", "a.rtc", "--count", "0"]);
    assert_refused(&mut command, USAGE, &words);
}

#[test]
fn a_run_can_be_bounded_by_time() {
    let files = Files::new();
    let mut command = host(files.path(), &["replay", "-", "--duration", "1s"]);
    let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(least(0, "192.0.2.1").as_bytes())
        .expect("it reads");
    let begun = Instant::now();
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(begun.elapsed() > Duration::from_millis(500));
    assert_eq!(Ledger::of(&stderr).replay.get("delivered"), 1);
    drop(stdin);
    for wrong in ["0s", "5", "soon", "-1s"] {
        let words = ["--duration", "such as 30s"];
        let arguments = ["replay", "a.rtc", &format!("--duration={wrong}")];
        assert_refused(&mut host(files.path(), &arguments), USAGE, &words);
    }
}

#[test]
fn a_stream_that_begins_to_block_while_it_is_written_does_not_hold_up_the_end() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "10k"],
    );
    let arguments = [&["replay", "a.rtc"], ALERTS].concat();
    for is_stdout in [true, false] {
        let (read, write) = pipe_that_refuses_writers();
        let kept = write.try_clone().expect("a descriptor");
        let mut command = host(files.path(), &arguments);
        if is_stdout {
            command.args(["--plugin", "json-print"]).stdout(write);
            command.stderr(Stdio::null());
        } else {
            command.stderr(write);
        }
        let mut child = command.spawn().expect("the host runs");
        drop(command);
        wait_until_stuck(&read);
        // An event loop that ends sets streams back to blocking.
        rustix::fs::fcntl_setfl(&kept, rustix::fs::OFlags::empty()).expect("a pipe");
        signal(&child, Signal::TERM);
        let status = ends_within(&mut child, END_LIMIT);
        assert_eq!(status.code(), Some(0), "standard output: {is_stdout}");
    }
}

#[test]
fn a_terminal_that_is_stopped_does_not_hold_up_the_end() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "10k"],
    );
    // With a progress bar, and with alerts.
    for arguments in [
        &["replay", "a.rtc", "--speed", "1x"][..],
        &[&["replay", "a.rtc"], ALERTS].concat(),
    ] {
        let (controller, terminal) = terminal();
        let stopped = terminal.try_clone().expect("a descriptor");
        let mut command = host(files.path(), arguments);
        let command = command.env("TERM", "xterm").stderr(terminal);
        let mut child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the host runs");
        command.stderr(Stdio::null());
        thread::sleep(Duration::from_millis(300));
        tcflow(&stopped, Action::OOff).expect("a terminal");
        thread::sleep(Duration::from_millis(700));
        signal(&child, Signal::TERM);
        let status = ends_within(&mut child, END_LIMIT);
        assert_eq!(status.code(), Some(0), "{arguments:?}");
        drop((controller, stopped));
    }
}

#[test]
fn lines_that_are_no_events_do_not_hold_up_the_end() {
    let files = Files::new();
    files.write("blank.jsonl", "\n".repeat(60 << 20));
    let alert = "{\"type\":\"alert\",\"state\":\"firing\"}\n";
    files.write("alerts.jsonl", alert.repeat(1 << 20));
    for file in ["blank.jsonl", "alerts.jsonl"] {
        let mut command = host(files.path(), &["replay", file]);
        let mut child = spawn(command.stdout(Stdio::piped()));
        thread::sleep(Duration::from_millis(400));
        if child.try_wait().expect("our child").is_some() {
            // On a fast machine the replay has ended before the signal.
            continue;
        }
        signal(&child, Signal::TERM);
        let begun = Instant::now();
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{stderr}");
        assert_eq!(Ledger::of(&stderr).replay.get("delivered"), 0);
    }
}

#[test]
fn a_run_that_is_bounded_by_time_ends_although_its_output_is_not_read() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let (read, write) = pipe();
    let mut command = host(files.path(), &["replay", "a.rtc", "--duration", "1s"]);
    let mut child = spawn(command.stdout(write));
    drop(command);
    let status = ends_within(&mut child, SECOND + END_LIMIT);
    let stderr = text(child.stderr.take().expect("it is piped"));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_every_line_is_accounted_for(read, &stderr);
}

#[test]
fn the_end_of_the_time_is_no_second_signal() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k"]);
    let (read, write) = pipe();
    let mut command = host(files.path(), &["replay", "a.rtc", "--duration", "2s"]);
    let mut child = spawn(command.stdout(write));
    drop(command);
    wait_until_stuck(&read);
    thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::TERM);
    let status = ends_within(&mut child, SECOND + END_LIMIT);
    let stderr = text(child.stderr.take().expect("it is piped"));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_every_line_is_accounted_for(read, &stderr);
}

#[test]
fn a_signal_that_is_ignored_when_it_starts_stays_ignored() {
    let files = Files::new();
    let mut command = Command::new("sh");
    let script = "trap '' INT; exec \"$0\" \"$@\"";
    command.args(["-c", script, BINARY, "replay", "-"]);
    command
        .current_dir(files.path())
        .env("XDG_CACHE_HOME", files.path());
    let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut read = |peer| {
        stdin
            .write_all(least(0, peer).as_bytes())
            .expect("it reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        assert!(line.contains(peer), "{line}");
    };
    read("192.0.2.1");
    signal(&child, Signal::INT);
    thread::sleep(Duration::from_millis(200));
    read("192.0.2.2");
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).0, Some(0));
}
