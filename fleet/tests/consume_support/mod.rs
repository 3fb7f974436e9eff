//! A real nats-server on loopback with what a fleet needs in it, and chains that record what they are given.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod chains;
pub mod frames;
#[allow(
    clippy::duplicate_mod,
    reason = "some test programs have the module support as well"
)]
#[path = "../support/server.rs"]
pub mod server;

use std::time::Duration;
use std::time::Instant;

use async_nats::HeaderMap;
use bytes::Bytes;
use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::Broker;
use retrans_fleet::connect::Prepared;
use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::names::AgentRun;
use retrans_fleet::names::FrameId;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use server::Server;

/// Time within which something must happen that happens at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time within which members release their partitions.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

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

/// A server that is set up for this number of partitions, with a head, and a connection to it.
pub async fn fleet(partitions: u16) -> (Server, Broker) {
    let server = Server::start();
    let broker = connect(&server).await;
    let options = InitOptions {
        partitions: Partitions::new(partitions).expect("a number"),
        ..InitOptions::default()
    };
    setup::init(&broker, &options).await.expect("a fleet");
    put(
        &broker,
        names::HEADS_BUCKET,
        &HeadDigest::of(HEAD).to_string(),
        HEAD,
    )
    .await;
    (server, broker)
}

/// A connection that is made again for ever.
pub async fn connect(server: &Server) -> Broker {
    connect::connect(&prepared(server))
        .await
        .expect("a connection")
}

/// How this server is accessed.
pub fn prepared(server: &Server) -> Prepared {
    let address = server.url().parse().expect("an address");
    connect::prepare(address, &Access::default(), "test").expect("nothing to read")
}

/// Writes a value.
pub async fn put(broker: &Broker, bucket: &str, key: &str, value: &'static [u8]) {
    let values = broker
        .jetstream()
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
    let mut jetstream = broker.jetstream().clone();
    // What was sent over a connection that broke is sent again after this time.
    jetstream.set_timeout(Duration::from_millis(500));
    loop {
        let sent = jetstream
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
