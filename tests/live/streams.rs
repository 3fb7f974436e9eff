//! Readers that never read or go away, unusual standard streams, repeated signals, and bounded runs: on
//! the live probe, with a recording.

use std::fs;
use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;
use rustix::termios::Action;
use rustix::termios::tcflow;
use serde_json::Value;

use crate::common::components::Files;
use crate::common::ledger::Ledger;
use crate::common::pipes::ends_within;
use crate::common::pipes::no_waiting;
use crate::common::pipes::pipe;
use crate::common::pipes::read_later;
use crate::common::pipes::signal;
use crate::common::pipes::sockets;
use crate::common::pipes::terminal;
use crate::common::pipes::wait_until_stuck;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::support::burst::RING;
use crate::support::burst::syn_burst;
use crate::support::burst::syn_trickle;
use crate::support::burst::traced_of_burst;
use crate::support::captures::Directory;
use crate::support::captures::Held;
use crate::support::captures::replay;
use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

/// SYNs that are retransmitted: more than a pipe, the channel and a batch hold.
const BURST: u64 = 7_200;

/// The host ends within this time of the first signal.
const END_LIMIT: Duration = Duration::from_secs(5);

#[test]
fn root_where_no_reader_reads_a_signal_ends_the_run_and_the_capture_has_every_event() -> Result<()>
{
    root_test(|root| {
        for signal in [Signal::TERM, Signal::INT] {
            let directory = Directory::new()?;
            let file = directory.file("all.rtc");
            let lab = Lab::new()?;
            let (mut read, write) = pipe();
            let host = Host::start_into(root, write, &[RING, &["--record", &file]].concat())?;
            syn_burst(&lab, BURST)?;
            wait_until_stuck(&read);
            let begun = Instant::now();
            let run = host.stop_with(signal)?;
            let took = begun.elapsed();
            assert!(took < END_LIMIT, "{took:?}");
            assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);

            run.ledger.assert_complete();
            let delivered = run.ledger.host.get("delivered");
            let traced = traced_of_burst(&lab, BURST)?;
            assert!(delivered >= traced, "not {traced}: {:?}", run.ledger);
            let held = Held::by(&file)?;
            assert!(!held.is_cut);
            assert_eq!(held.events, delivered);
            assert_eq!(run.ledger.captured().get("not_recorded"), 0);
            // Lines printed and lines not printed add up to the events delivered.
            let mut printed = String::new();
            read.read_to_string(&mut printed)?;
            let lines = printed.matches('\n').count() as u64;
            assert_eq!(
                lines + run.ledger.not_printed(),
                delivered,
                "{:?}",
                run.stderr
            );
            let again = replay(&[file], &[])?.stdout;
            assert!(again.starts_with(printed.rsplit_once('\n').context("lines")?.0));
        }
        Ok(())
    })
}

/// A mark is a moment of the stream. While sending is blocked, events gather in the ring: a mark with the present time
/// would be ahead of them.
#[test]
fn root_no_mark_is_ahead_of_events_that_waited_for_a_blocked_reader() -> Result<()> {
    /// SYNs that are retransmitted one by one: more than a pipe and the channel hold.
    const TRICKLE: u64 = 400;
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("late.rtc");
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let (read, write) = pipe();
        let arguments = [RING, &["--record", &file, "--netns", &netns]].concat();
        let host = Host::start_into(root, write, &arguments)?;
        syn_trickle(&lab, TRICKLE)?;
        wait_until_stuck(&read);
        assert!(
            Held::by(&file)?.events < TRICKLE,
            "nothing waits in the ring"
        );
        thread::sleep(Duration::from_secs(2));
        let printed = read_later(read, Duration::ZERO);
        let traced = traced_of_burst(&lab, TRICKLE)?;
        host.wait_until("every event", || Ok(Held::by(&file)?.events >= traced))?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        let lines = printed.join().expect("it is read").lines().count() as u64;
        assert_eq!(lines, run.ledger.host.get("delivered"));
        let late = Held::by(&file)?.late;
        assert!(late < Duration::from_secs(1), "{late:?}");
        Ok(())
    })
}

#[test]
fn root_the_capture_is_whole_as_soon_as_a_signal_came() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("soon.rtc");
        let lab = Lab::new()?;
        let (read, write) = pipe();
        let host = Host::start_into(root, write, &[RING, &["--record", &file]].concat())?;
        syn_burst(&lab, BURST)?;
        wait_until_stuck(&read);
        host.signal(Signal::TERM)?;
        // The chain waits for the reader for three more seconds.
        host.wait_until("the capture to end", || Ok(!Held::by(&file)?.is_cut))?;
        host.signal(Signal::KILL)?;
        let held = Held::by(&file)?.events;
        let traced = traced_of_burst(&lab, BURST)?;
        assert!(held >= traced, "{held} events of {traced} SYNs");
        Ok(())
    })
}

