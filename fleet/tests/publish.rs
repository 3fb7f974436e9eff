//! Publishers against a real nats-server: what was handed over is acknowledged, dropped or kept; it is stored once.

mod support;

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::publish::AgentReport;
use retrans_fleet::publish::Amount;
use retrans_fleet::publish::Publisher;
use retrans_fleet::publish::PublisherConfig;
use retrans_fleet::publish::SpoolConfig;
use retrans_fleet::publish::SpoolError;
use retrans_fleet::publish::StartError;
use retrans_fleet::setup::InitOptions;
use support::PATIENCE;
use support::Process;
use support::eventually;
use support::fleet::Fleet;
use support::fleet::HEAD;
use support::fleet::check;
use support::fleet::config;
use support::fleet::events;
use support::fleet::finish;
use support::fleet::index;
use support::fleet::partitions;
use support::fleet::publish;
use support::fleet::wait_for_acknowledged;
use support::server::Options;
use support::server::free_port;

fn start(config: PublisherConfig) -> Publisher {
    Publisher::start(config).expect("a publisher")
}

#[test]
fn every_frame_is_in_the_stream_once_and_in_order_in_its_partition() {
    let fleet = Fleet::start();
    let publisher = start(config(&fleet.server.url(), 1));
    publish(&publisher, 0..500);
    let counted = finish(publisher);
    let all = Amount {
        frames: 500,
        events: events(0..500),
    };
    assert_eq!((counted.published, counted.acknowledged), (all, all));
    assert_eq!(
        (counted.duplicates, counted.dropped, counted.last_error),
        (0, Amount::default(), None)
    );
    check(&fleet.stored(), 1, 0..500);
}

#[test]
fn the_head_and_the_report_of_the_agent_are_in_the_broker() {
    let fleet = Fleet::start();
    let publisher = start(config(&fleet.server.url(), 1));
    publisher.describe(serde_json::json!({"version": "0.1.0"}));
    publish(&publisher, 0..10);
    finish(publisher);
    let digest = HeadDigest::of(HEAD).to_string();
    assert_eq!(
        fleet.value(names::HEADS_BUCKET, &digest).as_deref(),
        Some(HEAD)
    );
    let report = fleet
        .value(names::AGENTS_BUCKET, "web-1=2Eexample=2Ecom")
        .expect("a report");
    let report: AgentReport = serde_json::from_slice(&report).expect("a report");
    assert_eq!(report.name, "web-1.example.com");
    assert_eq!(
        (report.boot.as_str(), report.start, report.has_ended),
        ("boot-1", 1, true)
    );
    assert_eq!(report.counts.acknowledged.frames, 10);
    assert_eq!(report.about["version"], "0.1.0");
}

#[test]
fn a_server_that_is_killed_in_mid_stream_has_every_frame_once_twenty_times() {
    let mut fleet = Fleet::start();
    for seed in 0..20_u64 {
        let publisher = start(config(&fleet.server.url(), seed));
        publish(&publisher, 0..100);
        // Another moment each time.
        let acknowledged = seed * 7 % 90;
        while publisher.counted().acknowledged.frames < acknowledged {
            std::thread::yield_now();
        }
        publish(&publisher, 100..150);
        fleet.server.kill();
        publish(&publisher, 150..200);
        fleet.server.restart();
        let counted = finish(publisher);
        assert_eq!(
            (counted.acknowledged.frames, counted.dropped.frames),
            (200, 0),
            "{counted:?}"
        );
        assert_eq!(counted.acknowledged.events, events(0..200));
    }
    let stored = fleet.stored();
    assert_eq!(stored.len(), 20 * 200);
    (0..20).for_each(|seed| check(&stored, seed, 0..200));
}

#[test]
fn while_the_broker_is_away_the_oldest_frames_are_dropped_and_counted() {
    let port = free_port();
    let mut config = config(&format!("nats://127.0.0.1:{port}"), 1);
    config.spool.max_bytes = 64 << 10;
    let publisher = start(config);
    publish(&publisher, 0..1_000);
    let kept = publisher.counted();
    assert!(kept.balances(), "{kept:?}");
    assert!(kept.spool_bytes <= 64 << 10, "{kept:?}");
    // The size less a segment of an eighth, at 1,000 bytes and a head of 66 a frame.
    assert!((50..63).contains(&kept.queued.frames), "{kept:?}");
    let options = Options {
        port: Some(port),
        ..Options::default()
    };
    let init = InitOptions {
        partitions: partitions(),
        ..InitOptions::default()
    };
    let fleet = Fleet::with(&options, &init);
    let counted = finish(publisher);
    assert_eq!(
        counted.published,
        Amount {
            frames: 1_000,
            events: events(0..1_000)
        }
    );
    assert_eq!(counted.acknowledged, kept.queued);
    assert!(
        counted
            .last_error
            .expect("an error")
            .cause
            .contains("nats://127.0.0.1")
    );
    // The newest are there.
    let stored = fleet.stored();
    let mut indices: Vec<u64> = stored.iter().map(|stored| index(&stored.frame)).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(1_000 - kept.queued.frames..1_000));
    assert_eq!(
        stored.iter().map(|stored| stored.events).sum::<u64>(),
        counted.acknowledged.events
    );
}

