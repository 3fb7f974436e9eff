//! The status of a fleet is read from its broker.

mod consume_support;

use std::time::Duration;

use bytes::Bytes;
use consume_support::chains::Recorder;
use consume_support::chains::start;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::publish;
use retrans_fleet::consume::Choice;
use retrans_fleet::names;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;
use retrans_fleet::status::read_status;

#[tokio::test]
async fn a_fleet_without_consumers_has_lag_and_agents() {
    let (_server, broker) = fleet(8).await;
    let empty = read_status(&broker).await.expect("an answer");
    assert_eq!((empty.stream.messages, empty.stream.first), (0, None));
    assert_eq!((empty.consumers, empty.agents), (vec![], vec![]));
    assert_eq!(empty.partitions.len(), 8);
    for number in 0..5 {
        let id = frame_id("web-1", 1_700_000_000, 3, number);
        publish(&broker, "web-1", &id, Bytes::from_static(b"frame")).await;
    }
    let token = HostToken::of("web-1.example");
    consume_support::put(
        &broker,
        names::AGENTS_BUCKET,
        token.as_str(),
        br#"{"version":"1"}"#,
    )
    .await;
    consume_support::put(&broker, names::AGENTS_BUCKET, "gone", b"{}").await;
    let agents = broker
        .jetstream()
        .get_key_value(names::AGENTS_BUCKET)
        .await
        .expect("an answer");
    agents.delete("gone").await.expect("an answer");
    let status = read_status(&broker).await.expect("an answer");
    assert_eq!(
        (status.stream.messages, status.stream.last_sequence),
        (5, 5)
    );
    assert_eq!(status.stream.max_age, Some(86_400));
    assert!(status.stream.first.expect("a value") <= status.now);
    for partition in &status.partitions {
        let expected = if partition.partition == Partition(3) {
            5
        } else {
            0
        };
        assert_eq!(
            (partition.lag, &partition.owner),
            (expected, &None),
            "{partition:?}"
        );
    }
    let [agent] = status.agents.as_slice() else {
        panic!("{:?}", status.agents);
    };
    assert_eq!(agent.host, "web-1.example");
    assert_eq!(agent.report, serde_json::json!({"version": "1"}));
    assert!(agent.age < 10);
    // Nothing is left behind.
    let stream = broker
        .jetstream()
        .get_stream(names::STREAM)
        .await
        .expect("an answer");
    assert_eq!(stream.cached_info().state.consumer_count, 0);
}

#[tokio::test]
async fn owners_snapshots_and_consumers_are_told() {
    let (server, broker) = fleet(4).await;
    let recorder = Recorder::new(10);
    let member = start(&server, "one", Choice::All, &recorder);
    for number in 0..10 {
        let id = frame_id("web-1", 1_700_000_000, 2, number);
        publish(&broker, "web-1", &id, Bytes::from_static(b"frame")).await;
    }
    let status = eventually("a snapshot", async || {
        let status = read_status(&broker).await.expect("an answer");
        status.partitions[2].snapshot.is_some().then_some(status)
    })
    .await;
    let [consumer] = status.consumers.as_slice() else {
        panic!("{:?}", status.consumers);
    };
    assert_eq!((&*consumer.name, consumer.partitions.len()), ("one", 4));
    assert_eq!(consumer.id, member.status().id);
    for partition in &status.partitions {
        assert_eq!(partition.owner.as_ref().expect("a value").id, consumer.id);
    }
    let saved = member.status().partitions[&Partition(2)].saved;
    let snapshot = status.partitions[2].snapshot.as_ref().expect("a value");
    assert_eq!(snapshot.sequence, saved);
    // Ticks alone: ten frames are in the snapshot.
    assert!(status.partitions[2].lag < 10, "{status:?}");
    let json = serde_json::to_value(&status).expect("a value");
    assert_eq!(json["partitions"][2]["owner"]["name"], "one");
    member.stop(Duration::from_secs(10)).expect("a value");
    let status = read_status(&broker).await.expect("an answer");
    assert_eq!(status.consumers, []);
    assert!(
        status
            .partitions
            .iter()
            .all(|partition| partition.owner.is_none())
    );
}

#[tokio::test]
async fn a_broker_that_is_not_set_up_says_so() {
    let server = consume_support::server::Server::start();
    let broker = consume_support::connect(&server).await;
    let error = read_status(&broker)
        .await
        .expect_err("an error")
        .to_string();
    assert!(
        error.contains("is not set up: run `retrans-host fleet init`"),
        "{error}"
    );
}
