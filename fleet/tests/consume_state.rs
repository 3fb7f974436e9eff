//! Snapshots are saved by compare-and-set, of any size.

mod consume_support;

use std::time::Duration;

use consume_support::eventually;
use consume_support::fleet;
use consume_support::put;
use consume_support::server::Server;
use futures_util::StreamExt;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::Cursors;
use retrans_fleet::consume::LoadError;
use retrans_fleet::consume::Loaded;
use retrans_fleet::consume::SaveError;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::consume::StateStore;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;

const PARTITION: Partition = Partition(3);

fn snapshot(sequence: u64, bytes: usize) -> Snapshot {
    Snapshot {
        sequence,
        chain: "chain".to_owned(),
        cursors: Cursors::new(Duration::from_secs(60)),
        counts: serde_json::json!({"frames": sequence}),
        body: (0..bytes).map(|at| (at % 251) as u8).collect(),
    }
}

async fn load(state: &StateStore) -> (Option<Snapshot>, u64) {
    let Loaded { snapshot, revision } = state.load(PARTITION).await.expect("a snapshot");
    (snapshot, revision)
}

/// The names of the objects, and the number of messages that the store has for them.
async fn objects(broker: &Broker) -> (Vec<String>, u64) {
    let objects = broker
        .jetstream()
        .get_object_store(names::LARGE_BUCKET)
        .await
        .expect("an answer");
    let list = objects.list().await.expect("an answer");
    let names = list
        .map(|object| object.expect("a value").name)
        .collect()
        .await;
    let stream = format!("OBJ_{}", names::LARGE_BUCKET);
    let stream = broker
        .jetstream()
        .get_stream(stream)
        .await
        .expect("an answer");
    (names, stream.cached_info().state.messages)
}

#[tokio::test]
async fn a_snapshot_is_loaded_as_it_was_saved_and_replaced_by_a_consumer_that_knows_its_revision() {
    let (_server, broker) = fleet(8).await;
    let mut state = StateStore::open(&broker).await.expect("an answer");
    assert_eq!(load(&state).await, (None, 0));
    let first = state
        .save(PARTITION, &snapshot(10, 100), 0)
        .await
        .expect("an answer");
    assert_eq!(load(&state).await, (Some(snapshot(10, 100)), first));
    let second = state
        .save(PARTITION, &snapshot(20, 0), first)
        .await
        .expect("an answer");
    assert!(second > first);
    // Another partition has another state.
    let other = state.load(Partition(4)).await.expect("an answer");
    assert_eq!((other.snapshot, other.revision), (None, 0));
    let mut other = StateStore::open(&broker).await.expect("an answer");
    assert_eq!(load(&other).await, (Some(snapshot(20, 0)), second));
    other
        .save(PARTITION, &snapshot(30, 0), second)
        .await
        .expect("an answer");
    // The first one does not know.
    let error = state
        .save(PARTITION, &snapshot(40, 0), second)
        .await
        .expect_err("an error");
    assert!(matches!(error, SaveError::Stale { .. }), "{error}");
    assert_eq!(load(&state).await.0, Some(snapshot(30, 0)));
    // Nor if it would write the same.
    let error = state
        .save(PARTITION, &snapshot(30, 0), second)
        .await
        .expect_err("an error");
    assert!(matches!(error, SaveError::Stale { .. }), "{error}");
}

#[tokio::test]
async fn a_snapshot_whose_answer_was_lost_is_found_at_the_next_attempt() {
    let (_server, broker) = fleet(8).await;
    let mut state = StateStore::open(&broker).await.expect("an answer");
    for bytes in [100, 2_000_000] {
        let before = load(&state).await.1;
        let saved = state
            .save(PARTITION, &snapshot(10, bytes), before)
            .await
            .expect("an answer");
        // As if this was the first attempt's answer that is missing.
        let again = state
            .save(PARTITION, &snapshot(10, bytes), before)
            .await
            .expect("an answer");
        assert_eq!(again, saved);
        assert_eq!(load(&state).await, (Some(snapshot(10, bytes)), saved));
    }
    assert_eq!(objects(&broker).await.0.len(), 1);
}

#[tokio::test]
async fn a_snapshot_above_the_payload_limit_goes_to_the_object_store_and_the_one_before_is_deleted()
{
    let (_server, broker) = fleet(8).await;
    let mut state = StateStore::open(&broker).await.expect("an answer");
    let mut revision = 0;
    for (sequence, bytes) in [
        (10, 1_040_000),
        (20, 1_050_000),
        (30, 5_000_000),
        (40, 3_000_000),
    ] {
        revision = state
            .save(PARTITION, &snapshot(sequence, bytes), revision)
            .await
            .expect("an answer");
        assert_eq!(
            load(&state).await,
            (Some(snapshot(sequence, bytes)), revision)
        );
        let (names, messages) = objects(&broker).await;
        assert_eq!(names.len(), usize::from(sequence > 10), "{names:?}");
        // Parts of 128 KiB, and one message about them: no marks of the ones before.
        let parts = (bytes as u64).div_ceil(128 << 10);
        assert!(sequence == 10 || messages <= parts + 2, "{messages}");
    }
    // What another consumer left is deleted at the first snapshot of the next one.
    let mut other = StateStore::open(&broker).await.expect("an answer");
    let before = objects(&broker).await.0;
    revision = other
        .save(PARTITION, &snapshot(50, 2_000_000), revision)
        .await
        .expect("an answer");
    let after = objects(&broker).await.0;
    assert!(after.len() == 1 && after != before, "{before:?} {after:?}");
    // A stale one deletes what it wrote, and nothing else.
    let stale = state
        .save(PARTITION, &snapshot(45, 2_000_000), revision - 1)
        .await;
    assert!(matches!(stale, Err(SaveError::Stale { .. })));
    assert_eq!(objects(&broker).await.0, after);
    assert_eq!(load(&state).await.0, Some(snapshot(50, 2_000_000)));
    // A small one needs no object.
    other
        .save(PARTITION, &snapshot(60, 10), revision)
        .await
        .expect("an answer");
    assert_eq!(objects(&broker).await, (vec![], 0));
}

