//! A real nats-server on loopback with what a fleet needs in it, and chains that record what they are given.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod chains;
pub mod server;

use std::time::Duration;
use std::time::Instant;

use async_nats::HeaderMap;
use async_nats::jetstream::kv;
use async_nats::jetstream::object_store;
use async_nats::jetstream::stream;
use async_nats::jetstream::stream::DiscardPolicy;
use bytes::Bytes;
use retrans_fleet::consume::Broker;
use retrans_fleet::consume::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::names::AgentRun;
use retrans_fleet::names::FrameId;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;

/// Time within which something must happen that happens at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Content of the head that all frames belong to.
pub const HEAD: &[u8] = br#"{"layout":1}"#;

/// Waits until there is a value.
pub async fn eventually<T>(what: &str, mut value: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = value().await {
            return value;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until there is a value, without a runtime.
pub fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Creates the streams and the buckets, with a head.
pub async fn create_fleet(broker: &Broker) {
    let jetstream = &broker.jetstream;
    let log = |name: &str, subjects: Vec<String>| stream::Config {
        name: name.to_owned(),
        subjects,
        discard: DiscardPolicy::New,
        max_age: Duration::from_secs(86_400),
        max_bytes: 512 << 20,
        duplicate_window: Duration::from_secs(600),
        allow_direct: true,
        ..stream::Config::default()
    };
    let subjects = names::STREAM_SUBJECTS.map(str::to_owned).to_vec();
    jetstream
        .create_stream(log(names::STREAM, subjects))
        .await
        .expect("a stream");
    let subjects = vec![names::OUT_SUBJECTS.to_owned()];
    jetstream
        .create_stream(log(names::OUT_STREAM, subjects))
        .await
        .expect("a stream");
    let buckets = [
        (names::AGENTS_BUCKET, 0),
        (names::HEADS_BUCKET, 0),
        (names::LEASES_BUCKET, 3600),
        (names::STATE_BUCKET, 0),
    ];
    for (bucket, max_age) in buckets {
        let config = kv::Config {
            bucket: bucket.to_owned(),
            history: 1,
            max_age: Duration::from_secs(max_age),
            ..kv::Config::default()
        };
        jetstream.create_key_value(config).await.expect("a bucket");
    }
    let config = object_store::Config {
        bucket: names::LARGE_BUCKET.to_owned(),
        ..object_store::Config::default()
    };
    jetstream
        .create_object_store(config)
        .await
        .expect("an object store");
    put(
        broker,
        names::HEADS_BUCKET,
        &HeadDigest::of(HEAD).to_string(),
        HEAD,
    )
    .await;
}

/// Writes a value.
pub async fn put(broker: &Broker, bucket: &str, key: &str, value: &'static [u8]) {
    let values = broker
        .jetstream
        .get_key_value(bucket)
        .await
        .expect("a bucket");
    values
        .put(key, Bytes::from_static(value))
        .await
        .expect("a value");
}

/// The identifier of a frame of an agent's run, which began at this second.
pub fn frame_id(host: &str, start: u64, partition: u16, number: u64) -> FrameId {
    FrameId {
        run: AgentRun {
            boot: host.to_owned(),
            start: start * 1_000_000_000,
        },
        partition: Partition(partition),
        number,
    }
}

/// The headers of a frame.
pub fn headers(id: &FrameId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id.to_string());
    headers.insert(names::HEAD_HEADER, HeadDigest::of(HEAD).to_string());
    headers.insert(names::CLOCK_HEADER, "1000000000");
    headers.insert(names::EVENTS_HEADER, "1");
    headers
}

/// Publishes a frame until it is acknowledged, as an agent does. Returns its sequence.
pub async fn publish(broker: &Broker, host: &str, id: &FrameId, payload: Bytes) -> u64 {
    let subject = names::events_subject(id.partition, &HostToken::of(host));
    loop {
        let sent = broker
            .jetstream
            .publish_with_headers(subject.clone(), headers(id), payload.clone())
            .await;
        if let Ok(sent) = sent
            && let Ok(acknowledged) = sent.await
        {
            return acknowledged.sequence;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
