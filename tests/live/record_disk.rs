//! A full disk or a limit on file size makes a gap in the recording and changes nothing else.
//!
//! A recording has the retransmits of all namespaces, and these tests make many: each runs alone.

use std::fs;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;

use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::support::burst::RING;
use crate::support::burst::syn_burst;
use crate::support::burst::traced_of_burst;
use crate::support::captures::Directory;
use crate::support::captures::Held;
use crate::support::captures::replay;
use crate::support::host::Host;
use crate::support::host::Run;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns;
use crate::support::root_test_alone;

/// SYNs that are retransmitted: more than fit into the smallest file and the smallest disk.
const BURST: u64 = 6_000;

/// Mounts a disk of 32 KiB on a directory, then becomes the command.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=32k none "$0" && exec "$@""#;

/// The same with 8 MiB, of which 32 KiB are free.
const FILLED_DISK: &str = r#"mount -t tmpfs -o size=8m none "$0" \
    && head -c 8160k /dev/zero >"$0/filler" && exec "$@""#;

#[test]
fn root_a_full_disk_makes_a_gap_in_the_recording_and_nothing_else() -> Result<()> {
    root_test_alone(|root| {
        let directory = Directory::new()?;
        let disk = directory.path().display().to_string();
        let file = directory.file("full.rtc");
        let lab = Lab::new()?;
        let launcher = ["unshare", "--mount", "sh", "-c", SMALL_DISK, &disk];
        let host = Host::start_by(root, &launcher, &[RING, &["--record", &file]].concat())?;
        let seen_by_host = format!("/proc/{}/root{file}", host.pid());
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until("the first events to be in the file", || {
            Ok(Held::by(&seen_by_host)?.events_of(&lab.sender) == 5)
        })?;
        syn_burst(&lab, BURST)?;
        host.wait_until_said("No space left on device")?;
        // The file has no end yet, but all its frames are whole.
        let copy = directory.file("copy.rtc");
        fs::copy(&seen_by_host, &copy)?;
        let held = Held::by(&copy)?;
        let alone = replay(&[copy], &[])?;
        // The mount ends with the host: the open file is read afterwards.
        let opened = fs::File::open(&seen_by_host)?;
        let run = host.stop()?;

        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        assert_eq!(run.lines.len() as u64, run.ledger.host.get("delivered"));
        let sent = traced_of_burst(&lab, BURST)?;
        assert!(run.retransmits_in(&lab.sender)?.len() as u64 > sent);
        assert_told_once(&run, &file, "No space left on device");
        let captured = run.ledger.captured();
        assert!(captured.get("not_recorded") > 0, "{captured:?}");
        assert!(held.is_cut);
        assert!(run.stdout().starts_with(&alone.stdout));
        // The end fits where a batch did not, and has the number of missing events.
        let copy = directory.file("copy.rtc");
        std::io::copy(&mut &opened, &mut fs::File::create(&copy)?)?;
        assert_accounts_for_all(&run, &[copy])
    })
}

#[test]
fn root_a_disk_that_has_room_again_is_recorded_to_again() -> Result<()> {
    root_test_alone(|root| {
        for rotation in [&[][..], &["--record-rotate", "1GiB"]] {
            let directory = Directory::new()?;
            let disk = directory.path().display().to_string();
            let file = directory.file("full.rtc");
            let (lab, later) = (Lab::new()?, Lab::new()?);
            let launcher = ["unshare", "--mount", "sh", "-c", FILLED_DISK, &disk];
            let arguments = [RING, &["--record", &file], rotation].concat();
            let host = Host::start_by(root, &launcher, &arguments)?;
            let root_of_host = format!("/proc/{}/root", host.pid());
            syn_burst(&lab, BURST)?;
            host.wait_until_said("No space left on device")?;
            later.five_fast_retransmits(RECEIVER_V4)?;
            fs::remove_file(format!("{root_of_host}{disk}/filler"))?;
            host.wait_until_said("works again")?;
            later.five_fast_retransmits(RECEIVER_V4)?;
            let opened = fs::File::open(format!("{root_of_host}{file}"))?;
            let run = host.stop()?;

            run.ledger.assert_complete();
            assert_told_once(&run, &file, "No space left on device");
            assert_told_once(&run, &file, "works again");
            let captured = run.ledger.captured();
            assert!(captured.get("not_recorded") > 0, "{captured:?}");
            assert_eq!(captured.get("files"), 1);
            let copy = directory.file("copy.rtc");
            std::io::copy(&mut &opened, &mut fs::File::create(&copy)?)?;
            assert_accounts_for_all(&run, &[copy])?;
        }
        Ok(())
    })
}