#[test]
fn root_a_socket_that_loses_its_reader_does_not_end_a_recording() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("goes-on.rtc");
        let lab = Lab::new()?;
        let (ours, theirs) = sockets();
        let host = Host::start_into(root, theirs, &["--record", &file])?;
        drop(ours);
        // Longer than a mark's interval: the host prints nothing meanwhile.
        thread::sleep(Duration::from_millis(1_500));
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until_said("standard output has no reader any more")?;
        let run = host.stop()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        let held = Held::by(&file)?;
        assert_eq!(held.events_of(&lab.sender), 5);
        assert_eq!(held.events, run.ledger.host.get("delivered"));
        assert_eq!(run.ledger.not_printed(), held.events);
        Ok(())
    })
}

#[test]
fn root_a_socket_that_loses_its_reader_is_an_error_of_a_run_that_only_prints() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (ours, theirs) = sockets();
        let host = Host::start_into(root, theirs, &[])?;
        drop(ours);
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.wait()?;
        assert_eq!(run.status.code(), Some(1), "{:?}", run.stderr);
        let error = "error: cannot write to standard output: Broken pipe";
        assert!(
            run.stderr.iter().any(|line| line.contains(error)),
            "{:?}",
            run.stderr
        );
        run.ledger.assert_balances();
        Ok(())
    })
}

#[test]
fn root_a_standard_output_that_does_not_wait_gets_every_line() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (read, write) = pipe();
        no_waiting(&write);
        let host = Host::start_into(root, write, RING)?;
        syn_burst(&lab, BURST)?;
        wait_until_stuck(&read);
        let printed = read_later(read, Duration::ZERO);
        let run = host.stop()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        assert!(run.ledger.stdout.is_none(), "{:?}", run.ledger);
        let printed = printed.join().expect("it is read");
        let lines = printed.lines().count() as u64;
        assert_eq!(lines, run.ledger.host.get("delivered"));
        Ok(())
    })
}

#[test]
fn root_a_signal_that_timeout_sends_twice_is_one() -> Result<()> {
    root_test(|_| {
        for _ in 0..3 {
            let directory = Directory::new()?;
            let file = directory.file("twice.rtc");
            let mut command = Command::new("timeout");
            // A busy virtual machine without KVM takes two seconds to attach the probe and start the plugin.
            command.args(["5", BINARY, "--record", &file]);
            let output = command.stdin(Stdio::null()).output()?;
            let stderr = String::from_utf8(output.stderr)?;
            // The exit code of timeout(1) when the time is up.
            assert_eq!(output.status.code(), Some(124), "{stderr}");
            assert!(stderr.contains("ledger: kernel entered="), "{stderr}");
            assert!(!Held::by(&file)?.is_cut);
        }
        Ok(())
    })
}

#[test]
fn root_a_live_pipe_into_a_replay_delivers_what_is_there() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (read, write) = pipe();
        let (mut out, into) = pipe();
        // Bursts of other tests would take minutes through pipes that take 4 KiB at a time.
        let netns = lab.sender.inode().to_string();
        let host = Host::start_into(root, write, &["--netns", &netns])?;
        let mut second = Command::new(BINARY);
        second
            .args(["replay", "-", "--quiet"])
            .stdin(read)
            .stdout(into);
        let mut second = second.spawn()?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let mut printed = Vec::new();
        // Both processes still run: lines pass without an end of the stream or a following line.
        host.wait_until("five lines through both", || {
            let mut bytes = [0; 65_536];
            if rustix::io::ioctl_fionread(&out)? > 0 {
                let read = out.read(&mut bytes)?;
                printed.extend_from_slice(&bytes[..read]);
            }
            let lines = printed.split(|byte| *byte == b'\n');
            let events = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
            let inode = lab.sender.inode();
            Ok(events
                .filter(|event| event["netns"]["inode"] == inode)
                .count()
                == 5)
        })?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        assert!(second.wait()?.success());
        Ok(())
    })
}

#[test]
fn root_a_run_can_be_bounded_by_events_and_by_time() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("bounded.rtc");
        let lab = Lab::new()?;
        let arguments = [RING, &["--count", "1k", "--record", &file]].concat();
        let host = Host::start(root, &arguments)?;
        syn_burst(&lab, BURST)?;
        let run = host.wait()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_balances();
        assert_eq!(run.lines.len(), 1_000);
        assert_eq!(run.ledger.host.get("delivered"), 1_000);
        assert_eq!(Held::by(&file)?.events, 1_000);

        let begun = Instant::now();
        let run = Host::start(root, &["--duration", "1s"])?.wait()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        assert!(begun.elapsed() > Duration::from_secs(1));
        Ok(())
    })
}

