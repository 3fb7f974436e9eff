//! A consumer that dies at any point leaves a state that another one completes: each frame is counted once.

mod consume_support;

use bytes::Bytes;
use consume_support::PATIENCE;
use consume_support::chains::Event;
use consume_support::chains::Recorder;
use consume_support::chains::State;
use consume_support::chains::hash;
use consume_support::chains::start;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::publish;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::StateStore;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;

const FRAMES: u64 = 300;
const PARTITIONS: u16 = 2;

/// A small generator of numbers that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn host(seed: u64) -> String {
    format!("web-{seed}")
}

/// The leases of a consumer that died are free at once, instead of after six seconds.
async fn free_leases(broker: &Broker) {
    let leases = broker
        .jetstream()
        .get_key_value(names::LEASES_BUCKET)
        .await
        .expect("a bucket");
    for partition in 0..PARTITIONS {
        leases
            .delete(format!("p.{partition}"))
            .await
            .expect("an answer");
    }
}

async fn states(broker: &Broker) -> Option<Vec<State>> {
    let store = StateStore::open(broker).await.ok()?;
    let mut states = Vec::new();
    for partition in 0..PARTITIONS {
        let loaded = store.load(Partition(partition)).await.ok()?;
        states.push(serde_json::from_value(loaded.snapshot?.counts).ok()?);
    }
    Some(states)
}

#[tokio::test]
async fn a_consumer_that_dies_anywhere_loses_and_repeats_no_frame() {
    let (server, broker) = fleet(PARTITIONS).await;
    // The states of undisturbed consumers.
    let mut expected = vec![State::default(); usize::from(PARTITIONS)];
    for seed in 0..20 {
        let mut random = Random(0x9e37_79b9 + seed);
        let publisher = broker.clone();
        let publishing = tokio::spawn(async move {
            for number in 0..FRAMES {
                for partition in 0..PARTITIONS {
                    let id = frame_id(&host(seed), 1_700_000_000, partition, number);
                    publish(&publisher, &host(seed), &id, Bytes::from_static(b"12345")).await;
                }
            }
        });
        for (partition, state) in expected.iter_mut().enumerate() {
            for number in 0..FRAMES {
                let id = frame_id(&host(seed), 1_700_000_000, partition as u16, number);
                state.frames += 1;
                state.bytes += 5;
                state.hash = hash(state.hash, &id.to_string());
            }
        }
        let mut total = 0;
        for _ in 0..3 {
            let recorder = Recorder::new(1 + random.below(20));
            let member = start(&server, "one", Choice::All, &recorder);
            let die_at = random.below(FRAMES / 2) as usize;
            let frames = || recorder.count(|event| matches!(event, Event::Frame { .. }));
            eventually("frames", async || (frames() >= die_at).then_some(())).await;
            drop(member);
            total += frames();
            free_leases(&broker).await;
        }
        publishing.await.expect("no panic");
        let recorder = Recorder::new(10);
        let member = start(&server, "last", Choice::All, &recorder);
        eventually("the state of undisturbed consumers", async || {
            (states(&broker).await? == expected).then_some(())
        })
        .await;
        member.stop(PATIENCE).expect("an end in order");
        assert_eq!(states(&broker).await, Some(expected.clone()), "seed {seed}");
        total += recorder.count(|event| matches!(event, Event::Frame { .. }));
        eprintln!("seed {seed}: {total} deliveries of {} frames", 2 * FRAMES);
    }
}
