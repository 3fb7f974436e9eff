//! A queue delivers messages in order, drops those that it has no room for, and counts all of them.

use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;

use super::*;
use crate::sink::Sink;
use crate::sink::fan_out::FanOut;

/// A destination that waits for a permit before each delivery, and passes on what it receives.
struct ControlledDestination {
    subscription: Subscription,
    /// Number of parts of the next message that are delivered.
    permits: Receiver<u64>,
    sent: Sender<Message>,
    reopened: Sender<()>,
}

impl Destination for ControlledDestination {
    fn name(&self) -> &str {
        "controlled"
    }

    fn subscription(&self) -> Subscription {
        self.subscription
    }

    fn deliver(&mut self, message: Message) -> u64 {
        let delivered = self.permits.recv().unwrap_or(0);
        let _ = self.sent.send(message);
        delivered
    }

    fn reopen(&mut self) {
        let _ = self.reopened.send(());
    }
}

/// The test's side of a controlled destination.
struct Controller {
    permits: Sender<u64>,
    sent: Receiver<Message>,
    reopened: Receiver<()>,
}

const ALL: Subscription = Subscription {
    events: true,
    lines: true,
    alerts: true,
    stats: true,
};

fn controlled(subscription: Subscription) -> (Queue, Controller) {
    let (permits, permitted) = mpsc::channel();
    let (sender, sent) = mpsc::channel();
    let (reopen, reopened) = mpsc::channel();
    let destination = ControlledDestination {
        subscription,
        permits: permitted,
        sent: sender,
        reopened: reopen,
    };
    let controller = Controller {
        permits,
        sent,
        reopened,
    };
    (Queue::start(destination).expect("a thread"), controller)
}

/// A message of this number of lines, each of one KiB.
fn lines(number: usize) -> Message {
    let line = format!("{}\n", "x".repeat(1023));
    Message::Lines(line.repeat(number).into_bytes())
}

fn stats(received: u64, sent: u64, queued: u64, dropped: u64, failed: u64) -> SinkStats {
    SinkStats {
        name: "controlled".to_owned(),
        received,
        sent,
        queued,
        dropped,
        failed,
    }
}

fn finish_one(queue: &Queue) -> SinkStats {
    let [stats] = close(std::slice::from_ref(queue))
        .finish()
        .try_into()
        .expect("one queue");
    stats
}

#[test]
fn what_is_not_delivered_has_failed() {
    let (queue, controller) = controlled(ALL);
    queue.send(lines(5));
    assert_eq!(queue.stats(), stats(5, 0, 5, 0, 0));
    controller.permits.send(3).expect("it waits");
    assert_eq!(finish_one(&queue), stats(5, 3, 0, 0, 2));
}

#[test]
fn what_there_is_no_room_for_is_dropped_and_one_message_always_has_room() {
    let (queue, controller) = controlled(ALL);
    // The destination may receive it at once. It is counted as queued until it is delivered.
    queue.send(lines(1));
    for _ in 0..2 {
        // Larger than the queue.
        queue.send(lines(20 << 10));
    }
    queue.send(lines(1));
    for _ in 0..4 {
        let _ = controller.permits.send(u64::MAX);
    }
    let finished = finish_one(&queue);
    assert_eq!(finished.received, 2 + (40 << 10));
    assert!(
        finished.dropped == 20 << 10 || finished.dropped == (20 << 10) + 1,
        "{finished:?}"
    );
    assert_eq!(
        finished,
        stats(
            finished.received,
            finished.received - finished.dropped,
            0,
            finished.dropped,
            0
        )
    );
}

#[test]
fn a_destination_that_hangs_does_not_hold_up_the_end() {
    let (queue, controller) = controlled(ALL);
    queue.send(lines(2));
    queue.send(lines(3));
    assert_eq!(finish_one(&queue), stats(5, 0, 5, 0, 0));
    drop(controller);
}

#[test]
fn messages_arrive_in_order_and_files_are_opened_anew_between_them() {
    let (queue, controller) = controlled(ALL);
    let reopen = queue.reopen();
    queue.send(lines(1));
    reopen.request();
    queue.send(lines(2));
    controller.permits.send(1).expect("it waits");
    controller.permits.send(2).expect("it waits");
    assert_eq!(finish_one(&queue), stats(3, 3, 0, 0, 0));
    let counts: Vec<u64> = controller
        .sent
        .try_iter()
        .map(|message| message.count())
        .collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(controller.reopened.try_iter().count(), 1);
}

/// A direct sink that counts its calls.
#[derive(Default)]
struct DirectSink(usize);

impl Sink for DirectSink {
    fn lines(&mut self, _: &[u8]) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn alerts(&mut self, _: &[Alert]) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn each_queue_is_sent_what_it_wants() {
    let only_events = Subscription {
        events: true,
        ..Subscription::default()
    };
    let (all, all_controller) = controlled(ALL);
    let (events, events_controller) = controlled(only_events);
    let mut sinks = FanOut::new(DirectSink::default(), Vec::new(), vec![all, events]);
    let mut batch = Batch::new();
    batch.push(retrans_event::Record::new().as_bytes());
    sinks.events(&batch).expect("taken");
    sinks.lines(b"").expect("taken");
    sinks.lines(b"a\nb\n").expect("taken");
    sinks.alerts(&[]).expect("taken");
    sinks.stats(&Stats::default());
    sinks.flush().expect("taken");
    for _ in 0..4 {
        let _ = all_controller.permits.send(u64::MAX);
        let _ = events_controller.permits.send(u64::MAX);
    }
    assert_eq!(sinks.finish(), [stats(3, 3, 0, 0, 0), stats(1, 1, 0, 0, 0)]);
    let kinds = |controller: &Controller| {
        let kinds = controller.sent.try_iter().map(|message| match message {
            Message::Events(batch) => format!("events {}", batch.len()),
            Message::Lines(lines) => format!("lines {}", lines.len()),
            Message::Alerts(alerts) => format!("alerts {}", alerts.len()),
            Message::Stats(_) => "stats".to_owned(),
        });
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(&all_controller),
        ["events 1", "lines 4", "alerts 0", "stats"]
    );
    assert_eq!(kinds(&events_controller), ["events 1"]);
}

#[test]
fn destinations_that_hang_share_the_time_at_the_end() {
    let (queues, controllers): (Vec<_>, Vec<_>) = (0..4).map(|_| controlled(ALL)).unzip();
    queues.iter().for_each(|queue| queue.send(lines(1)));
    let begun = Instant::now();
    assert_eq!(close(&queues).finish(), vec![stats(1, 0, 1, 0, 0); 4]);
    // A signal leaves 4.5 s for the whole end of a run.
    assert!(
        begun.elapsed() < 2 * FINISH_TIMEOUT,
        "{:?}",
        begun.elapsed()
    );
    drop(controllers);
}
