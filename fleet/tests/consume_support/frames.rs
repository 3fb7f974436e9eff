//! Frames of the tests, and the states that chains have after them.

use bytes::Bytes;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::StateStore;
use retrans_fleet::partition::Partition;

use super::chains::State;
use super::chains::hash;
use super::eventually;
use super::frame_id;
use super::publish;

/// The state after all frames with these numbers.
pub fn undisturbed(partition: u16, frames: u64) -> State {
    let ids = (0..frames).map(|number| frame_id("web-1", 1_700_000_000, partition, number));
    State {
        frames,
        bytes: 5 * frames,
        hash: ids.fold(0, |before, id| hash(before, &id.to_string())),
        ..State::default()
    }
}

/// Publishes these numbers of one run into each of the partitions.
pub async fn publish_frames(broker: &Broker, partitions: u16, numbers: std::ops::Range<u64>) {
    for number in numbers {
        for partition in 0..partitions {
            let id = frame_id("web-1", 1_700_000_000, partition, number);
            publish(broker, "web-1", &id, Bytes::from_static(b"12345")).await;
        }
    }
}

/// The state in the snapshot of a partition.
pub async fn saved(broker: &Broker, partition: Partition) -> Option<State> {
    let state = StateStore::open(broker).await.ok()?;
    let snapshot = state.load(partition).await.ok()?.snapshot?;
    serde_json::from_value(snapshot.counts).ok()
}

/// Waits until the snapshots of these partitions have this number of frames.
pub async fn wait_until_saved(broker: &Broker, partitions: u16, frames: u64) {
    for partition in 0..partitions {
        let expected = undisturbed(partition, frames);
        let what = format!("the state of partition {partition} after {frames} frames");
        eventually(&what, async || {
            (saved(broker, Partition(partition)).await? == expected).then_some(())
        })
        .await;
    }
}
