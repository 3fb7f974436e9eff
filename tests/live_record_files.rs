//! The files of a recording: nobody else can read them, none is overwritten unasked, they make room for
//! each other and for those of earlier runs, and a disk that is full makes a gap in the recording and nothing
//! else.

mod common;
mod live;

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;
use rustix::process::Signal;

use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::live::Root;
use crate::live::burst::syn_burst;
use crate::live::captures::Directory;
use crate::live::captures::Held;
use crate::live::captures::assert_same;
use crate::live::captures::replay;
use crate::live::host::BINARY;
use crate::live::host::Host;
use crate::live::host::Run;
use crate::live::lab::Lab;
use crate::live::lab::RECEIVER_V4;
use crate::live::oracle::wait_until;
use crate::live::root_test;

/// What is there already.
const PRECIOUS: &str = "precious";

/// SYNs that are sent again: more than the smallest file and the smallest disk have room for.
const BURST: u64 = 6_000;

/// Room for all of them.
const RING: &[&str] = &["--ring-size", "16MiB", "--no-owners"];

/// Leaves nobody any right to a new file, then becomes the command. What it caches is kept apart.
const UMASK_777: &str = r#"export XDG_CACHE_HOME="$0"; umask 0777; exec "$@""#;

/// Gives a directory a disk of its own with 32 KiB, then becomes the command.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=32k none "$0" && exec "$@""#;

/// The same with 8 MiB, of which a filler leaves 32 KiB.
const FILLED_DISK: &str = r#"mount -t tmpfs -o size=8m none "$0" \
    && head -c 8160k /dev/zero >"$0/filler" && exec "$@""#;

#[track_caller]
fn refused(_: &Root, arguments: &[&str], words: &[&str]) {
    assert_refused(Command::new(BINARY).args(arguments), FAILURE, words);
}

/// Records nothing much.
fn record(root: &Root, arguments: &[&str]) -> Result<()> {
    let run = Host::start(root, arguments)?.stop()?;
    assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
    assert_eq!(run.ledger.captured().get("not_recorded"), 0);
    Ok(())
}

/// It is a capture, whole, and its owner's alone.
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
        let words = [file.as_str(), "the file exists", "--force"];
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
            let words = [special.as_str(), "it is no regular file"];
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
        // Not even root's.
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
        wait_until("a third file", || Ok(directory.names()?.len() >= 3))?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        assert_eq!(run.retransmits_in(&lab.sender)?.len(), 9);
        let files = directory.rotated("age.rtc");
        assert_eq!(run.ledger.captured().get("files"), files.len() as u64);
        assert_all_is_there_once(&files, &run.stdout())
    })
}

/// The files hold what was printed, each event once, and each can be read without the others.
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
        wait_until("two older files", || Ok(Path::new(&oldest).exists()))?;
        let begun = Held::by(&oldest)?.head.begun;
        wait_until("the oldest file to go", || {
            Ok(Held::by(&oldest)?.head.begun > begun)
        })?;
        let run = host.stop()?;
        assert!(run.ledger.captured().get("files") >= 4);
        assert_eq!(directory.names()?, ["kept.rtc", "kept.rtc.1", "kept.rtc.2"]);

        // Those of an earlier run are moved like any older ones, whether it ended well or not.
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
        let arguments = ["--record", &file, "--record-rotate", "1d"];
        let host = Host::start(root, &arguments)?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        wait_until("the events to be in the file", || {
            Ok(Held::by(&file)?.events_of(&lab.sender) == 5)
        })?;
        host.stop_with(Signal::KILL)?;
        record(root, &arguments)?;
        assert_eq!(directory.names()?, ["service.rtc", "service.rtc.1"]);
        let first = Held::by(directory.file("service.rtc.1"))?;
        assert_eq!((first.events_of(&lab.sender), first.is_cut), (5, true));
        assert_is_private_capture(&file);
        // What is no capture is not moved.
        fs::write(&file, PRECIOUS)?;
        refused(root, &arguments, &[&file, "no capture", "--force"]);
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
        wait_until("the events to be in the file", || {
            Ok(Held::by(&file)?.events_of(&lab.sender) == 5)
        })?;
        fs::remove_file(&file)?;
        host.wait_until_said("was deleted")?;
        wait_until("another file", || Ok(Path::new(&file).exists()))?;
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
        wait_until("the file to begin anew", || {
            Ok(Held::by(&file)?.head.begun > begun)
        })?;
        host.stop()?;
        assert_is_private_capture(&file);
        assert_eq!(directory.names()?, ["alone.rtc"]);
        Ok(())
    })
}

