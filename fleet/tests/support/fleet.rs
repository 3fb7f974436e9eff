//! A broker that is set up, publishers, and what is in the stream.

use std::error::Error;
use std::time::Duration;
use std::time::Instant;

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
use retrans_fleet::publish::PublishCounts;
use retrans_fleet::publish::Publisher;
use retrans_fleet::publish::PublisherConfig;
use retrans_fleet::publish::SpoolConfig;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use tokio::runtime::Runtime;

use super::PATIENCE;
use super::eventually;
use super::server::Options;
use super::server::Server;

/// The head of the frames of the tests.
pub const HEAD: &[u8] = br#"{"layout":1}"#;

/// A server that is set up, and a connection to it.
pub struct Fleet {
    pub server: Server,
    pub runtime: Runtime,
    pub broker: Broker,
}

/// A frame in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub subject: String,
    pub id: FrameId,
    pub events: u64,
    pub head: String,
    pub clock: u64,
    pub frame: Vec<u8>,
}

impl Fleet {
    /// Four partitions.
    pub fn start() -> Fleet {
        Fleet::with(
            &Options::default(),
            &InitOptions {
                partitions: partitions(),
                ..InitOptions::default()
            },
        )
    }

    pub fn with(options: &Options, init: &InitOptions) -> Fleet {
        let server = Server::with(options);
        let runtime = runtime();
        let broker = runtime.block_on(async {
            let broker = connect::connect(&prepared(&server.url()))
                .await
                .expect("a broker");
            setup::init(&broker, init).await.expect("a fleet");
            broker
        });
        Fleet {
            server,
            runtime,
            broker,
        }
    }

    /// All frames in the stream, in order.
    pub fn stored(&self) -> Vec<Stored> {
        // What is sent over a connection of a killed server is lost: it is another connection.
        stored(&self.runtime, &self.server.url()).expect("frames")
    }

    /// The number of messages in the stream.
    pub fn messages(&self) -> u64 {
        let context = self.broker.jetstream();
        let stream = self.runtime.block_on(context.get_stream(names::STREAM));
        stream.expect("a stream").cached_info().state.messages
    }

    /// The value of a key in a bucket.
    pub fn value(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let bucket = self
                .broker
                .jetstream()
                .get_key_value(bucket)
                .await
                .expect("a bucket");
            bucket
                .get(key)
                .await
                .expect("an answer")
                .map(|value| value.to_vec())
        })
    }
}

/// All frames in the stream, in order.
pub fn stored(runtime: &Runtime, url: &str) -> Result<Vec<Stored>, Box<dyn Error>> {
    runtime.block_on(async {
        let broker = connect::connect(&prepared(url)).await?;
        let stream = broker.jetstream().get_stream(names::STREAM).await?;
        let state = stream.cached_info().state.clone();
        let mut stored = Vec::new();
        if state.messages == 0 {
            return Ok(stored);
        }
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await?;
            let header = |name: &str| message.headers.get(name).expect(name).as_str().to_owned();
            stored.push(Stored {
                subject: message.subject.to_string(),
                id: header("Nats-Msg-Id").parse()?,
                events: header(names::EVENTS_HEADER).parse()?,
                head: header(names::HEAD_HEADER),
                clock: header(names::CLOCK_HEADER).parse()?,
                frame: message.payload.to_vec(),
            });
        }
        assert_eq!(stored.len() as u64, state.messages);
        Ok(stored)
    })
}

pub fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
}

pub fn partitions() -> Partitions {
    Partitions::new(4).expect("a number")
}

pub fn prepared(url: &str) -> Prepared {
    let address = url.parse().expect("an address");
    connect::prepare(address, &Access::default(), "test").expect("nothing to read")
}

