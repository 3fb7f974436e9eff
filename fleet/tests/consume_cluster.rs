//! Members on three servers with three copies of each stream and bucket: one server may fail at any moment.

mod consume_support;
mod support;

use std::time::Duration;

use consume_support::chains::Recorder;
use consume_support::chains::State;
use retrans_fleet::connect;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::StateStore;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use support::cluster::cluster;
use support::eventually;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::partitions;
use support::fleet::prepared;
use support::fleet::publish;
use support::fleet::runtime;

/// The states of all partitions.
async fn states(broker: &Broker) -> Option<Vec<State>> {
    let state = StateStore::open(broker).await.ok()?;
    let mut states = Vec::new();
    for partition in partitions().all() {
        let snapshot = state.load(partition).await.ok()?.snapshot?;
        states.push(serde_json::from_value(snapshot.counts).ok()?);
    }
    Some(states)
}

#[test]
fn each_server_is_killed_in_turn_and_each_frame_is_counted_once() {
    let (mut servers, address) = cluster();
    let options = InitOptions {
        partitions: partitions(),
        replicas: 3,
        ..InitOptions::default()
    };
    let runtime = runtime();
    // They elect a leader first.
    let broker = eventually("a fleet", || {
        runtime.block_on(async {
            let broker = connect::connect(&prepared(&address)).await.ok()?;
            setup::init(&broker, &options).await.ok()?;
            Some(broker)
        })
    });
    let recorder = Recorder {
        // Snapshots in the object store.
        padding: 1_500_000,
        ..Recorder::new(10)
    };
    let member = |name: &str| {
        let config = MemberConfig {
            broker: prepared(&address),
            name: name.to_owned(),
            choice: Choice::Auto,
            partitions: Some(partitions()),
            fresh: StartAt::Beginning,
        };
        Member::start(config, recorder.clone()).expect("a member")
    };
    let members = [member("one"), member("two")];
    let publisher = Publisher::start(config(&address, 1)).expect("a publisher");
    let mut expected = 0;
    for server in &mut servers {
        for is_killed in [false, true] {
            if is_killed {
                server.kill();
            }
            publish(&publisher, expected..expected + 80);
            expected += 80;
            let what = format!("{expected} frames in the states");
            eventually(&what, || {
                let states = runtime.block_on(states(&broker))?;
                let is_whole = |state: &State| (state.frames, state.missing) == (expected / 4, 0);
                states.iter().all(is_whole).then_some(())
            });
        }
        server.restart();
    }
    assert_eq!(finish(publisher).acknowledged.frames, expected);
    for member in members {
        member
            .stop(Duration::from_secs(20))
            .expect("an end in order");
    }
}
