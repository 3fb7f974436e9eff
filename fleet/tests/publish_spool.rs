//! The spool of a publisher in a directory: it outlives the process, belongs to one publisher, and may fail.

mod support;

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::publish::Amount;
use retrans_fleet::publish::Publisher;
use retrans_fleet::publish::SpoolConfig;
use retrans_fleet::publish::SpoolError;
use retrans_fleet::publish::StartError;
use retrans_fleet::setup::InitOptions;
use support::Process;
use support::eventually;
use support::fleet::Fleet;
use support::fleet::check;
use support::fleet::config;
use support::fleet::events;
use support::fleet::finish;
use support::fleet::index;
use support::fleet::partitions;
use support::fleet::publish;
use support::fleet::start;
use support::server::Options;
use support::server::free_port;

/// The variables that make [`agent`] a process of its own: the broker, and the directory of the spool.
const AGENT: [&str; 3] = ["TEST_AGENT_URL", "TEST_AGENT_SPOOL", "TEST_AGENT_START"];

#[test]
fn what_a_killed_publisher_left_in_its_directory_is_sent_by_the_next_with_its_own_identifiers() {
    let directory = tempfile::tempdir().expect("a directory");
    let spool = SpoolConfig {
        directory: Some(directory.path().to_owned()),
        ..SpoolConfig::default()
    };
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let mut first = config(&url, 1);
    first.spool = spool.clone();
    first.head = b"an older head".to_vec();
    let publisher = start(first);
    publish(&publisher, 0..100);
    // As after SIGKILL: nothing is written at the end.
    let left = publisher.finish(Duration::ZERO);
    assert_eq!(left.queued.frames, 100, "{left:?}");
    // The last entry was not written whole.
    let segment = std::fs::read_dir(directory.path()).expect("a directory");
    let mut files = segment.map(|file| file.expect("a file").path());
    let segment = files.find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "frames")
    });
    let segment = segment.expect("a segment");
    let file = std::fs::File::options()
        .write(true)
        .open(&segment)
        .expect("a file");
    file.set_len(file.metadata().expect("a file").len() - 1)
        .expect("a file");

    let options = Options {
        port: Some(port),
        ..Options::default()
    };
    let fleet = Fleet::with(
        &options,
        &InitOptions {
            partitions: partitions(),
            ..InitOptions::default()
        },
    );
    let mut second = config(&url, 2);
    second.spool = spool;
    let publisher = start(second);
    publish(&publisher, 0..40);
    let counted = finish(publisher);
    assert_eq!(
        counted.inherited,
        Amount {
            frames: 99,
            events: events(0..99)
        }
    );
    assert_eq!(
        (
            counted.torn,
            counted.published.frames,
            counted.acknowledged.frames
        ),
        (1, 40, 139)
    );
    let stored = fleet.stored();
    check(&stored, 2, 0..40);
    let older = HeadDigest::of(b"an older head").to_string();
    let inherited: Vec<u64> = stored
        .iter()
        .filter(|stored| stored.id.run.start == 1 && stored.head == older)
        .map(|stored| index(&stored.frame))
        .collect();
    assert_eq!(inherited.len(), 99);
    assert_eq!(
        fleet.value(names::HEADS_BUCKET, &older).as_deref(),
        Some(&b"an older head"[..])
    );
    // Nothing is left but the lock, and heads until the next start.
    let left: Vec<String> = std::fs::read_dir(directory.path())
        .expect("a directory")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".frames"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn agent() {
    let [Ok(url), Ok(spool), Ok(run)] = AGENT.map(std::env::var) else {
        // It is run by the next test.
        return;
    };
    let mut config = config(&url, run.parse().expect("a number"));
    config.spool.directory = Some(spool.into());
    let publisher = start(config);
    for index in 0.. {
        publish(&publisher, index..index + 1);
        // The end of the spool is being written when the process is killed, and its start is being sent.
        while publisher.counted().queued.frames > 100 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn an_agent_that_is_killed_in_mid_stream_loses_no_frame_twenty_times() {
    let fleet = Fleet::start();
    let directory = tempfile::tempdir().expect("a directory");
    let program = std::env::current_exe().expect("a program");
    let (mut inherited, mut duplicates) = (0, 0);
    for seed in 0..20_u64 {
        let before = fleet.messages();
        let mut command = Command::new(&program);
        let path = directory.path().as_os_str().to_owned();
        let values = [
            fleet.server.url().into(),
            path,
            (2 * seed).to_string().into(),
        ];
        command
            .args(["--exact", "agent"])
            .envs(AGENT.into_iter().zip(values))
            .stdout(Stdio::null());
        let mut agent = Process(command.spawn().expect("a process"));
        // Another moment each time.
        let enough = before + 1 + seed * 13;
        eventually("frames of the agent", || {
            (fleet.messages() >= enough).then_some(())
        });
        agent.kill();
        let mut next = config(&fleet.server.url(), 2 * seed + 1);
        next.spool.directory = Some(directory.path().to_owned());
        let publisher = start(next);
        publish(&publisher, 0..8);
        let counted = finish(publisher);
        assert_eq!(counted.dropped.frames, 0, "{counted:?}");
        inherited += counted.inherited.frames;
        duplicates += counted.duplicates;
    }
    assert!(
        inherited > duplicates && duplicates > 0,
        "{inherited} {duplicates}"
    );
    let stored = fleet.stored();
    for seed in 0..20 {
        let of_run = stored
            .iter()
            .filter(|stored| stored.id.run.start == 2 * seed);
        // From the first to the last that the agent wrote down.
        check(&stored, 2 * seed, 0..of_run.count() as u64);
        check(&stored, 2 * seed + 1, 0..8);
    }
}

#[test]
fn a_directory_that_another_publisher_uses_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let with_spool = |start| {
        let mut config = config("nats://127.0.0.1:1", start);
        config.spool.directory = Some(directory.path().to_owned());
        config
    };
    let first = start(with_spool(1));
    let Err(StartError::Spool(error @ SpoolError::InUse(_))) = Publisher::start(with_spool(2))
    else {
        panic!("it was not refused");
    };
    assert!(
        error
            .to_string()
            .starts_with("another process uses the spool /"),
        "{error}"
    );
    first.finish(Duration::ZERO);
    start(with_spool(3)).finish(Duration::ZERO);
}

#[test]
fn a_directory_that_cannot_be_written_any_more_costs_frames_which_are_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = config("nats://127.0.0.1:1", 1);
    let path = directory.path().join("spool");
    config.spool.directory = Some(path.clone());
    // Segments of 8,000 bytes.
    config.spool.max_bytes = 64_000;
    let publisher = start(config);
    publish(&publisher, 0..5);
    std::fs::remove_dir_all(&path).expect("a directory");
    publish(&publisher, 5..50);
    let counted = publisher.finish(Duration::ZERO);
    assert!(counted.balances(), "{counted:?}");
    assert!(
        counted.write_errors >= 40 && counted.dropped.frames >= 40,
        "{counted:?}"
    );
}
