//! A recording is complete: replayed without privileges, it prints what was printed live, byte for
//! byte, with losses, labels and times.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use retrans_event::FIELDS;
use retrans_event::RECORD_SIZE;
use rustix::process::Signal;

use crate::common::refusal::BINARY;
use crate::support::attempts::failures_test;
use crate::support::burst::syn_burst;
use crate::support::captures::Directory;
use crate::support::captures::Held;
use crate::support::captures::assert_same;
use crate::support::captures::replay;
use crate::support::captures::replay_other_user_launcher;
use crate::support::container::Container;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns::command;
use crate::support::oracle::wait_until;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::accept;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::processes::Process;
use crate::support::root_test;

/// An alert that fires at an event and is resolved by time.
const CHAIN: &[&str] = &[
    "--plugin",
    "threshold-alert",
    "--set",
    "threshold=5",
    "--set",
    "window=1s",
    "--plugin",
    "json-print",
    "--alerts",
    "json",
];

/// Becomes the command, with a replay as the reader of its standard output. The replay's output goes to
/// the file.
const INTO_REPLAY: &str = r#"out="$0"; exec "$@" > >("$1" replay - >"$out")"#;

/// Records for a reader that takes `$1` bytes.
const INTO_HEAD: &str = r#""$0" --record - | head -c "$1" >/dev/null"#;

/// SYNs that are retransmitted: far more than the ring holds.
const BURST: u64 = 2_000;

#[test]
fn root_what_was_printed_live_is_printed_again_by_nobody_without_any_right() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("lossy.rtc");
        let lab = Lab::new()?;
        let host = Host::start(root, &[CHAIN, &["--record", &capture]].concat())?;
        lab.lossy_transfer()?;
        // A tick resolves it, which is recorded like an event.
        host.wait_until_printed(r#""state":"resolved""#)?;
        let run = host.stop()?;

        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        assert!(
            run.retransmits_in(&lab.sender)?.len() >= 30,
            "{:#?}",
            run.lines
        );
        assert!(!run.of_type("alert")?.is_empty());
        run.ledger.assert_complete();
        let captured = run.ledger.captured();
        assert_eq!(captured.get("not_recorded"), 0);
        assert_eq!(captured.get("files"), 1);
        assert_eq!(captured.get("bytes"), fs::metadata(&capture)?.len());
        assert_same(
            &run.stdout(),
            &replay_other_user_launcher(root, &capture, CHAIN)?.stdout,
        );
        // A second replay prints the same.
        assert_same(&run.stdout(), &replay(&[capture], CHAIN)?.stdout);
        Ok(())
    })
}

#[test]
fn root_a_capture_goes_through_a_pipe_and_lines_of_plugins_do_not() -> Result<()> {
    root_test(|root| {
        for (chain, shown) in [(&["--plugin", "json-print"][..], true), (&[], false)] {
            let directory = Directory::new()?;
            let printed = directory.file("printed");
            let lab = Lab::new()?;
            let launcher = ["bash", "-c", INTO_REPLAY, &printed];
            let host = Host::start_by(root, &launcher, &[&["--record", "-"], chain].concat())?;
            lab.five_fast_retransmits(RECEIVER_V4)?;
            let replayed = || fs::read_to_string(&printed);
            host.wait_until("a replay while the host runs", || {
                Ok(replayed()?.lines().count() >= 5)
            })?;
            let run = host.stop()?;

            assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
            run.ledger.assert_complete();
            let delivered = run.ledger.host.get("delivered");
            assert_eq!(run.ledger.captured().get("events"), delivered);
            assert_eq!(run.ledger.captured().get("files"), 1);
            wait_until("the whole replay", || {
                Ok(replayed()?.lines().count() as u64 == delivered)
            })?;
            let lines = run.stderr.iter().filter(|line| line.starts_with('{'));
            let lines: String = lines.map(|line| format!("{line}\n")).collect();
            assert_same(
                &lines,
                if shown { replayed()? } else { String::new() }.as_str(),
            );
            assert!(replayed()?.contains(&lab.sender.inode().to_string()));
        }
        Ok(())
    })
}

#[test]
fn root_a_reader_of_a_capture_that_goes_away_is_no_error() -> Result<()> {
    root_test(|_root| {
        for bytes in ["100", "0"] {
            // Ends without a signal.
            let output = command("timeout")
                .args([
                    "60", "bash", "-o", "pipefail", "-c", INTO_HEAD, BINARY, bytes,
                ])
                .output()?;
            let said = String::from_utf8(output.stderr)?;
            assert!(output.status.success(), "{}: {said}", output.status);
            let said = said.lines();
            let said: Vec<_> = said.filter(|line| !line.contains("watching TCP")).collect();
            assert!(said.is_empty(), "{said:?}");
        }
        Ok(())
    })
}

