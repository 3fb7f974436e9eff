//! The disk of the broker is really full. nats-server answers no frame then, and takes none until it is restarted with
//! room. Nothing is lost, and nothing is there twice.

#![allow(clippy::duplicate_mod, reason = "both supports use the server")]

mod consume_support;
mod support;

use std::time::Duration;

use consume_support::chains::Recorder;
use consume_support::chains::State;
use consume_support::frames::saved;
use consume_support::wait_for;
use retrans_fleet::connect;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::names;
use retrans_fleet::publish::PublishCounts;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup::InitOptions;
use support::PATIENCE;
use support::disk::Disk;
use support::disk::disk_test;
use support::eventually;
use support::fleet::Fleet;
use support::fleet::Stored;
use support::fleet::check;
use support::fleet::check_begin;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::options;
use support::fleet::partitions;
use support::fleet::prepared;
use support::fleet::publish;
use support::fleet::start;

/// Frames of 1,000 bytes: more than the disk takes.
const FRAMES: u64 = 3_000;

/// The size of the disk.
const SIZE: &str = "2m";

/// What the publisher says when the broker takes a frame and does not answer.
const NO_ANSWER: &str = "the broker did not answer in time";

/// The number of messages that the server could not store.
fn not_stored(fleet: &Fleet) -> usize {
    let log = fleet.server.log();
    let is_it = |line: &&str| line.contains("failed to store a msg on stream '$G > RETRANS'");
    log.lines().filter(is_it).count()
}

/// Waits until the server has failed to store a frame, and until its publisher has noticed that.
fn wait_until_full(fleet: &Fleet, disk: &Disk, publisher: &Publisher) -> PublishCounts {
    let counted = eventually("a frame without an answer", || {
        let counted = publisher.counted();
        let error = counted.last_error.as_ref()?;
        error.cause.contains(NO_ANSWER).then_some(counted)
    });
    assert_eq!(disk.free(), 0);
    assert!(fleet.server.log().contains("no space left on device"));
    assert!(counted.balances(), "{counted:?}");
    assert_eq!(counted.published.frames, FRAMES);
    assert_eq!(counted.dropped.frames, 0);
    assert!(counted.acknowledged.frames > 500, "{counted:?}");
    assert!(counted.queued.frames > 500, "{counted:?}");
    counted
}

/// Checks that what is in the stream is what was acknowledged.
fn expect_acknowledged(fleet: &Fleet, counted: &PublishCounts) -> Vec<Stored> {
    let stored = fleet.stored();
    check_begin(&stored, 1);
    assert_eq!(stored.len() as u64, counted.acknowledged.frames);
    let events: u64 = stored.iter().map(|stored| stored.events).sum();
    assert_eq!(events, counted.acknowledged.events);
    stored
}

#[test]
fn root_what_a_full_disk_does_not_take_is_kept_and_arrives_after_a_restart_with_room() {
    disk_test(SIZE, |disk| {
        let mut fleet = Fleet::with(&disk.options(), &options());
        let publisher = start(config(&fleet.server.url(), 1));
        publish(&publisher, 0..FRAMES);
        let full = wait_until_full(&fleet, &disk, &publisher);
        let stored = expect_acknowledged(&fleet, &full);

        // The disk is still full after a restart.
        fleet.server.kill();
        let before = not_stored(&fleet);
        fleet.server.restart();
        eventually("another frame", || {
            (not_stored(&fleet) > before).then_some(())
        });
        let counted = wait_until_full(&fleet, &disk, &publisher);
        assert_eq!(counted.acknowledged, full.acknowledged);
        assert_eq!(fleet.stored(), stored);

        // No purge makes room, and with room the server still takes nothing.
        let purged = fleet.runtime.block_on(async {
            let broker = connect::connect(&prepared(&fleet.server.url())).await;
            let broker = broker.expect("a broker");
            let stream = broker.jetstream().get_stream(names::STREAM).await;
            stream.expect("a stream").purge().await
        });
        let error = purged.expect_err("an error").to_string();
        assert!(error.contains("no space left on device"), "{error}");
        disk.resize("64m");
        let before = not_stored(&fleet);
        eventually("a frame that finds room", || {
            (not_stored(&fleet) > before).then_some(())
        });
        assert!(disk.free() > 32 << 20);
        assert_eq!(fleet.stored(), stored);

        fleet.server.kill();
        fleet.server.restart();
        let counted = finish(publisher);
        assert_eq!(counted.acknowledged, counted.published);
        assert_eq!(counted.duplicates, 0);
        let all = fleet.stored();
        assert_eq!(all[..stored.len()], stored);
        check(&all, 1, 0..FRAMES);
    });
}

