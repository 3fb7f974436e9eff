//! Members share the partitions: each message reaches one chain, and its state is never lost.

mod consume_support;

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use consume_support::STOP_TIMEOUT;
use consume_support::chains::Event;
use consume_support::chains::Recorder;
use consume_support::chains::State;
use consume_support::chains::start;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frames::publish_frames;
use consume_support::frames::saved;
use consume_support::frames::undisturbed;
use consume_support::frames::wait_until_saved;
use consume_support::server::Server;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::StateStore;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;

fn owned(member: &Member) -> BTreeSet<Partition> {
    member.status().partitions.into_keys().collect()
}

#[tokio::test]
async fn two_members_share_8_partitions_and_each_message_reaches_one_chain() {
    let (server, broker) = fleet(8).await;
    let recorder = Recorder::new(10);
    let one = start(&server, "one", Choice::Auto, &recorder);
    let two = start(&server, "two", Choice::Auto, &recorder);
    eventually("four partitions each", async || {
        (owned(&one).len() == 4 && owned(&two).len() == 4).then_some(())
    })
    .await;
    assert!(owned(&one).is_disjoint(&owned(&two)));
    publish_frames(&broker, 8, 0..50).await;
    wait_until_saved(&broker, 8, 50).await;
    for partition in 0..8 {
        let frames = recorder.frames(Partition(partition));
        assert_eq!(frames.len(), 50, "{frames:?}");
        assert!(frames.is_sorted_by(|one, next| one < next), "{frames:?}");
    }
    let status = one.status();
    assert_eq!((status.consumers, status.share, status.lost), (2, 4, 0));
    assert!(status.problem.is_none(), "{status:?}");
    for partition in status.partitions.values() {
        assert_eq!(partition.saved.is_some(), partition.delivered.is_some());
    }
    one.stop(STOP_TIMEOUT).expect("a value");
    two.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_member_that_stops_releases_and_another_one_goes_on_at_once() {
    let (server, broker) = fleet(4).await;
    // No snapshot before the end.
    let recorder = Recorder::new(1_000_000);
    let one = start(&server, "one", Choice::All, &recorder);
    let others = Recorder::new(20);
    let two = start(&server, "two", Choice::All, &others);
    publish_frames(&broker, 4, 0..30).await;
    eventually("all frames", async || {
        (recorder.count(|event| matches!(event, Event::Frame { .. })) == 120).then_some(())
    })
    .await;
    assert_eq!((owned(&one).len(), owned(&two).len()), (4, 0));
    one.stop(STOP_TIMEOUT).expect("a value");
    let released = Instant::now();
    let is_released = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                is_released: true,
                ..
            }
        )
    };
    assert_eq!(recorder.count(is_released), 4);
    eventually("the other one", async || {
        (owned(&two).len() == 4).then_some(())
    })
    .await;
    // One look at the broker, not the time after which a lease is free.
    assert!(
        released.elapsed() < Duration::from_secs(4),
        "{:?}",
        released.elapsed()
    );
    publish_frames(&broker, 4, 30..60).await;
    wait_until_saved(&broker, 4, 60).await;
    assert_eq!(
        others.count(|event| matches!(event, Event::Frame { .. })),
        120
    );
    two.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn the_partitions_of_a_member_that_dies_are_taken_within_10_seconds_with_their_snapshots() {
    let (server, broker) = fleet(4).await;
    let recorder = Recorder::new(10);
    let one = start(&server, "one", Choice::All, &recorder);
    eventually("all partitions", async || {
        (owned(&one).len() == 4).then_some(())
    })
    .await;
    let others = Recorder::new(10);
    let two = start(&server, "two", Choice::Auto, &others);
    // 25 frames: the last snapshot is after 20 of them.
    publish_frames(&broker, 4, 0..25).await;
    wait_until_saved(&broker, 4, 20).await;
    drop(one);
    let died = Instant::now();
    eventually("the other one", async || {
        (owned(&two).len() == 4).then_some(())
    })
    .await;
    assert!(
        died.elapsed() < Duration::from_secs(10),
        "{:?}",
        died.elapsed()
    );
    assert!(
        died.elapsed() > Duration::from_secs(3),
        "{:?}",
        died.elapsed()
    );
    publish_frames(&broker, 4, 25..30).await;
    wait_until_saved(&broker, 4, 30).await;
    for event in others.events() {
        assert!(
            !matches!(event, Event::Begun { snapshot: None, .. }),
            "{event:?}"
        );
    }
    // What was after the snapshot is read again, and nothing before.
    for partition in 0..4 {
        assert_eq!(others.frames(Partition(partition)).len(), 10);
    }
    let is_cut = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                is_released: false,
                ..
            }
        )
    };
    eventually("the ends of the chains", async || {
        (recorder.count(is_cut) == 4).then_some(())
    })
    .await;
    two.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_stale_member_fails_to_save_and_gives_the_partition_up() {
    let (server, broker) = fleet(1).await;
    let recorder = Recorder::new(10);
    let member = start(&server, "one", Choice::All, &recorder);
    publish_frames(&broker, 1, 0..10).await;
    wait_until_saved(&broker, 1, 10).await;
    // Another one has saved a snapshot, as if this member had slept.
    let mut state = StateStore::open(&broker).await.expect("an answer");
    let loaded = state.load(Partition(0)).await.expect("an answer");
    let mut snapshot = loaded.snapshot.expect("a value");
    snapshot.counts["missing"] = 1_000.into();
    state
        .save(Partition(0), &snapshot, loaded.revision)
        .await
        .expect("an answer");
    publish_frames(&broker, 1, 10..20).await;
    let is_cut = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                is_released: false,
                ..
            }
        )
    };
    eventually("the end of the chain", async || {
        (recorder.count(is_cut) == 1).then_some(())
    })
    .await;
    // It has the lease, and begins again from the other one's snapshot.
    let expected = State {
        missing: 1_000,
        ..undisturbed(0, 20)
    };
    eventually("the state of the other one, and ten frames", async || {
        (saved(&broker, Partition(0)).await? == expected).then_some(())
    })
    .await;
    let status = member.status();
    assert_eq!(status.lost, 1);
    let error = status.last_error.expect("a value");
    assert!(
        error.contains("partition 0 was taken by another consumer"),
        "{error}"
    );
    member.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_lease_that_another_one_has_taken_is_lost_at_once() {
    let (server, broker) = fleet(1).await;
    let recorder = Recorder::new(10);
    let member = start(&server, "one", Choice::All, &recorder);
    eventually("the partition", async || {
        (owned(&member).len() == 1).then_some(())
    })
    .await;
    let other = br#"{"owner":"other","name":"other","since":0}"#;
    consume_support::put(&broker, names::LEASES_BUCKET, "p.0", other).await;
    let is_cut = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                is_released: false,
                ..
            }
        )
    };
    let begin = Instant::now();
    eventually("the end of the chain", async || {
        (recorder.count(is_cut) == 1).then_some(())
    })
    .await;
    // Not because its time was over, which is another reason.
    let reason = eventually("the reason", async || member.status().last_error).await;
    assert_eq!(reason, "partition 0 is lost: its lease was taken by other");
    // The other one does not renew it.
    eventually("the partition again", async || {
        (owned(&member).len() == 1).then_some(())
    })
    .await;
    assert!(
        begin.elapsed() > Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    member.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_server_that_is_away_for_long_costs_the_leases_and_no_frame() {
    let (mut server, broker) = fleet(4).await;
    let recorder = Recorder::new(10);
    let one = start(&server, "one", Choice::Auto, &recorder);
    let two = start(&server, "two", Choice::Auto, &recorder);
    eventually("two partitions each", async || {
        (owned(&one).len() == 2 && owned(&two).len() == 2).then_some(())
    })
    .await;
    let before = (owned(&one), owned(&two));
    publish_frames(&broker, 4, 0..25).await;
    wait_until_saved(&broker, 4, 20).await;
    server.kill();
    eventually("leases that are lost", async || {
        (owned(&one).is_empty() && owned(&two).is_empty()).then_some(())
    })
    .await;
    assert!(one.status().problem.is_some());
    server.restart();
    eventually("the same partitions again", async || {
        ((owned(&one), owned(&two)) == before).then_some(())
    })
    .await;
    publish_frames(&broker, 4, 25..40).await;
    wait_until_saved(&broker, 4, 40).await;
    one.stop(STOP_TIMEOUT).expect("a value");
    two.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_state_above_1_mb_is_taken_over() {
    let (server, broker) = fleet(1).await;
    let recorder = Recorder {
        padding: 3_000_000,
        ..Recorder::new(10)
    };
    let one = start(&server, "one", Choice::All, &recorder);
    publish_frames(&broker, 1, 0..25).await;
    wait_until_saved(&broker, 1, 20).await;
    one.stop(STOP_TIMEOUT).expect("a value");
    let two = start(&server, "two", Choice::All, &recorder);
    publish_frames(&broker, 1, 25..30).await;
    wait_until_saved(&broker, 1, 30).await;
    two.stop(STOP_TIMEOUT).expect("a value");
    assert_eq!(recorder.frames(Partition(0)).len(), 30);
}

#[tokio::test]
async fn a_member_does_not_start_without_what_a_fleet_needs() {
    let server = Server::start();
    let config = || MemberConfig {
        broker: consume_support::prepared(&server),
        name: "one".to_owned(),
        choice: Choice::All,
        partitions: None,
        fresh: StartAt::Beginning,
    };
    let failed = async |config: MemberConfig| {
        // It blocks, and has a runtime of its own.
        let start = move || Member::start(config, Recorder::new(1)).err();
        let failed = tokio::task::spawn_blocking(start).await.expect("no panic");
        failed.expect("an error").to_string()
    };
    let error = failed(config()).await;
    assert!(
        error.contains("is not set up: run `retrans-host fleet init`"),
        "{error}"
    );
    let broker = consume_support::connect(&server).await;
    let options = InitOptions {
        partitions: Partitions::new(8).expect("a number"),
        ..InitOptions::default()
    };
    setup::init(&broker, &options).await.expect("an answer");
    let error = failed(MemberConfig {
        partitions: Partitions::new(16),
        ..config()
    })
    .await;
    assert_eq!(error, "the fleet has 8 partitions, and 16 are expected");
    let error = failed(MemberConfig {
        choice: Choice::Some([7, 8, 9].map(Partition).into()),
        ..config()
    })
    .await;
    assert_eq!(error, "there is no partition 8, 9: the fleet has 8, from 0");
    broker
        .jetstream()
        .delete_key_value(names::HEADS_BUCKET)
        .await
        .expect("an answer");
    let error = failed(config()).await;
    assert!(
        error.starts_with("cannot open the bucket retrans_heads"),
        "{error}"
    );
}
