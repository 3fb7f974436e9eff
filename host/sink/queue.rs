//! A bounded queue before a sink that works in a thread of its own, so that it never blocks the chain.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use super::FINISH_TIMEOUT;
use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;
use crate::system::privileges;
use crate::system::threads;

/// Maximum size of the messages in a queue, in bytes. One call of a plugin may produce 8 MiB by default.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// A message to a sink.
#[derive(Debug, Clone)]
pub enum Message {
    /// Events that the last plugin kept.
    Events(Batch),
    /// Lines, each with its newline.
    Lines(Vec<u8>),
    /// Alerts, raised or resolved.
    Alerts(Vec<Alert>),
    /// Refreshed statistics. They are not counted: later ones replace them.
    Stats(Box<Stats>),
}

impl Message {
    /// Number of parts of the message: events, lines or alerts.
    pub fn count(&self) -> u64 {
        match self {
            Message::Events(batch) => batch.len() as u64,
            Message::Lines(lines) => lines.iter().filter(|byte| **byte == b'\n').count() as u64,
            Message::Alerts(alerts) => alerts.len() as u64,
            Message::Stats(_) => 0,
        }
    }

    /// Approximate size in memory, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Message::Events(batch) => batch.records().len() + batch.labels.bytes(),
            Message::Lines(lines) => lines.len(),
            Message::Alerts(alerts) => alerts.iter().map(Alert::bytes).sum(),
            Message::Stats(_) => size_of::<Stats>(),
        }
    }
}

/// The kinds of messages that a sink receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Events that the last plugin kept.
    pub events: bool,
    /// Lines.
    pub lines: bool,
    /// Alerts.
    pub alerts: bool,
    /// Statistics.
    pub stats: bool,
}

/// The receiver of a queue, which delivers its messages in a thread of its own.
pub trait Destination: Send + 'static {
    /// Its name in the ledger.
    fn name(&self) -> &str;

    /// The kinds of messages that it receives.
    fn subscription(&self) -> Subscription;

    /// Delivers as much of a message as possible, and returns the number of parts ([`Message::count`]) that were
    /// delivered. The others count as failed. The destination logs the cause.
    fn deliver(&mut self, message: Message) -> u64;

    /// Reopens its files, at SIGHUP.
    fn reopen(&mut self) {}
}

/// The sender of a queue, in the thread of the chain.
pub struct Queue {
    subscription: Subscription,
    shared: Arc<Shared>,
}

/// A handle that makes a destination reopen its files.
#[derive(Clone)]
pub struct Reopen(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Notified when there is work for the destination.
    work: Condvar,
    /// Notified when the destination has ended.
    ended: Condvar,
}

struct State {
    messages: VecDeque<Message>,
    bytes: usize,
    stats: SinkStats,
    reopen: bool,
    /// The stream has ended.
    is_closed: bool,
    /// The destination has delivered all messages.
    is_done: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Starts a thread for the destination.
    pub fn start(mut destination: impl Destination) -> io::Result<Queue> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                messages: VecDeque::new(),
                bytes: 0,
                stats: SinkStats {
                    name: destination.name().to_owned(),
                    ..SinkStats::default()
                },
                reopen: false,
                is_closed: false,
                is_done: false,
            }),
            work: Condvar::new(),
            ended: Condvar::new(),
        });
        let queue = Queue {
            subscription: destination.subscription(),
            shared: Arc::clone(&shared),
        };
        let name = format!("sink {}", destination.name());
        threads::named(&name)
            .keeping(privileges::of_files())
            .spawn(move || run(&mut destination, &shared))?;
        Ok(queue)
    }

    /// Returns a handle with which another thread makes the destination reopen its files.
    pub fn reopen(&self) -> Reopen {
        Reopen(Arc::clone(&self.shared))
    }

    /// The kinds of messages that it accepts.
    pub fn subscription(&self) -> Subscription {
        self.subscription
    }

    /// Queues a message, or counts it as dropped if the queue is full. An empty queue accepts a message of any size.
    pub fn send(&self, message: Message) {
        let (count, bytes) = (message.count(), message.bytes());
        let mut state = self.shared.state();
        state.stats.received += count;
        if !state.messages.is_empty() && state.bytes + bytes > MAX_QUEUED_BYTES {
            state.stats.dropped += count;
            return;
        }
        state.stats.queued += count;
        state.bytes += bytes;
        state.messages.push_back(message);
        self.shared.work.notify_one();
    }

    /// The counters of the sink.
    pub fn stats(&self) -> SinkStats {
        self.shared.state().stats.clone()
    }

    fn close(&self) {
        self.shared.state().is_closed = true;
        self.shared.work.notify_one();
    }

    fn wait_until(&self, deadline: Instant) -> SinkStats {
        let (state, timeout) = (
            self.shared.state(),
            deadline.saturating_duration_since(Instant::now()),
        );
        let waited = self
            .shared
            .ended
            .wait_timeout_while(state, timeout, |state| !state.is_done);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stats.queued > 0 {
            let SinkStats { name, queued, .. } = &state.stats;
            tracing::warn!(
                "sink {name}: {queued} were not delivered within {FINISH_TIMEOUT:?} of the end of the run"
            );
        }
        state.stats.clone()
    }
}

/// Queues that deliver what they have, after the end of the stream.
pub struct Closing<'a> {
    queues: &'a [Queue],
    deadline: Instant,
}

/// Ends queues at the end of the stream. They deliver from now on, for [`FINISH_TIMEOUT`] at most.
pub fn close(queues: &[Queue]) -> Closing<'_> {
    queues.iter().for_each(Queue::close);
    Closing {
        queues,
        deadline: Instant::now() + FINISH_TIMEOUT,
    }
}

impl Closing<'_> {
    /// Waits until all messages are delivered, but not beyond the deadline. Returns the statistics of the queues;
    /// messages that are not delivered by then remain counted as queued.
    pub fn finish(self) -> Vec<SinkStats> {
        let queues = self.queues.iter();
        queues
            .map(|queue| queue.wait_until(self.deadline))
            .collect()
    }
}

impl Reopen {
    /// Requests it, and does not wait.
    pub fn request(&self) {
        self.0.state().reopen = true;
        self.0.work.notify_one();
    }
}

/// Runs the thread of a destination.
fn run(destination: &mut impl Destination, shared: &Shared) {
    loop {
        let mut state = shared.state();
        while state.messages.is_empty() && !state.reopen && !state.is_closed {
            state = shared
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if std::mem::take(&mut state.reopen) {
            drop(state);
            destination.reopen();
            continue;
        }
        let Some(message) = state.messages.pop_front() else {
            // The queue is closed and empty.
            state.is_done = true;
            shared.ended.notify_all();
            return;
        };
        drop(state);
        let (count, bytes) = (message.count(), message.bytes());
        let sent = destination.deliver(message).min(count);
        let mut state = shared.state();
        state.bytes -= bytes;
        let stats = &mut state.stats;
        stats.queued -= count;
        stats.sent += sent;
        stats.failed += count - sent;
    }
}

#[cfg(test)]
mod tests;