#[test]
fn root_old_messages_expire_on_a_full_disk_only_when_the_server_is_restarted() {
    disk_test(SIZE, |disk| {
        let max_age = Duration::from_secs(20);
        let init = InitOptions {
            max_age,
            ..options()
        };
        let mut fleet = Fleet::with(&disk.options(), &init);
        let publisher = start(config(&fleet.server.url(), 1));
        publish(&publisher, 0..FRAMES);
        let full = wait_until_full(&fleet, &disk, &publisher);
        let stored = expect_acknowledged(&fleet, &full);
        // A head of another version, larger than what is left of a page.
        let mut newer = config(&fleet.server.url(), 2);
        newer.head = vec![b'x'; 10_000];
        let newer = start(newer);
        publish(&newer, 0..8);
        let cause = eventually("a refusal", || newer.counted().last_error).cause;
        let expected = "cannot write the head of the frames: bucket retrans_heads: the broker did not answer in time";
        assert!(cause.starts_with(expected), "{cause}");
        std::thread::sleep(max_age);
        assert_eq!(fleet.stored(), stored);
        assert_eq!(disk.free(), 0);

        fleet.server.kill();
        fleet.server.restart();
        let counted = finish(publisher);
        assert_eq!(counted.acknowledged, counted.published);
        assert_eq!(counted.duplicates, 0);
        assert_eq!(finish(newer).acknowledged.frames, 8);
        let later = fleet.stored();
        assert_eq!(later.len() as u64, full.queued.frames + 8);
        check(&[stored, later].concat(), 1, 0..FRAMES);
    });
}

#[test]
fn root_consumers_lose_their_partitions_on_a_full_disk_and_count_every_frame_once_afterwards() {
    disk_test(SIZE, |disk| {
        let mut fleet = Fleet::with(&disk.options(), &options());
        let url = fleet.server.url();
        let recorder = Recorder::new(50);
        let members = ["one", "two"].map(|name| {
            let config = MemberConfig {
                broker: prepared(&url),
                name: name.to_owned(),
                choice: Choice::Auto,
                partitions: Some(partitions()),
                fresh: StartAt::Beginning,
            };
            Member::start(config, recorder.clone()).expect("a member")
        });
        let owned = |member: &Member| member.status().partitions.len();
        wait_for("two partitions each", || {
            members
                .iter()
                .all(|member| owned(member) == 2)
                .then_some(())
        });
        let publisher = start(config(&url, 1));
        publish(&publisher, 0..FRAMES);
        wait_until_full(&fleet, &disk, &publisher);
        // No lease can be renewed once the last page of the leases is full.
        eventually("partitions without a consumer", || {
            members
                .iter()
                .all(|member| owned(member) == 0)
                .then_some(())
        });
        for member in &members {
            let status = member.status();
            assert_eq!(status.lost, 2, "{status:?}");
            let words = "cannot say that this consumer is there: the broker did not answer";
            eventually(words, || {
                let error = member.status().last_error?;
                error.starts_with(words).then_some(())
            });
        }

        fleet.server.kill();
        disk.resize("64m");
        fleet.server.restart();
        let counted = finish(publisher);
        assert_eq!(counted.acknowledged, counted.published);
        let expected = (FRAMES / 4, 1_000 * FRAMES / 4, 0, 0);
        let are_all_counted = || {
            let is_counted = |partition| {
                let state = fleet.runtime.block_on(saved(&fleet.broker, partition))?;
                let State {
                    frames,
                    bytes,
                    missing,
                    duplicates,
                    ..
                } = state;
                ((frames, bytes, missing, duplicates) == expected).then_some(())
            };
            partitions().all().try_for_each(is_counted)
        };
        wait_for("all frames in the states", are_all_counted);
        for member in members {
            member.stop(PATIENCE).expect("an end in order");
        }
        are_all_counted().expect("all frames in the states");
    });
}
