//! A member whose thread stood still while another one took its partitions: it wakes up, and does no harm.

mod consume_support;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
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
use retrans_fleet::consume::ChainEnds;
use retrans_fleet::consume::Chains;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::StateStore;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;

/// Chains that hold the member's thread up when a partition begins, if they are to.
struct Gate {
    chains: Recorder,
    is_closed: Arc<AtomicBool>,
    is_held_up: Arc<AtomicBool>,
}

impl Chains for Gate {
    fn begin(
        &mut self,
        partition: Partition,
        snapshot: Option<Snapshot>,
    ) -> Result<ChainEnds, String> {
        while self.is_closed.load(Ordering::SeqCst) {
            self.is_held_up.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(10));
        }
        self.chains.begin(partition, snapshot)
    }
}

async fn publish_frames(broker: &Broker, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let id = frame_id("web-1", 1_700_000_000, 0, number);
        publish(broker, "web-1", &id, Bytes::from_static(b"12345")).await;
    }
}

async fn wait_until_saved(broker: &Broker, frames: u64) {
    let ids = (0..frames).map(|number| frame_id("web-1", 1_700_000_000, 0, number));
    let expected = State {
        frames,
        bytes: 5 * frames,
        hash: ids.fold(0, |before, id| hash(before, &id.to_string())),
        ..State::default()
    };
    eventually(&format!("the state after {frames} frames"), async || {
        let state = StateStore::open(broker).await.ok()?;
        let snapshot = state.load(Partition(0)).await.ok()?.snapshot?;
        let state: State = serde_json::from_value(snapshot.counts).ok()?;
        (state == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_member_that_wakes_up_after_its_partitions_were_taken_stops_without_a_snapshot() {
    let (server, broker) = fleet(2).await;
    let recorder = Recorder::new(10);
    let (is_closed, is_held_up) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let gate = Gate {
        chains: recorder.clone(),
        is_closed: Arc::clone(&is_closed),
        is_held_up: Arc::clone(&is_held_up),
    };
    let config = MemberConfig {
        broker: consume_support::prepared(&server),
        name: "sleeper".to_owned(),
        choice: Choice::All,
        partitions: None,
        fresh: StartAt::Beginning,
    };
    let sleeper = Member::start(config, gate).expect("a member");
    // The state after 10 frames is saved. 15 have reached the chain.
    publish_frames(&broker, 0..15).await;
    wait_until_saved(&broker, 10).await;
    eventually("15 frames", async || {
        (recorder.frames(Partition(0)).len() == 15).then_some(())
    })
    .await;
    // It loses the other partition, and falls asleep when it gets that again.
    is_closed.store(true, Ordering::SeqCst);
    let lease = br#"{"owner":"other","name":"other","since":0}"#;
    consume_support::put(&broker, names::LEASES_BUCKET, "p.1", lease).await;
    eventually("sleep", async || {
        is_held_up.load(Ordering::SeqCst).then_some(())
    })
    .await;
    let others = Recorder::new(10);
    let awake = start(&server, "awake", Choice::All, &others);
    publish_frames(&broker, 15..40).await;
    wait_until_saved(&broker, 40).await;
    assert_eq!(awake.status().partitions.len(), 2);
    // It wakes up. Its chain has five frames that its last snapshot has not.
    is_closed.store(false, Ordering::SeqCst);
    let is_cut = |event: &Event| {
        let partition = Partition(0);
        let is_released = false;
        *event
            == Event::Ended {
                partition,
                is_released,
            }
    };
    eventually("the end of its chain", async || {
        (recorder.count(is_cut) == 1).then_some(())
    })
    .await;
    eventually("a member without partitions", async || {
        sleeper.status().partitions.is_empty().then_some(())
    })
    .await;
    assert!(sleeper.status().lost >= 2, "{:?}", sleeper.status());
    publish_frames(&broker, 40..60).await;
    wait_until_saved(&broker, 60).await;
    assert_eq!(
        (awake.status().partitions.len(), awake.status().lost),
        (2, 0)
    );
    // It did nothing with what came after it had fallen asleep.
    assert_eq!(recorder.frames(Partition(0)).len(), 15);
    sleeper
        .stop(Duration::from_secs(10))
        .expect("an end in order");
    awake
        .stop(Duration::from_secs(10))
        .expect("an end in order");
}
