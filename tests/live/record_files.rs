//! The files of a recording: private to their owner, never overwritten without `--force`, and rotated
//! together with those of earlier runs.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;
use rustix::process::Signal;

use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::support::Root;
use crate::support::burst::RING;
use crate::support::burst::syn_burst;
use crate::support::captures::Directory;
use crate::support::captures::Held;
use crate::support::captures::assert_same;
use crate::support::captures::replay;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

/// The contents of an existing file.
const PRECIOUS: &str = "precious";

/// SYNs that are retransmitted: twice what fits into the smallest file. 6,000 fitted into one of 80 KB where a slow guest
/// wrote them in few frames (6.1 in emulation): a file ends with the frame that exceeds its size.
const BURST: u64 = 10_000;

/// Runs the command with umask 0777. Its cache is kept apart from that of other tests.
const UMASK_777: &str = r#"export XDG_CACHE_HOME="$0"; umask 0777; exec "$@""#;

#[track_caller]
fn refused(_: &Root, arguments: &[&str], words: &[&str]) {
    assert_refused(Command::new(BINARY).args(arguments), FAILURE, words);
}

/// Starts and ends a recording.
fn record(root: &Root, arguments: &[&str]) -> Result<()> {
    let run = Host::start(root, arguments)?.stop()?;
    assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
    assert_eq!(run.ledger.captured().get("not_recorded"), 0);
    Ok(())
}

/// Checks that the file is a whole capture that its owner alone can read.
#[track_caller]
fn assert_is_private_capture(file: &str) {
    let held = Held::by(file).expect("a capture");
    assert!(!held.is_cut);
    let about = fs::symlink_metadata(file).expect("a file");
    assert!(about.is_file());
    assert_eq!(about.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn root_a_capture_belongs_to_who_called_sudo() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("a.rtc");
        let launcher = ["env", "SUDO_UID=65533", "SUDO_GID=65534"];
        Host::start_by(root, &launcher, &["--record", &file])?.stop()?;
        assert_is_private_capture(&file);
        let about = fs::metadata(&file)?;
        assert_eq!((about.uid(), about.gid()), (65_533, 65_534));
        Ok(())
    })
}

#[test]
fn root_nobody_else_can_read_a_capture_whatever_the_umask() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let (strict, lax) = (directory.file("strict.rtc"), directory.file("lax.rtc"));
        let cache = directory.file("cache");
        let launcher = ["sh", "-c", UMASK_777, &cache];
        Host::start_by(root, &launcher, &["--record", &strict])?.stop()?;
        assert_is_private_capture(&strict);
        let launcher = ["sh", "-c", r#"umask 0; exec "$0" "$@""#];
        Host::start_by(root, &launcher, &["--record", &lax])?.stop()?;
        assert_is_private_capture(&lax);
        Ok(())
    })
}

#[test]
fn root_a_file_that_exists_is_not_overwritten_unless_that_is_asked_for() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("old.rtc");
        fs::write(&file, PRECIOUS)?;
        fs::set_permissions(&file, Permissions::from_mode(0o644))?;
        let words = [file.as_str(), "exists and is not a capture", "--force"];
        refused(root, &["--record", &file], &words);
        assert_eq!(fs::read_to_string(&file)?, PRECIOUS);

        record(root, &["--record", &file, "--force"])?;
        assert_is_private_capture(&file);
        assert_eq!(directory.names()?, ["old.rtc"]);
        Ok(())
    })
}

#[test]
fn root_a_symbolic_link_is_replaced_and_not_followed() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let [target, link, dangling] = ["target", "link.rtc", "dangling.rtc"];
        let [target, link, dangling] = [target, link, dangling].map(|name| directory.file(name));
        fs::write(&target, PRECIOUS)?;
        symlink(&target, &link)?;
        symlink(directory.file("nothing"), &dangling)?;
        for link in [&link, &dangling] {
            refused(root, &["--record", link], &[link, "--force"]);
            record(root, &["--record", link, "--force"])?;
            assert_is_private_capture(link);
        }
        assert_eq!(fs::read_to_string(&target)?, PRECIOUS);
        assert!(!Path::new(&directory.file("nothing")).exists());
        Ok(())
    })
}

