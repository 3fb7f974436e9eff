//! An observer reads all partitions in the order of the stream, and leaves nothing behind.

mod consume_support;

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::prepared;
use consume_support::publish;
use retrans_fleet::connect::Broker;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Observation;
use retrans_fleet::consume::ObserveError;
use retrans_fleet::consume::Observed;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::Until;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(30);

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// Publishes frames with these numbers to this number of partitions, and a tick to each.
async fn publish_to(broker: &Broker, partitions: u16, numbers: std::ops::Range<u64>) {
    for number in numbers {
        for partition in 0..partitions {
            let id = frame_id("web-1", 1_700_000_000, partition, number);
            publish(broker, "web-1", &id, Bytes::from_static(b"x")).await;
            let tick = names::tick_subject(Partition(partition));
            let sent = broker.jetstream().publish(tick, Bytes::new()).await;
            sent.expect("an answer").await.expect("an answer");
        }
    }
}

/// What comes next, if it is not the end.
fn next(observation: &mut Observation) -> Option<Observed> {
    let begun = Instant::now();
    loop {
        match observation.observe().expect("it reads") {
            Observed::Idle => assert!(begun.elapsed() < PATIENCE, "nothing comes"),
            Observed::End => return None,
            observed => return Some(observed),
        }
    }
}

/// Partition and number of a frame, or nothing for a tick; and the sequence.
fn frame(observed: Observed) -> (u64, Option<(u16, u64)>) {
    let Observed::Message(message) = observed else {
        panic!("{observed:?}");
    };
    let frame = match message.content {
        Content::Frame(frame) => {
            assert_eq!(frame.head.bytes(), consume_support::HEAD);
            Some((frame.id.partition.0, frame.id.number))
        }
        Content::Tick => None,
        Content::Damaged { reason, .. } => panic!("{reason}"),
    };
    (message.sequence, frame)
}

#[test]
fn what_the_stream_has_is_read_to_its_end_in_its_order() {
    let runtime = runtime();
    let (server, broker) = runtime.block_on(fleet(3));
    let mut empty = Observation::start(prepared(&server), StartAt::Beginning, Until::End)
        .expect("an observation");
    assert_eq!(next(&mut empty), None);
    runtime.block_on(publish_to(&broker, 3, 0..100));
    let mut observation = Observation::start(prepared(&server), StartAt::Beginning, Until::End)
        .expect("an observation");
    assert_eq!(observation.max_age(), Duration::from_secs(24 * 3_600));
    // What comes later is not of the bounded read.
    runtime.block_on(publish_to(&broker, 3, 100..101));
    let mut frames = Vec::new();
    let mut ticks = 0;
    for expected in 1.. {
        let Some(observed) = next(&mut observation) else {
            break;
        };
        let (sequence, frame) = frame(observed);
        assert_eq!(sequence, expected);
        match frame {
            Some(frame) => frames.push(frame),
            None => ticks += 1,
        }
    }
    let expected: Vec<(u16, u64)> = (0..100)
        .flat_map(|number| (0..3).map(move |partition| (partition, number)))
        .collect();
    assert_eq!((frames, ticks), (expected, 300));
    drop((empty, observation));
    runtime.block_on(eventually("a stream without consumers", async || {
        let stream = broker.jetstream().get_stream(names::STREAM).await.ok()?;
        (stream.cached_info().state.consumer_count == 0).then_some(())
    }));
}

#[test]
fn messages_after_a_time_and_those_that_are_published_later_are_read() {
    let runtime = runtime();
    let (mut server, broker) = runtime.block_on(fleet(2));
    runtime.block_on(publish_to(&broker, 2, 0..5));
    std::thread::sleep(Duration::from_millis(100));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let from = StartAt::Time(now.expect("after 1970"));
    let mut nothing =
        Observation::start(prepared(&server), from, Until::End).expect("an observation");
    assert_eq!(next(&mut nothing), None);
    std::thread::sleep(Duration::from_millis(100));
    let mut later = Observation::start(prepared(&server), StartAt::End, Until::Dropped)
        .expect("an observation");
    runtime.block_on(publish_to(&broker, 2, 5..10));
    let mut since =
        Observation::start(prepared(&server), from, Until::Dropped).expect("an observation");
    for observation in [&mut later, &mut since] {
        let first = frame(next(observation).expect("a message"));
        assert_eq!(first, (21, Some((0, 5))));
    }
    // It goes on when the server comes back, and gives each message once.
    server.kill();
    server.restart();
    runtime.block_on(publish_to(&broker, 2, 10..15));
    for observation in [&mut later, &mut since] {
        for expected in 22..=60 {
            let (sequence, _) = frame(next(observation).expect("a message"));
            assert_eq!(sequence, expected);
        }
    }
}

#[test]
fn a_message_of_no_partition_is_damaged_and_the_next_one_is_read() {
    let runtime = runtime();
    let (server, broker) = runtime.block_on(fleet(1));
    let foreign = "retrans.v1.ev.x.web-1";
    runtime.block_on(async {
        let sent = broker.jetstream().publish(foreign, Bytes::new()).await;
        sent.expect("an answer").await.expect("an answer");
        publish_to(&broker, 1, 0..1).await;
    });
    let mut observation = Observation::start(prepared(&server), StartAt::Beginning, Until::End)
        .expect("an observation");
    let Some(Observed::Message(message)) = next(&mut observation) else {
        panic!("there are three messages");
    };
    let Content::Damaged { reason, events: 0 } = message.content else {
        panic!("{message:?}");
    };
    assert!(reason.contains(foreign), "{reason}");
    let first = frame(next(&mut observation).expect("a message"));
    assert_eq!(first, (2, Some((0, 0))));
}

#[test]
fn a_broker_that_is_not_set_up_is_refused() {
    let server = consume_support::server::Server::start();
    let refused = Observation::start(prepared(&server), StartAt::End, Until::Dropped).err();
    let Some(ObserveError::Settings(error)) = refused else {
        panic!("it is not set up");
    };
    assert!(error.to_string().contains("is not set up"), "{error}");
}
