//! What publishers hand over reaches the chains of members, through kills of the server: nothing is missing, and each
//! frame is counted once.

#![allow(clippy::duplicate_mod, reason = "both supports use the server")]

mod consume_support;
mod support;

use std::time::Duration;

use consume_support::chains::Recorder;
use consume_support::chains::State;
use consume_support::wait_for;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::StateStore;
use retrans_fleet::names::HostToken;
use retrans_fleet::publish::Publisher;
use retrans_fleet::publish::PublisherConfig;
use support::fleet::Fleet;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::prepared;
use support::fleet::publish;

/// Frames of each host: a quarter of them in each of the four partitions.
const FRAMES: u64 = 400;

/// The states of all partitions.
fn states(fleet: &Fleet) -> Option<Vec<State>> {
    fleet.runtime.block_on(async {
        let state = StateStore::open(&fleet.broker).await.ok()?;
        let mut states = Vec::new();
        for partition in support::fleet::partitions().all() {
            let snapshot = state.load(partition).await.ok()?.snapshot?;
            states.push(serde_json::from_value(snapshot.counts).ok()?);
        }
        Some(states)
    })
}

#[test]
fn two_hosts_and_two_members_agree_on_every_frame_though_the_server_is_killed() {
    let mut fleet = Fleet::start();
    let url = fleet.server.url();
    let recorder = Recorder::new(5);
    let member = |name: &str| {
        let config = MemberConfig {
            broker: prepared(&url),
            name: name.to_owned(),
            choice: Choice::Auto,
            partitions: Some(support::fleet::partitions()),
            fresh: StartAt::Beginning,
        };
        Member::start(config, recorder.clone()).expect("a member")
    };
    let members = [member("one"), member("two")];
    wait_for("two partitions each", || {
        let owned = |member: &Member| member.status().partitions.len();
        (owned(&members[0]) == 2 && owned(&members[1]) == 2).then_some(())
    });
    let publishers = ["web-1", "web-2"].map(|host| {
        let mut config = PublisherConfig {
            host: HostToken::of(host),
            ..config(&url, 1)
        };
        config.run.boot = host.to_owned();
        Publisher::start(config).expect("a publisher")
    });
    for begin in (0..FRAMES).step_by(100) {
        for publisher in &publishers {
            publish(publisher, begin..begin + 100);
        }
        wait_for("some frames", || {
            let counted = publishers[0].counted();
            (counted.acknowledged.frames > begin + 20).then_some(())
        });
        fleet.server.kill();
        fleet.server.restart();
    }
    for publisher in publishers {
        let counted = finish(publisher);
        assert_eq!(counted.acknowledged.frames, FRAMES, "{counted:?}");
    }
    let expected = |state: &State| {
        let (frames, bytes) = (2 * FRAMES / 4, 1000 * 2 * FRAMES / 4);
        (state.frames, state.bytes, state.missing) == (frames, bytes, 0)
    };
    wait_for("all frames in the states", || {
        states(&fleet)?.iter().all(expected).then_some(())
    });
    for member in members {
        member
            .stop(Duration::from_secs(20))
            .expect("an end in order");
    }
    assert!(
        states(&fleet).expect("states").iter().all(expected),
        "{:?}",
        states(&fleet)
    );
}