/// The configuration of a publisher of host `web-1.example.com`, with a spool in memory.
pub fn config(url: &str, start: u64) -> PublisherConfig {
    let begin = Instant::now();
    PublisherConfig {
        broker: prepared(url),
        host: HostToken::of("web-1.example.com"),
        run: AgentRun {
            boot: "boot-1".to_owned(),
            start,
        },
        head: HEAD.to_vec(),
        partitions: partitions(),
        spool: SpoolConfig::default(),
        clock: Box::new(move || Duration::from_secs(100) + begin.elapsed()),
    }
}

/// Hands over these frames: frame I goes to partition I modulo 4, and has I modulo 10 events.
pub fn publish(publisher: &Publisher, range: std::ops::Range<u64>) {
    for index in range {
        publisher.publish(Partition((index % 4) as u16), frame(index), index % 10);
    }
}

/// The number of events in these frames.
pub fn events(range: std::ops::Range<u64>) -> u64 {
    range.map(|index| index % 10).sum()
}

/// A frame of 1,000 bytes that begins with its number.
pub fn frame(index: u64) -> Vec<u8> {
    let mut frame = index.to_le_bytes().to_vec();
    frame.resize(1_000, index as u8);
    frame
}

/// The number that a frame begins with.
pub fn index(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[..8].try_into().expect("a frame"))
}

/// Waits until this number of frames is acknowledged.
pub fn wait_for_acknowledged(publisher: &Publisher, frames: u64) -> PublishCounts {
    let what = format!("{frames} frames acknowledged: {:?}", publisher.counted());
    eventually(&what, || {
        let counted = publisher.counted();
        assert!(counted.balances(), "{counted:?}");
        (counted.acknowledged.frames >= frames).then_some(counted)
    })
}

/// Ends a publisher that can send everything.
pub fn finish(publisher: Publisher) -> PublishCounts {
    let counted = publisher.finish(PATIENCE);
    assert!(counted.balances(), "{counted:?}");
    assert_eq!(counted.queued.frames, 0, "{counted:?}");
    counted
}

/// Checks that each of these frames of a run is there exactly once, in order in its partition, as it was handed over.
pub fn check(stored: &[Stored], start: u64, range: std::ops::Range<u64>) {
    assert!(check_begin(stored, start).into_iter().eq(range));
}

/// Checks that the frames of a run that are there are the first ones of each partition, once and in order, as they were
/// handed over. Returns their indices in order.
pub fn check_begin(stored: &[Stored], start: u64) -> Vec<u64> {
    let mut next = [0; 4];
    let of_run: Vec<&Stored> = stored
        .iter()
        .filter(|stored| stored.id.run.start == start)
        .collect();
    let mut indices = Vec::new();
    for stored in of_run {
        let partition = stored.id.partition;
        let next = &mut next[usize::from(partition.0)];
        assert_eq!(stored.id.number, *next, "{stored:?}");
        *next += 1;
        let index = index(&stored.frame);
        assert_eq!(u64::from(partition.0), index % 4);
        assert_eq!(
            stored.subject,
            format!("retrans.v1.ev.{partition}.web-1=2Eexample=2Ecom")
        );
        assert_eq!(stored.events, index % 10);
        assert_eq!(stored.frame, frame(index));
        assert_eq!(stored.head, HeadDigest::of(HEAD).to_string());
        assert!(
            (100_000_000_000..200_000_000_000).contains(&stored.clock),
            "{}",
            stored.clock
        );
        indices.push(index);
    }
    indices.sort_unstable();
    indices
}

/// What a fleet is set up with.
pub fn options() -> InitOptions {
    InitOptions {
        partitions: partitions(),
        ..InitOptions::default()
    }
}

/// Access as this user, whose password is its name with `-secret`.
pub fn as_user(port: u16, user: &str) -> Prepared {
    prepared(&format!("nats://{user}:{user}-secret@127.0.0.1:{port}"))
}

/// Starts a publisher.
pub fn start(config: PublisherConfig) -> Publisher {
    Publisher::start(config).expect("a publisher")
}