#[test]
fn root_a_full_disk_makes_a_gap_in_the_recording_and_nothing_else() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let disk = directory.path().display().to_string();
        let file = directory.file("full.rtc");
        let lab = Lab::new()?;
        let launcher = ["unshare", "--mount", "sh", "-c", SMALL_DISK, &disk];
        let host = Host::start_by(root, &launcher, &[RING, &["--record", &file]].concat())?;
        let seen_by_host = format!("/proc/{}/root{file}", host.pid());
        lab.five_fast_retransmits(RECEIVER_V4)?;
        wait_until("the first events to be in the file", || {
            Ok(Held::by(&seen_by_host)?.events_of(&lab.sender) == 5)
        })?;
        syn_burst(&lab, BURST)?;
        host.wait_until_said("No space left on device")?;
        // It has whole frames only, although it has no end.
        let copy = directory.file("copy.rtc");
        fs::copy(&seen_by_host, &copy)?;
        let held = Held::by(&copy)?;
        let alone = replay(&[copy], &[])?;
        // The directory of the disk is gone with the host.
        let opened = fs::File::open(&seen_by_host)?;
        let run = host.stop()?;

        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        assert_eq!(run.lines.len() as u64, run.ledger.host.get("delivered"));
        assert!(run.retransmits_in(&lab.sender)?.len() as u64 > BURST);
        assert_told_once(&run, &file, "No space left on device");
        let captured = run.ledger.captured();
        assert!(captured.get("not_recorded") > 0, "{captured:?}");
        assert!(held.is_cut);
        assert!(run.stdout().starts_with(&alone.stdout));
        // The end has room where a batch had not, and says what is missing.
        let copy = directory.file("copy.rtc");
        std::io::copy(&mut &opened, &mut fs::File::create(&copy)?)?;
        assert_accounts_for_all(&run, &[copy])
    })
}

#[test]
fn root_a_disk_that_has_room_again_is_recorded_to_again() -> Result<()> {
    root_test(|root| {
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
    root_test(|root| {
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

/// No file of this host may become larger, in bytes.
fn limit_files(host: &Host, bytes: &str) -> Result<()> {
    let mut set = Command::new("prlimit");
    set.args(["--pid", &host.pid().to_string()]);
    set.arg(format!("--fsize={bytes}:unlimited"));
    ensure!(set.status()?.success(), "prlimit");
    Ok(())
}

#[test]
fn root_a_limit_on_the_size_of_files_makes_a_gap_until_it_is_raised() -> Result<()> {
    root_test(|root| {
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

/// Said in one line of the log, and in no other.
#[track_caller]
fn assert_told_once(run: &Run, file: &str, words: &str) {
    let said = run.stderr.iter();
    let said = said.filter(|line| line.contains(file) && line.contains(words));
    assert_eq!(said.count(), 1, "{words}: {:?}", run.stderr);
}

/// The captures are whole, have what was recorded, and know how many events are missing in them: a replay
/// shows the lines that were printed live, and gaps in the place of those that are missing.
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
    root_test(|_root| {
        const FULL_DISK: &str = r#"mount -t tmpfs -o size=8k none "$0" && cd "$0" \
        && echo precious >old.rtc && ! head -c 8k /dev/zero >filler 2>/dev/null \
        && { "$@"; code=$?; ls -A; cat old.rtc; exit $code; }"#;
        for (arguments, name) in [
            (&["--record", "new.rtc"][..], "new.rtc"),
            (&["--record", "old.rtc", "--force"], "old.rtc"),
        ] {
            let directory = Directory::new()?;
            let output = live::netns::command("unshare")
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