#[test]
fn a_broker_that_goes_away_for_longer_than_the_spool_lasts_gets_the_newest_frames() {
    let mut fleet = Fleet::start();
    let mut config = config(&fleet.server.url(), 1);
    config.spool.max_bytes = 64 << 10;
    let publisher = start(config);
    publish(&publisher, 0..40);
    wait_for_acknowledged(&publisher, 40);
    fleet.server.kill();
    publish(&publisher, 40..1_000);
    let dropped = publisher.counted().dropped.frames;
    assert!(dropped > 800, "{dropped}");
    fleet.server.restart();
    let counted = finish(publisher);
    let stored = fleet.stored();
    assert_eq!(stored.len() as u64, counted.acknowledged.frames);
    assert_eq!(counted.acknowledged.frames + counted.dropped.frames, 1_000);
    let last: Vec<u64> = stored.iter().map(|stored| index(&stored.frame)).collect();
    (960..1_000).for_each(|index| assert!(last.contains(&index), "{index}"));
}

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

/// The variables that make [`agent`] a process of its own: the broker, and the directory of the spool.
const AGENT: [&str; 3] = ["TEST_AGENT_URL", "TEST_AGENT_SPOOL", "TEST_AGENT_START"];

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
        // The end of the spool is being written when the process is killed, and its begin is being sent.
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

#[test]
fn a_stream_that_is_full_is_an_outage_until_there_is_room() {
    let init = InitOptions {
        partitions: partitions(),
        max_bytes: Some(100_000),
        ..InitOptions::default()
    };
    let fleet = Fleet::with(&Options::default(), &init);
    let publisher = start(config(&fleet.server.url(), 1));
    publish(&publisher, 0..200);
    let refused = eventually("a refusal", || {
        let counted = publisher.counted();
        counted.last_error.is_some().then_some(counted)
    });
    let cause = refused.last_error.expect("an error").cause;
    assert!(cause.contains("maximum bytes exceeded"), "{cause}");
    let mut there = Vec::new();
    let counted = eventually("room for the rest", || {
        there.extend(fleet.stored());
        fleet.runtime.block_on(async {
            let stream = fleet
                .broker
                .jetstream()
                .get_stream(names::STREAM)
                .await
                .expect("a stream");
            let through = there.len() as u64 + 1;
            stream.purge().sequence(through).await.expect("room");
        });
        let counted = publisher.counted();
        (counted.acknowledged.frames == 200).then_some(counted)
    });
    assert_eq!(counted.dropped.frames, 0);
    there.extend(fleet.stored());
    check(&there, 1, 0..200);
    finish(publisher);
}

#[test]
fn frames_that_are_sent_twice_are_told_from_others() {
    let fleet = Fleet::start();
    for _ in 0..2 {
        // The same run twice: as if the acknowledgements of the first had been lost.
        let publisher = start(config(&fleet.server.url(), 1));
        publish(&publisher, 0..40);
        let counted = finish(publisher);
        assert_eq!(counted.acknowledged.frames, 40);
    }
    check(&fleet.stored(), 1, 0..40);
    let report = fleet
        .value(names::AGENTS_BUCKET, "web-1=2Eexample=2Ecom")
        .expect("a report");
    let report: AgentReport = serde_json::from_slice(&report).expect("a report");
    assert_eq!(report.counts.duplicates, 40);
}

#[test]
fn a_frame_that_the_broker_can_never_take_is_dropped_and_the_next_passes() {
    let fleet = Fleet::with(
        &Options {
            more: "max_payload: 10000\n".to_owned(),
            ..Options::default()
        },
        &InitOptions {
            partitions: partitions(),
            ..InitOptions::default()
        },
    );
    let publisher = start(config(&fleet.server.url(), 1));
    publish(&publisher, 0..4);
    publisher.publish(retrans_fleet::partition::Partition(0), vec![0; 20_000], 5);
    publish(&publisher, 4..8);
    let counted = finish(publisher);
    assert_eq!(
        counted.dropped,
        Amount {
            frames: 1,
            events: 5
        }
    );
    assert_eq!(counted.acknowledged.frames, 8);
    // Its number is missing: consumers see the gap.
    let numbers: Vec<u64> = fleet
        .stored()
        .iter()
        .filter(|stored| stored.id.partition.0 == 0)
        .map(|stored| stored.id.number)
        .collect();
    assert_eq!(numbers, [0, 2]);
}

#[test]
fn a_fleet_with_another_number_of_partitions_gets_nothing() {
    let fleet = Fleet::with(&Options::default(), &InitOptions::default());
    let publisher = start(config(&fleet.server.url(), 1));
    publish(&publisher, 0..4);
    let cause = eventually("an error", || publisher.counted().last_error).cause;
    assert_eq!(cause, "the fleet has 32 partitions, and 4 are expected");
    // What a person has to change is not waited for.
    let begin = Instant::now();
    let counted = publisher.finish(PATIENCE);
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!((counted.queued.frames, counted.dropped.frames), (0, 4));
    assert!(fleet.stored().is_empty());
}

#[test]
fn a_broker_that_is_set_up_later_gets_what_was_kept() {
    let server = support::server::Server::start();
    let publisher = start(config(&server.url(), 1));
    publish(&publisher, 0..40);
    let cause = eventually("an error", || publisher.counted().last_error).cause;
    assert!(
        cause.ends_with("is not set up: run `retrans-host fleet init`"),
        "{cause}"
    );
    publisher.finish(Duration::ZERO);
}
