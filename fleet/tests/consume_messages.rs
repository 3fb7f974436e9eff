//! What passes between a member, its chains and the broker beside frames: lines, ticks, heads.

mod consume_support;

use std::collections::BTreeMap;

use bytes::Bytes;
use consume_support::STOP_TIMEOUT;
use consume_support::chains::Event;
use consume_support::chains::Recorder;
use consume_support::chains::start;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::frames::publish_frames;
use consume_support::frames::wait_until_saved;
use retrans_fleet::consume::Choice;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;

#[tokio::test]
async fn lines_are_in_the_broker_before_the_snapshot_and_each_one_once() {
    let (server, broker) = fleet(1).await;
    let recorder = Recorder {
        prints: true,
        ..Recorder::new(40)
    };
    let one = start(&server, "one", Choice::All, &recorder);
    // 90 lines: the last snapshot is after 80 of them.
    publish_frames(&broker, 1, 0..90).await;
    wait_until_saved(&broker, 1, 80).await;
    let lines = async || {
        let stream = broker
            .jetstream()
            .get_stream(names::OUT_STREAM)
            .await
            .ok()?;
        Some(stream.cached_info().state.messages)
    };
    assert!(lines().await.expect("an answer") >= 80);
    eventually("all lines", async || (lines().await? == 90).then_some(())).await;
    drop(one);
    let two = start(&server, "two", Choice::All, &recorder);
    publish_frames(&broker, 1, 90..120).await;
    wait_until_saved(&broker, 1, 120).await;
    two.stop(STOP_TIMEOUT).expect("a value");
    assert_eq!(recorder.frames(Partition(0)).len(), 130);
    assert_eq!(lines().await, Some(120));
}

#[tokio::test]
async fn ticks_are_published_into_each_partition_and_read_back() {
    let (server, broker) = fleet(2).await;
    let recorder = Recorder::new(10);
    let member = start(&server, "one", Choice::All, &recorder);
    eventually("three ticks of each partition", async || {
        let stream = broker.jetstream().get_stream(names::STREAM).await.ok()?;
        let subjects = stream.info_with_subjects("retrans.v1.tick.*").await.ok()?;
        let counts: Vec<_> = futures_util::StreamExt::collect::<Vec<_>>(subjects).await;
        let counts: BTreeMap<String, usize> = counts.into_iter().flatten().collect();
        (counts.len() == 2 && counts.values().all(|count| *count >= 3)).then_some(())
    })
    .await;
    eventually("ticks that were delivered", async || {
        let status = member.status();
        status
            .partitions
            .values()
            .all(|partition| partition.delivered.is_some())
            .then_some(())
    })
    .await;
    member.stop(STOP_TIMEOUT).expect("a value");
}

#[tokio::test]
async fn a_frame_without_its_head_is_damaged_and_the_next_ones_are_read() {
    let (server, broker) = fleet(1).await;
    let recorder = Recorder::new(10);
    let member = start(&server, "one", Choice::All, &recorder);
    let mut headers = consume_support::headers(&frame_id("web-2", 1, 0, 0));
    headers.insert(names::HEAD_HEADER, "00000000000000000000000000000000");
    let subject = "retrans.v1.ev.0.web-2";
    let sent = broker
        .jetstream()
        .publish_with_headers(subject, headers, Bytes::new())
        .await
        .expect("an answer");
    sent.await.expect("an answer");
    publish_frames(&broker, 1, 0..10).await;
    wait_until_saved(&broker, 1, 10).await;
    let reason = |event: &Event| match event {
        Event::Damaged { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    let reasons: Vec<String> = recorder.events().iter().filter_map(reason).collect();
    let expected = "its head 00000000000000000000000000000000 is not in the bucket retrans_heads";
    assert_eq!(reasons, [expected]);
    member.stop(STOP_TIMEOUT).expect("a value");
}
