//! Three servers with three copies of each stream: one of them may fail at any moment.

mod support;

use retrans_fleet::connect;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use support::cluster::cluster;
use support::eventually;
use support::fleet::check;
use support::fleet::config;
use support::fleet::events;
use support::fleet::finish;
use support::fleet::partitions;
use support::fleet::prepared;
use support::fleet::publish;
use support::fleet::runtime;
use support::fleet::stored;

#[test]
fn each_server_is_killed_in_turn_and_no_frame_is_lost() {
    let (mut servers, address) = cluster();
    let options = InitOptions {
        partitions: partitions(),
        replicas: 3,
        ..InitOptions::default()
    };
    // They elect a leader first.
    eventually("a fleet", || {
        runtime().block_on(async {
            let broker = connect::connect(&prepared(&address)).await.ok()?;
            setup::init(&broker, &options).await.ok()
        })
    });
    let publisher = Publisher::start(config(&address, 1)).expect("a publisher");
    for (index, server) in servers.iter_mut().enumerate() {
        let begin = index as u64 * 200;
        publish(&publisher, begin..begin + 100);
        eventually("a part is acknowledged", || {
            let acknowledged = publisher.counted().acknowledged.frames;
            (acknowledged > begin + 20 * index as u64).then_some(())
        });
        server.kill();
        publish(&publisher, begin + 100..begin + 200);
        // Two of three are enough.
        eventually("the rest is acknowledged", || {
            (publisher.counted().acknowledged.frames == begin + 200).then_some(())
        });
        server.restart();
    }
    let counted = finish(publisher);
    assert_eq!(counted.acknowledged.events, events(0..600));
    assert_eq!(counted.dropped.frames, 0);
    let stored = eventually("a stream with a leader", || {
        stored(&runtime(), &address).ok()
    });
    check(&stored, 1, 0..600);
}