#[test]
fn root_what_is_no_regular_file_is_never_replaced() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let [pipe, link, folder] = ["pipe", "link", "folder"].map(|name| directory.file(name));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0)?;
        symlink(&pipe, &link)?;
        fs::create_dir(&folder)?;
        for special in [&pipe, &link, &folder] {
            let words = [special.as_str(), "it is not a regular file"];
            refused(root, &["--record", special], &words);
            refused(root, &["--record", special, "--force"], &words);
        }
        assert_eq!(directory.names()?, ["folder", "link", "pipe"]);
        Ok(())
    })
}

#[test]
fn root_a_directory_that_cannot_be_written_to_is_said_and_nothing_runs() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let missing = directory.file("missing/new.rtc");
        refused(root, &["--record", &missing], &[&missing, "No such file"]);
        // Not even root can create files there.
        let file = "/proc/self/new.rtc";
        refused(root, &["--record", file], &["cannot record to", file]);
        refused(
            root,
            &["--record", file, "--force"],
            &["cannot record to", file],
        );
        assert_eq!(directory.names()?, [""; 0]);
        Ok(())
    })
}

#[test]
fn root_files_by_size_hold_every_event_once_and_each_is_whole() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("size.rtc");
        let lab = Lab::new()?;
        let rotation = ["--record", &file, "--record-rotate", "64KiB"];
        let host = Host::start(root, &[RING, &rotation].concat())?;
        syn_burst(&lab, BURST)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        let files = directory.rotated("size.rtc");
        assert_eq!(run.ledger.captured().get("files"), files.len() as u64);
        let bytes: u64 = files
            .iter()
            .map(|file| Ok(fs::metadata(file)?.len()))
            .sum::<Result<u64>>()?;
        assert_eq!(run.ledger.captured().get("bytes"), bytes);
        let (last, older) = files.split_last().expect("a file");
        assert!(!older.is_empty(), "{bytes} bytes in {last}");
        for file in older {
            assert!(fs::metadata(file)?.len() >= 64 << 10, "{file}");
        }
        assert_all_is_there_once(&files, &run.stdout())
    })
}

#[test]
fn root_files_by_age_hold_every_event_once_and_each_is_whole() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("age.rtc");
        let lab = Lab::new()?;
        let rotation = ["--record", &file, "--record-rotate", "1s"];
        let host = Host::start(root, &[&rotation[..], &["--record-keep", "1000"]].concat())?;
        lab.tail_loss_probe_and_three_timeouts(RECEIVER_V4)?;
        host.wait_until("a third file", || Ok(directory.names()?.len() >= 3))?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        assert_eq!(run.retransmits_in(&lab.sender)?.len(), 9);
        let files = directory.rotated("age.rtc");
        assert_eq!(run.ledger.captured().get("files"), files.len() as u64);
        assert_all_is_there_once(&files, &run.stdout())
    })
}

/// Checks that the files hold every printed event once, and that each can be read without the others.
fn assert_all_is_there_once(files: &[String], printed: &str) -> Result<()> {
    let mut events = 0;
    for file in files {
        assert_is_private_capture(file);
        let alone = replay(std::slice::from_ref(file), &[])?.stdout;
        assert_eq!(alone.lines().count() as u64, Held::by(file)?.events);
        events += alone.lines().count();
    }
    assert_eq!(events, printed.lines().count());
    assert_same(printed, &replay(files, &[])?.stdout);
    Ok(())
}

#[test]
fn root_only_so_many_older_files_are_kept() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("kept.rtc");
        let rotation = ["--record", &file, "--record-rotate", "1s"];
        let host = Host::start(root, &[&rotation[..], &["--record-keep", "2"]].concat())?;
        let oldest = directory.file("kept.rtc.2");
        host.wait_until("two older files", || Ok(Path::new(&oldest).exists()))?;
        let begun = Held::by(&oldest)?.head.begun;
        host.wait_until("the oldest file to go", || {
            Ok(Held::by(&oldest)?.head.begun > begun)
        })?;
        let run = host.stop()?;
        assert!(run.ledger.captured().get("files") >= 4);
        assert_eq!(directory.names()?, ["kept.rtc", "kept.rtc.1", "kept.rtc.2"]);

        // Files of an earlier run are rotated like any older ones, whether it ended well or not.
        let newest = Held::by(&file)?.head.begun;
        for force in [&[][..], &["--force"]] {
            let day = ["--record", &file, "--record-rotate", "1d"];
            record(root, &[&day[..], &["--record-keep", "2"], force].concat())?;
            assert_eq!(directory.names()?, ["kept.rtc", "kept.rtc.1", "kept.rtc.2"]);
        }
        assert_eq!(Held::by(&oldest)?.head.begun, newest);
        Ok(())
    })
}