/// A consumer that begins with a partition looks for objects that nothing refers to, while another one deletes its own.
#[tokio::test]
async fn a_snapshot_does_not_wait_for_an_object_that_is_deleted_meanwhile() {
    const ROUNDS: u64 = 30;
    let (_server, broker) = fleet(8).await;
    let save_all = async |partition: Partition| {
        let mut revision = 0;
        for round in 1..=ROUNDS {
            // Another one each time: it looks for objects at its first snapshot.
            let mut state = StateStore::open(&broker).await.expect("an answer");
            let large = snapshot(round, 1_200_000);
            revision = state
                .save(partition, &large, revision)
                .await
                .expect("an answer");
        }
    };
    let both = async { tokio::join!(save_all(Partition(0)), save_all(Partition(1))) };
    // Before, one round in ten waited for 30 s, which is the time for an object.
    tokio::time::timeout(Duration::from_secs(25), both)
        .await
        .expect("no snapshot waits");
    assert_eq!(objects(&broker).await.0.len(), 2);
}

#[tokio::test]
async fn a_corrupt_snapshot_is_an_error_that_says_where_it_is() {
    let (_server, broker) = fleet(8).await;
    let state = StateStore::open(&broker).await.expect("an answer");
    put(&broker, names::STATE_BUCKET, "p.3", b"{\"format\":1}\nrest").await;
    let error = state.load(PARTITION).await.expect_err("an error");
    assert!(matches!(error, LoadError::Corrupt { .. }));
    let text = error.to_string();
    assert!(
        text.contains("bucket retrans_state, key p.3, revision 1"),
        "{text}"
    );
    put(&broker, names::STATE_BUCKET, "p.3", b"{\"format\":9}\n").await;
    let text = state
        .load(PARTITION)
        .await
        .expect_err("an error")
        .to_string();
    assert!(text.contains("its format is 9"), "{text}");
}

#[tokio::test]
async fn after_a_snapshot_was_deleted_the_next_one_is_saved() {
    let (_server, broker) = fleet(8).await;
    let mut state = StateStore::open(&broker).await.expect("an answer");
    let first = state
        .save(PARTITION, &snapshot(10, 0), 0)
        .await
        .expect("an answer");
    let values = broker
        .jetstream()
        .get_key_value(names::STATE_BUCKET)
        .await
        .expect("an answer");
    values.delete("p.3").await.expect("an answer");
    let (found, revision) = load(&state).await;
    assert_eq!(found, None);
    assert!(revision > first);
    let stale = state.save(PARTITION, &snapshot(11, 0), first).await;
    assert!(matches!(stale, Err(SaveError::Stale { .. })));
    state
        .save(PARTITION, &snapshot(11, 0), revision)
        .await
        .expect("an answer");
    assert_eq!(load(&state).await.0, Some(snapshot(11, 0)));
}

#[tokio::test]
async fn a_broker_that_is_away_is_no_stale_snapshot() {
    let (mut server, broker) = fleet(8).await;
    let mut state = StateStore::open(&broker).await.expect("an answer");
    let first = state
        .save(PARTITION, &snapshot(10, 0), 0)
        .await
        .expect("an answer");
    server.kill();
    let error = state
        .save(PARTITION, &snapshot(20, 0), first)
        .await
        .expect_err("an error");
    assert!(matches!(error, SaveError::Unreachable { .. }), "{error}");
    assert!(matches!(
        state.load(PARTITION).await,
        Err(LoadError::Unreachable { .. })
    ));
    server.restart();
    // What was sent meanwhile may arrive now: the next attempt finds it.
    eventually("a snapshot that is saved", async || {
        state.save(PARTITION, &snapshot(20, 0), first).await.ok()
    })
    .await;
    assert_eq!(load(&state).await.0, Some(snapshot(20, 0)));
}

#[tokio::test]
async fn a_missing_bucket_says_what_to_do() {
    let server = Server::start();
    let broker = consume_support::connect(&server).await;
    let error = StateStore::open(&broker).await.err().expect("no bucket");
    assert!(
        error.contains("cannot open the bucket retrans_state"),
        "{error}"
    );
    assert!(
        error.contains("fleet init` creates what a fleet needs"),
        "{error}"
    );
}