#[test]
fn root_where_files_may_not_be_so_large_rotation_begins_another_one() -> Result<()> {
    root_test_alone(|root| {
        let directory = Directory::new()?;
        let file = directory.file("limited.rtc");
        let (lab, later) = (Lab::new()?, Lab::new()?);
        let rotation = ["--record", &file, "--record-rotate", "1GiB"];
        let host = Host::start(root, &[RING, &rotation].concat())?;
        limit_files(&host, "8192")?;
        syn_burst(&lab, BURST)?;
        host.wait_until_said("works again")?;
        later.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        assert!(run.ledger.captured().get("not_recorded") > 0);
        let files = directory.rotated("limited.rtc");
        assert!(files.len() > 1, "{files:?}");
        assert_eq!(run.ledger.captured().get("files"), files.len() as u64);
        assert_accounts_for_all(&run, &files)
    })
}

/// Limits the size of files of this host, in bytes.
fn limit_files(host: &Host, bytes: &str) -> Result<()> {
    let mut set = Command::new("prlimit");
    set.args(["--pid", &host.pid().to_string()]);
    set.arg(format!("--fsize={bytes}:unlimited"));
    ensure!(set.status()?.success(), "prlimit");
    Ok(())
}

#[test]
fn root_a_limit_on_the_size_of_files_makes_a_gap_until_it_is_raised() -> Result<()> {
    root_test_alone(|root| {
        let directory = Directory::new()?;
        let file = directory.file("limited.rtc");
        let (lab, later) = (Lab::new()?, Lab::new()?);
        let host = Host::start(root, &[RING, &["--record", &file]].concat())?;
        limit_files(&host, "8192")?;
        syn_burst(&lab, BURST)?;
        host.wait_until_said("File too large")?;
        limit_files(&host, "unlimited")?;
        host.wait_until_said("works again")?;
        later.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        assert_told_once(&run, &file, "File too large");
        assert!(run.ledger.captured().get("not_recorded") > 0);
        assert_accounts_for_all(&run, &[file])
    })
}

/// Checks that exactly one line of standard error has the file and these words.
#[track_caller]
fn assert_told_once(run: &Run, file: &str, words: &str) {
    let said = run.stderr.iter();
    let said = said.filter(|line| line.contains(file) && line.contains(words));
    assert_eq!(said.count(), 1, "{words}: {:?}", run.stderr);
}

/// Checks that the captures are whole and their events and gaps add up: a replay prints the lines that
/// were printed live, and gaps in the place of missing ones.
fn assert_accounts_for_all(run: &Run, captures: &[String]) -> Result<()> {
    let captured = run.ledger.captured();
    let held: Vec<Held> = captures.iter().map(Held::by).collect::<Result<_>>()?;
    assert!(held.iter().all(|held| !held.is_cut));
    let events: u64 = held.iter().map(|held| held.events).sum();
    assert_eq!(events, captured.get("events"));
    let missing: u64 = held.iter().map(|held| held.lost).sum();
    let lost = captured.get("not_recorded") + run.ledger.kernel.get("ring_full");
    assert_eq!(missing, lost);
    let replayed = replay(captures, &[])?.stdout;
    let mut printed = run.lines.iter().map(String::as_str);
    let mut gaps = 0;
    for line in replayed.lines() {
        if line.contains(r#""type":"gap""#) {
            let gap: serde_json::Value = serde_json::from_str(line)?;
            gaps += gap["lost"].as_u64().unwrap_or_default();
            continue;
        }
        assert!(printed.any(|live| live == line), "not printed live: {line}");
    }
    assert_eq!(gaps, lost);
    Ok(())
}

#[test]
fn root_a_disk_without_room_for_the_head_is_said_and_an_older_capture_stays() -> Result<()> {
    root_test_alone(|_root| {
        const FULL_DISK: &str = r#"mount -t tmpfs -o size=8k none "$0" && cd "$0" \
        && echo precious >old.rtc && ! head -c 8k /dev/zero >filler 2>/dev/null \
        && { "$@"; code=$?; ls -A; cat old.rtc; exit $code; }"#;
        for (arguments, name) in [
            (&["--record", "new.rtc"][..], "new.rtc"),
            (&["--record", "old.rtc", "--force"], "old.rtc"),
        ] {
            let directory = Directory::new()?;
            let output = netns::command("unshare")
                .args(["--mount", "sh", "-c", FULL_DISK])
                .arg(directory.path())
                .arg(BINARY)
                .args(arguments)
                .output()?;
            let stderr = String::from_utf8(output.stderr)?;
            assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
            let expected = format!("cannot record to {name}: No space left on device");
            assert!(stderr.contains(&expected), "{stderr}");
            assert_eq!(output.stdout, b"filler\nold.rtc\nprecious\n");
        }
        Ok(())
    })
}