#[test]
fn root_a_service_that_was_killed_begins_again_and_loses_no_capture() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("service.rtc");
        let lab = Lab::new()?;
        let rotating = ["--record", &file, "--record-rotate", "1d"];
        for (earlier, arguments) in [&rotating[..2], &rotating].into_iter().enumerate() {
            let host = Host::start(root, arguments)?;
            lab.five_fast_retransmits(RECEIVER_V4)?;
            host.wait_until("the events to be in the file", || {
                Ok(Held::by(&file)?.events_of(&lab.sender) == 5)
            })?;
            host.stop_with(Signal::KILL)?;
            record(root, arguments)?;
            // Of the capture that was cut off, and of the one that ended well before it.
            let names = [
                "service.rtc",
                "service.rtc.1",
                "service.rtc.2",
                "service.rtc.3",
            ];
            assert_eq!(directory.names()?, names[..2 + 2 * earlier]);
            let first = Held::by(directory.file("service.rtc.1"))?;
            assert_eq!((first.events_of(&lab.sender), first.is_cut), (5, true));
            assert_is_private_capture(&file);
        }
        let arguments = rotating;
        // A file that is no capture is not moved.
        fs::write(&file, PRECIOUS)?;
        refused(root, &arguments, &[&file, "not a capture", "--force"]);
        assert_eq!(fs::read_to_string(&file)?, PRECIOUS);
        Ok(())
    })
}

#[test]
fn root_a_file_that_is_deleted_is_told_and_another_one_begins() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("deleted.rtc");
        let lab = Lab::new()?;
        let host = Host::start(root, &["--record", &file])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until("the events to be in the file", || {
            Ok(Held::by(&file)?.events_of(&lab.sender) == 5)
        })?;
        fs::remove_file(&file)?;
        host.wait_until_said("was deleted")?;
        host.wait_until("another file", || Ok(Path::new(&file).exists()))?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        let captured = run.ledger.captured();
        assert_eq!(captured.get("files"), 2);
        let held = Held::by(&file)?;
        assert_eq!((held.events_of(&lab.sender), held.is_cut), (5, false));
        assert_eq!(held.events, captured.get("events"));
        assert_eq!(held.lost, captured.get("not_recorded"));
        let said = run
            .stderr
            .iter()
            .filter(|line| line.contains("was deleted"));
        assert_eq!(said.count(), 1, "{:?}", run.stderr);
        Ok(())
    })
}

#[test]
fn root_a_file_that_is_moved_goes_on_under_its_new_name() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let (file, moved) = (directory.file("moved.rtc"), directory.file("elsewhere"));
        let lab = Lab::new()?;
        let host = Host::start(root, &["--record", &file])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        fs::rename(&file, &moved)?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        assert_eq!(run.ledger.captured().get("not_recorded"), 0);
        assert_eq!(directory.names()?, ["elsewhere"]);
        assert_same(&run.stdout(), &replay(&[moved], &[])?.stdout);
        Ok(())
    })
}

#[test]
fn root_without_any_older_file_the_file_itself_begins_anew() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let file = directory.file("alone.rtc");
        let rotation = ["--record", &file, "--record-rotate", "1s"];
        let host = Host::start(root, &[&rotation[..], &["--record-keep", "0"]].concat())?;
        let begun = Held::by(&file)?.head.begun;
        host.wait_until("the file to begin anew", || {
            Ok(Held::by(&file)?.head.begun > begun)
        })?;
        host.stop()?;
        assert_is_private_capture(&file);
        assert_eq!(directory.names()?, ["alone.rtc"]);
        Ok(())
    })
}
