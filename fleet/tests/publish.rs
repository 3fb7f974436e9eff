//! Publishers against a real nats-server: what was handed over is acknowledged, dropped or kept; it is stored once.

mod support;

use std::time::Duration;
use std::time::Instant;

use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::publish::AgentReport;
use retrans_fleet::publish::Amount;
use retrans_fleet::setup::InitOptions;
use support::PATIENCE;
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
use support::fleet::start;
use support::fleet::wait_for_acknowledged;
use support::server::Options;
use support::server::free_port;

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

/// How long the broker is away: 2 s. `RETRANS_FLEET_OUTAGE` sets another number of seconds.
fn outage() -> Duration {
    let set = std::env::var("RETRANS_FLEET_OUTAGE").ok();
    let seconds = set.map_or(2, |number| number.parse().expect("a number"));
    Duration::from_secs(seconds)
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
    for begin in (40..1_000).step_by(40) {
        publish(&publisher, begin..begin + 40);
        let counted = publisher.counted();
        assert!(counted.balances(), "{counted:?}");
        assert!(counted.spool_bytes <= 64 << 10, "{counted:?}");
        // 24 times.
        std::thread::sleep(outage() / 24);
    }
    let dropped = publisher.counted().dropped.frames;
    assert!(dropped > 800, "{dropped}");
    fleet.server.restart();
    let counted = finish(publisher);
    assert_eq!(counted.acknowledged.frames + counted.dropped.frames, 1_000);
    let stored: Vec<u64> = fleet
        .stored()
        .iter()
        .map(|stored| index(&stored.frame))
        .collect();
    let mut indices = stored.clone();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(
        indices.len(),
        stored.len(),
        "a frame is there twice: {stored:?}"
    );
    (0..40)
        .chain(960..1_000)
        .for_each(|index| assert!(stored.contains(&index), "{index}"));
    // The connection ended before these were answered, and they were dropped before they could be sent again: the
    // broker may have them nevertheless, one of each partition.
    let unanswered = stored.len() as u64 - counted.acknowledged.frames;
    assert!(
        unanswered <= partitions().count().into(),
        "{unanswered}: {counted:?}"
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