#[test]
fn root_the_container_of_an_owner_is_recorded_with_the_event() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("labels.rtc");
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let groups = Directory::new()?;
        // Declared first, so that it is dropped after the process: its group must be empty to be removed.
        let container;
        let mut client = Process::start(root, &lab.sender)?;
        container = Container::around(root, &client, groups.path())?;
        let host = Host::start(root, &["--record", &capture])?;
        client.connect(AT_RECEIVER)?;
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;
        drop(client);

        let events = run.retransmits_in(&lab.sender)?;
        let labelled = events
            .iter()
            .filter(|event| event.to_string().contains(container.id()));
        assert!(labelled.count() > 0, "{events:#?}");
        assert_same(&run.stdout(), &replay(&[capture], &[])?.stdout);
        Ok(())
    })
}

#[test]
fn root_what_the_ring_lost_is_lost_in_the_capture_as_well_and_at_the_same_place() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("gaps.rtc");
        let lab = Lab::new()?;
        let arguments = ["--ring-size", "64KiB", "--record", &capture];
        let host = Host::start(root, &arguments)?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.signal(Signal::STOP)?;
        let burst = syn_burst(&lab, BURST);
        host.signal(Signal::CONT)?;
        burst?;
        let run = host.stop()?;

        run.ledger.assert_balances();
        let lost = run.ledger.kernel.get("ring_full");
        assert!(lost > BURST / 2, "only {lost} of {BURST} were lost");
        assert!(!run.of_type("gap")?.is_empty());
        let held = Held::by(&capture)?;
        assert_eq!(held.lost, lost);
        assert_eq!(held.events, run.ledger.host.get("delivered"));
        assert_same(&run.stdout(), &replay(&[capture], &[])?.stdout);
        Ok(())
    })
}

#[test]
fn root_what_was_withheld_is_not_in_the_capture() -> Result<()> {
    failures_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("withheld.rtc");
        let lab = Lab::new()?;
        let host = Host::start(root, &["--record", &capture])?;
        lab.attempts_while_still_queued(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        assert!(run.ledger.host.get("withheld") >= 2, "{:?}", run.ledger);
        assert_eq!(Held::by(&capture)?.events, run.ledger.host.get("delivered"));
        assert_same(&run.stdout(), &replay(&[capture], &[])?.stdout);
        Ok(())
    })
}

#[test]
fn root_a_host_that_is_killed_leaves_what_it_has_seen_and_no_end() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("killed.rtc");
        let lab = Lab::new()?;
        let host = Host::start(root, &["--record", &capture])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        // They are written at the next mark, while the host runs.
        let waited = host.wait_until("the events to be in the file", || {
            Ok(Held::by(&capture)?.events_of(&lab.sender) == 5)
        });
        waited.with_context(|| format!("of {}: {:?}", lab.sender.inode(), Held::by(&capture)))?;
        let run = host.stop_with(Signal::KILL)?;

        assert_eq!(run.status.code(), None, "a signal ended it");
        assert_eq!(run.retransmits_in(&lab.sender)?.len(), 5);
        let held = Held::by(&capture)?;
        assert!(held.is_cut);
        let replayed = replay(&[capture], &[])?;
        assert!(
            replayed.stderr.contains("it was cut off at byte"),
            "{}",
            replayed.stderr
        );
        // Other namespaces may have retransmitted since the last mark.
        assert!(run.stdout().starts_with(&replayed.stdout));
        assert_eq!(replayed.stdout.lines().count() as u64, held.events);
        Ok(())
    })
}

#[test]
fn root_a_capture_says_who_recorded_it_and_where() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let capture = directory.file("head.rtc");
        Host::start(root, &["--record", &capture, "--attach", "btf"])?.stop()?;

        let head = Held::by(&capture)?.head;
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(head.writer, format!("retrans-host {version}"));
        assert_eq!(head.record_size as usize, RECORD_SIZE);
        let names: Vec<&str> = head
            .layout
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        let expected: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names, expected);
        let about = head.host.context("a host recorded it")?;
        let kernel = |name: &str| -> Result<String> {
            let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"))?;
            Ok(text.trim_end().to_owned())
        };
        assert_eq!(about.name, kernel("hostname")?);
        assert_eq!(about.kernel, kernel("osrelease")?);
        assert_eq!(about.boot_id, kernel("random/boot_id")?);
        assert_eq!(about.attached, "btf");
        let booted: jiff::Timestamp = about.booted.parse()?;
        let begun: jiff::Timestamp = head.begun.parse()?;
        let up = (begun - booted).total(jiff::Unit::Second)?;
        let uptime = fs::read_to_string("/proc/uptime")?;
        let uptime: f64 = uptime.split(' ').next().context("seconds")?.parse()?;
        assert!(uptime - 60.0 < up && up <= uptime + 1.0, "{up}, {uptime}");
        Ok(())
    })
}
