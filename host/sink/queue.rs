//! A sink behind a queue: it works in a thread of its own, and never holds up the chain.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;
use crate::system::threads;

/// What may be in a queue, in bytes. One call of a plugin may produce 8 MiB by default.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// How long a sink may take, after the end of the stream, to deliver what is queued: the run ends within 4.5 s of
/// a signal.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// What a sink is sent.
#[derive(Debug, Clone)]
pub enum Message {
    /// Events that came through the chain.
    Events(Batch),
    /// Whole lines.
    Lines(Vec<u8>),
    /// Alerts, raised or resolved.
    Alerts(Vec<Alert>),
    /// Refreshed statistics. They are not counted: later ones take their place.
    Stats(Box<Stats>),
}

impl Message {
    /// How many there are of what the message carries.
    pub fn count(&self) -> u64 {
        match self {
            Message::Events(batch) => batch.len() as u64,
            Message::Lines(lines) => lines.iter().filter(|byte| **byte == b'\n').count() as u64,
            Message::Alerts(alerts) => alerts.len() as u64,
            Message::Stats(_) => 0,
        }
    }

    /// Roughly the memory that it takes.
    fn bytes(&self) -> usize {
        match self {
            Message::Events(batch) => batch.records().len() + batch.labels.bytes(),
            Message::Lines(lines) => lines.len(),
            Message::Alerts(alerts) => alerts.iter().map(Alert::bytes).sum(),
            Message::Stats(_) => size_of::<Stats>(),
        }
    }
}

/// Which messages a sink is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// Events that came through the chain.
    pub events: bool,
    /// Lines.
    pub lines: bool,
    /// Alerts.
    pub alerts: bool,
    /// Statistics.
    pub stats: bool,
}

/// The far side of a queue: what delivers messages, in a thread of its own.
pub trait Destination: Send + 'static {
    /// Its name in the ledger.
    fn name(&self) -> &str;

    /// What it is sent.
    fn wants(&self) -> Wants;

    /// Delivers a message, or as much of it as can be: how many of its parts ([`Message::count`]). The others
    /// count as failed; the destination logs why.
    fn deliver(&mut self, message: Message) -> u64;

    /// SIGHUP: files are opened anew.
    fn reopen(&mut self) {}
}

/// The near side of a queue, in the chain's thread.
pub struct Queue {
    wants: Wants,
    shared: Arc<Shared>,
}

/// Asks a destination to open its files anew.
#[derive(Clone)]
pub struct Reopen(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to do for the destination.
    work: Condvar,
    /// The destination has ended.
    ended: Condvar,
}

struct State {
    messages: VecDeque<Message>,
    bytes: usize,
    stats: SinkStats,
    reopen: bool,
    /// The stream has ended.
    is_closed: bool,
    /// The destination has delivered all.
    is_done: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Starts the thread of a destination.
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
            wants: destination.wants(),
            shared: Arc::clone(&shared),
        };
        let name = format!("sink {}", destination.name());
        threads::named(&name).spawn(move || run(&mut destination, &shared))?;
        Ok(queue)
    }

    /// A handle with which another thread asks for files to be opened anew.
    pub fn reopen(&self) -> Reopen {
        Reopen(Arc::clone(&self.shared))
    }

    /// What it is sent.
    pub fn wants(&self) -> Wants {
        self.wants
    }

    /// Takes a message, or counts it as dropped where there is no room. One message always has room.
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

    /// What became of what it was sent.
    pub fn stats(&self) -> SinkStats {
        self.shared.state().stats.clone()
    }

    /// The stream has ended: waits until all is delivered, but not longer than [`FINISH_TIMEOUT`]. What is not
    /// delivered by then remains counted as queued.
    pub fn finish(&self) -> SinkStats {
        let mut state = self.shared.state();
        state.is_closed = true;
        self.shared.work.notify_one();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(state, FINISH_TIMEOUT, |state| !state.is_done);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stats.queued > 0 {
            let SinkStats { name, queued, .. } = &state.stats;
            tracing::warn!(
                "sink {name}: {queued} were not delivered within {FINISH_TIMEOUT:?} of the end"
            );
        }
        state.stats.clone()
    }
}

impl Reopen {
    /// Asks; does not wait.
    pub fn request(&self) {
        self.0.state().reopen = true;
        self.0.work.notify_one();
    }
}

/// The destination's thread.
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
            // It is closed, and nothing is left.
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