#[test]
fn root_a_pipe_that_is_closed_ends_a_run_that_only_prints_and_no_recording() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("beyond-head.rtc");
        let lab = Lab::new()?;
        let host = Host::start_into_head(root, &["--record", &file])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until_said("standard output has no reader any more")?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        assert_eq!(Held::by(&file)?.events_of(&lab.sender), 10);
        Ok(())
    })
}

#[test]
fn root_another_users_terminal_that_is_not_read_does_not_hold_up_the_end() -> Result<()> {
    root_test(|_| {
        let files = Files::new();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        fs::set_permissions(files.path(), Permissions::from_mode(0o755))?;
        // Copies that the other user may run and read.
        let binary = files.path().join("retrans-host");
        fs::copy(BINARY, &binary)?;
        let capture = files.path().join("a.rtc");
        let mut generate = Command::new(BINARY);
        generate
            .arg("generate")
            .arg(&capture)
            .args(["--quiet", "--connections", "50k"]);
        assert!(generate.status()?.success());
        fs::set_permissions(&capture, Permissions::from_mode(0o644))?;
        for stops in [true, false] {
            let (controller, terminal) = terminal();
            let stopped = terminal.try_clone()?;
            let mut command = Command::new("setpriv");
            command.args(user).arg(&binary).arg("replay").arg(&capture);
            command.args(["--plugin", "threshold-alert", "--set", "threshold=1"]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(terminal);
            let mut child = command.spawn()?;
            drop(command);
            thread::sleep(Duration::from_secs(2));
            if stops {
                tcflow(&stopped, Action::OOff)?;
            }
            signal(&child, Signal::TERM);
            ends_within(&mut child, END_LIMIT);
            drop(controller);
        }
        Ok(())
    })
}

#[test]
fn root_a_capture_that_its_reader_does_not_take_ends_the_run_and_is_told() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        // A socket whose reader goes away.
        let (ours, theirs) = sockets();
        let host = Host::start_into(root, theirs, &["--record", "-"])?;
        drop(ours);
        let run = host.wait()?;
        assert_eq!(run.status.code(), Some(1), "{:?}", run.stderr);
        let error = "the capture on standard output ended before the run: its reader has gone";
        assert!(
            run.stderr.iter().any(|line| line.contains(error)),
            "{:?}",
            run.stderr
        );
        run.ledger.assert_balances();

        // A pipe that is not read: the run ends in time with an error, and the capture is cut.
        let (read, write) = pipe();
        let host = Host::start_into(root, write, &[RING, &["--record", "-"]].concat())?;
        syn_burst(&lab, BURST)?;
        wait_until_stuck(&read);
        let begun = Instant::now();
        let run = host.stop()?;
        assert!(begun.elapsed() < END_LIMIT);
        assert_eq!(run.status.code(), Some(1), "{:?}", run.stderr);
        let error = "its reader did not take the rest in time";
        assert!(
            run.stderr.iter().any(|line| line.contains(error)),
            "{:?}",
            run.stderr
        );
        run.ledger.assert_balances();
        assert!(run.ledger.captured().get("not_recorded") > 0);
        Ok(())
    })
}

#[test]
fn root_a_run_without_proc_says_what_is_missing() -> Result<()> {
    root_test(|_| {
        let files = Files::new();
        let mut command = Command::new("unshare");
        let script = "umount -l /proc && exec \"$0\" \"$@\"";
        command.args(["--mount", "sh", "-c", script, BINARY, "replay", "-"]);
        command.env("XDG_CACHE_HOME", files.path());
        let words = ["/proc/self/exe", "mount -t proc proc /proc"];
        assert_refused(command.stdin(Stdio::null()), FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_statistics_of_a_live_run_are_printed_at_sigusr1() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        // Longer than a mark's interval.
        thread::sleep(Duration::from_millis(1_500));
        host.signal(Signal::USR1)?;
        host.wait_until_said("ledger: usage json-print")?;
        let said = host.said();
        let begin = said.iter().position(|line| line.contains("statistics at"));
        let ledger = said[begin.context("it is said")?..].iter();
        let ledger = Ledger::parse(ledger.map(String::as_str))?;
        // The stages count at different times while the host runs.
        assert!(ledger.host.get("delivered") >= 5, "{ledger:?}");
        assert!(ledger.kernel.get("recorded") >= ledger.host.get("recorded"));
        assert!(ledger.plugin("json-print").get("in") >= 5, "{ledger:?}");
        // Since Linux 5.12 the kernel tells how many calls it has skipped.
        let skipped = ledger.kernel.find("recursion_misses");
        assert_eq!(skipped.is_some(), is_since(5, 12)?, "{ledger:?}");
        let run = host.stop()?;
        run.ledger.assert_balances();
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        Ok(())
    })
}
