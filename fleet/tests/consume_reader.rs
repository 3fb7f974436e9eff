//! A partition is read in order, each message once, whatever happens to the server.

mod consume_support;

use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::publish;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::Arrived;
use retrans_fleet::consume::Break;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Read;
use retrans_fleet::consume::Reader;
use retrans_fleet::consume::StartAt;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;

const PATIENCE: Duration = Duration::from_secs(30);

async fn next(reader: &mut Reader) -> Read {
    let next = tokio::time::timeout(PATIENCE, reader.next()).await;
    next.expect("a message in time")
}

async fn next_message(reader: &mut Reader) -> Arrived {
    match next(reader).await {
        Read::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The number of a frame.
fn number(message: &Arrived) -> u64 {
    match &message.content {
        Content::Frame(frame) => frame.id.number,
        other => panic!("{other:?}"),
    }
}

async fn publish_numbers(
    broker: &Broker,
    partition: u16,
    numbers: std::ops::Range<u64>,
) -> Vec<u64> {
    let mut sequences = Vec::new();
    for number in numbers {
        let id = frame_id("web-1", 1_700_000_000, partition, number);
        sequences.push(publish(broker, "web-1", &id, Bytes::from(vec![0; 100])).await);
    }
    sequences
}

#[tokio::test]
async fn messages_of_a_partition_come_in_order_with_their_stamps_and_the_lag() {
    let (_server, broker) = fleet(40).await;
    let mut expected = Vec::new();
    for number in 0..600 {
        publish_numbers(&broker, 1, number..number + 1).await;
        expected.extend(publish_numbers(&broker, 0, number..number + 1).await);
    }
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Beginning);
    let status = reader.status();
    let mut before = Duration::ZERO;
    for (at, sequence) in expected.iter().enumerate() {
        let message = next_message(&mut reader).await;
        assert_eq!((message.sequence, number(&message)), (*sequence, at as u64));
        assert!(message.stamped > before);
        before = message.stamped;
        let lag = status.borrow().lag;
        assert_eq!(lag, Some(599 - at as u64));
    }
    // What comes later, and ticks.
    let tick = names::tick_subject(Partition(0));
    broker
        .jetstream()
        .publish(tick, Bytes::new())
        .await
        .expect("an answer")
        .await
        .expect("an answer");
    assert_eq!(next_message(&mut reader).await.content, Content::Tick);
    // From the middle, and from the end.
    let from = StartAt::Sequence(expected[300]);
    let mut reader = Reader::new(&broker, Partition(0), from);
    assert_eq!(number(&next_message(&mut reader).await), 300);
    let mut reader = Reader::new(&broker, Partition(0), StartAt::End);
    let waits = tokio::time::timeout(Duration::from_secs(1), reader.next()).await;
    assert!(waits.is_err(), "{waits:?}");
    publish_numbers(&broker, 0, 600..601).await;
    assert_eq!(number(&next_message(&mut reader).await), 600);
}

#[tokio::test]
async fn a_reader_that_is_dropped_leaves_no_consumer_behind() {
    let (_server, broker) = fleet(40).await;
    publish_numbers(&broker, 0, 0..1).await;
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Beginning);
    next_message(&mut reader).await;
    drop(reader);
    eventually("a stream without consumers", async || {
        let stream = broker.jetstream().get_stream(names::STREAM).await.ok()?;
        (stream.cached_info().state.consumer_count == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn messages_that_aged_out_are_told() {
    let (_server, broker) = fleet(40).await;
    let sequences = publish_numbers(&broker, 0, 0..10).await;
    let stream = broker
        .jetstream()
        .get_stream(names::STREAM)
        .await
        .expect("an answer");
    stream
        .purge()
        .sequence(sequences[6])
        .await
        .expect("an answer");
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Sequence(sequences[2]));
    let expired = Break::Expired {
        asked: sequences[2],
        first: sequences[6],
    };
    assert_eq!(next(&mut reader).await, Read::Break(expired));
    for expected in 6..10 {
        assert_eq!(number(&next_message(&mut reader).await), expected);
    }
    // A reader that begins at the beginning has not asked for them.
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Beginning);
    assert_eq!(number(&next_message(&mut reader).await), 6);
}

#[tokio::test]
async fn a_stream_that_was_created_anew_is_told_and_read_from_its_beginning() {
    let (_server, broker) = fleet(40).await;
    let sequences = publish_numbers(&broker, 0, 0..10).await;
    let config = broker
        .jetstream()
        .get_stream(names::STREAM)
        .await
        .expect("an answer");
    let config = config.cached_info().config.clone();
    broker
        .jetstream()
        .delete_stream(names::STREAM)
        .await
        .expect("an answer");
    broker
        .jetstream()
        .create_stream(config)
        .await
        .expect("an answer");
    publish_numbers(&broker, 0, 10..12).await;
    let asked = sequences[9] + 1;
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Sequence(asked));
    let rewound = Break::Rewound { asked, last: 2 };
    assert_eq!(next(&mut reader).await, Read::Break(rewound));
    assert_eq!(number(&next_message(&mut reader).await), 10);
    assert_eq!(number(&next_message(&mut reader).await), 11);
}

#[tokio::test]
async fn damaged_messages_are_told_and_the_next_ones_are_read() {
    let (_server, broker) = fleet(40).await;
    let subject = "retrans.v1.ev.0.web-1";
    broker
        .jetstream()
        .publish(subject, "plain".into())
        .await
        .expect("an answer")
        .await
        .expect("an answer");
    let mut headers = consume_support::headers(&frame_id("web-1", 1, 1, 0));
    let other = headers.clone();
    broker
        .jetstream()
        .publish_with_headers(subject, other, "other".into())
        .await
        .expect("an answer")
        .await
        .expect("an answer");
    headers.insert("Nats-Msg-Id", "odd");
    broker
        .jetstream()
        .publish_with_headers(subject, headers, "odd".into())
        .await
        .expect("an answer")
        .await
        .expect("an answer");
    publish_numbers(&broker, 0, 0..1).await;
    let mut reader = Reader::new(&broker, Partition(0), StartAt::Beginning);
    for expected in [
        "it has no headers",
        "its subject is of partition 0, its identifier of partition 1",
        r#"its header Nats-Msg-Id is "odd""#,
    ] {
        let reason = expected.to_owned();
        assert_eq!(
            next_message(&mut reader).await.content,
            Content::Damaged { reason, events: 0 }
        );
    }
    assert_eq!(number(&next_message(&mut reader).await), 0);
}

/// The server is killed with SIGKILL and started again while an agent publishes and a reader reads.
#[tokio::test]
async fn a_server_that_is_killed_in_mid_stream_loses_and_repeats_nothing() {
    const FRAMES: u64 = 400;
    let (mut server, broker) = fleet(40).await;
    for seed in 0..20 {
        let partition = Partition(seed);
        let publisher = broker.clone();
        let publishing = tokio::spawn(async move {
            for number in 0..FRAMES {
                publish_numbers(&publisher, partition.0, number..number + 1).await;
            }
        });
        let mut reader = Reader::new(&broker, partition, StartAt::Beginning);
        // Where it is killed depends on the seed alone.
        let kill_at = 1 + u64::from(seed) * 7919 % (FRAMES - 1);
        let (mut sequence, begin) = (0, Instant::now());
        for expected in 0..FRAMES {
            if expected == kill_at {
                server.kill();
                server.restart();
            }
            let message = next_message(&mut reader).await;
            assert_eq!(number(&message), expected, "seed {seed}");
            assert!(message.sequence > sequence, "seed {seed}");
            sequence = message.sequence;
        }
        publishing.await.expect("an answer");
        let more = tokio::time::timeout(Duration::from_millis(100), reader.next()).await;
        assert!(more.is_err(), "seed {seed}: {more:?}");
        eprintln!("seed {seed}: killed at {kill_at}, {:?}", begin.elapsed());
    }
}
