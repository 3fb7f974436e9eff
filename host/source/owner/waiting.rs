//! The queue of events that wait for their owner, in order of arrival.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use retrans_event::Event;
use retrans_event::Record;

use crate::system::heap;

/// The longest time that an event waits if no scan will decide on it within [`MAX_WAIT`].
///
/// Neither time includes the time for which the chain blocks the source.
pub const SHORT_WAIT: Duration = Duration::from_millis(100);

/// The longest time that an event waits for a scan that has begun after it, or is about to begin. In a burst of new
/// sockets on busy CPUs, a scan takes longer than [`SHORT_WAIT`].
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// The most events that wait, 26 MB. One more event removes the first one from the queue.
const MAX_WAITING: usize = 65_536;

/// Number of events in a chunk, whose memory is freed as soon as none of them waits.
const CHUNK: usize = 64;

/// Identifies a connection: a hash, with a random key, of network namespace and both addresses, which every event has.
/// A closed socket has lost its inode, and a socket whose cookie was never requested has none. If two connections have
/// the same hash, the events of one wait behind those of the other.
type Connection = u64;

/// The queue.
#[derive(Debug, Default)]
pub struct WaitQueue {
    /// None is empty.
    chunks: VecDeque<VecDeque<QueuedEvent>>,
    len: usize,
    /// Number of waiting events for each connection. Later events of the connection must wait behind them.
    connections: HashMap<Connection, u32, BuildHasherDefault<Hashed>>,
    hasher: RandomState,
    /// The sum of all times for which the source was blocked.
    blocked: Duration,
}

#[derive(Debug)]
struct QueuedEvent {
    record: Record,
    connection: Connection,
    /// Time since boot at which it arrived, less [`WaitQueue::blocked`] at that time.
    arrived: Duration,
}

/// The event that has waited longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstWaiting {
    /// Its own time since boot.
    pub time: Duration,
    /// The time since boot at which it arrived, plus the time for which the source was blocked since.
    pub arrived: Duration,
}

impl FirstWaiting {
    /// The time since boot up to which it waits. `scan` is the time since boot at which the first scan after the event
    /// begins or has begun; `None` if there will be none.
    pub fn deadline(&self, scan: Option<Duration>) -> Duration {
        let limit = self.arrived + MAX_WAIT;
        match scan {
            Some(begin) if begin < limit => limit,
            _ => self.arrived + SHORT_WAIT,
        }
    }
}

impl WaitQueue {
    /// Returns whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The event that has waited longest.
    pub fn first(&self) -> Option<FirstWaiting> {
        let first = self.chunks.front()?.front()?;
        Some(FirstWaiting {
            time: first.record.time(),
            arrived: first.arrived + self.blocked,
        })
    }

    /// Returns whether earlier events of the same connection wait.
    pub fn has_earlier(&self, event: &Event) -> bool {
        !self.is_empty() && self.connections.contains_key(&self.connection(event))
    }

    fn connection(&self, event: &Event) -> Connection {
        self.hasher
            .hash_one((event.netns_inode(), event.local(), event.peer()))
    }

    /// Appends an event. If the queue is full, removes and returns the first one.
    pub fn push(&mut self, event: &Event, now: Duration) -> Option<Record> {
        let first = (self.len >= MAX_WAITING).then(|| self.pop());
        let connection = self.connection(event);
        *self.connections.entry(connection).or_default() += 1;
        let queued = QueuedEvent {
            record: event.to_record(),
            connection,
            arrived: now.saturating_sub(self.blocked),
        };
        match self.chunks.back_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push_back(queued),
            None => {
                let mut chunk = VecDeque::with_capacity(CHUNK);
                chunk.push_back(queued);
                self.chunks.push_back(chunk);
            }
        }
        self.len += 1;
        first.flatten()
    }

    /// Extends the deadlines of all events by `time`.
    pub fn postpone(&mut self, time: Duration) {
        self.blocked += time;
    }

    /// Removes the events for which `release` returns true. It is called in order, and not for
    /// events behind a waiting event of the same connection.
    pub fn release(&mut self, mut release: impl FnMut(&mut Event) -> bool) {
        let mut waiting: HashSet<Connection, BuildHasherDefault<Hashed>> = HashSet::default();
        for mut chunk in std::mem::take(&mut self.chunks) {
            chunk.retain_mut(|queued| {
                let keep = waiting.contains(&queued.connection) || !release(&mut queued.record);
                if keep {
                    waiting.insert(queued.connection);
                } else {
                    self.len -= 1;
                    count_down(&mut self.connections, queued.connection);
                }
                keep
            });
            if !chunk.is_empty() {
                self.chunks.push_back(chunk);
            }
        }
        self.give_back();
    }

    /// Removes and returns the first event.
    pub fn pop(&mut self) -> Option<Record> {
        let chunk = self.chunks.front_mut()?;
        let queued = chunk.pop_front()?;
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= 1;
        count_down(&mut self.connections, queued.connection);
        self.give_back();
        Some(queued.record)
    }

    /// Frees the memory that is left of a burst once no event waits.
    fn give_back(&mut self) {
        if self.is_empty() {
            // The chunks were freed before.
            heap::note_freed(self.connections.capacity() * size_of::<QueuedEvent>());
            self.chunks = VecDeque::new();
            self.connections = HashMap::default();
            self.blocked = Duration::ZERO;
        }
    }
}

fn count_down(
    connections: &mut HashMap<Connection, u32, BuildHasherDefault<Hashed>>,
    connection: Connection,
) {
    if let Some(count) = connections.get_mut(&connection) {
        *count -= 1;
        if *count == 0 {
            connections.remove(&connection);
        }
    }
}

/// The hasher of keys that are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    fn record(port: u16, number: u64) -> Record {
        let mut record = Record::new();
        record.set_local_port(port);
        record.set_sequence(number);
        record
    }

    fn waiting(ports: &[u16]) -> WaitQueue {
        let mut waiting = WaitQueue::default();
        for (number, port) in (0..).zip(ports) {
            assert_eq!(waiting.push(&record(*port, number), NOW), None);
        }
        waiting
    }

    #[test]
    fn later_events_of_a_waiting_socket_are_held_back_and_others_are_not() {
        let waiting = waiting(&[1, 2]);
        assert!(waiting.has_earlier(&record(1, 9)));
        assert!(!waiting.has_earlier(&record(3, 9)));
        assert!(!waiting.has_earlier(&Record::new()));
    }

    #[test]
    fn an_event_waits_for_a_scan_that_is_about_to_begin_and_no_longer_than_the_limit() {
        let mut waiting = waiting(&[1]);
        let first = waiting.first().expect("one waits");
        assert_eq!(first.deadline(None), NOW + SHORT_WAIT);
        for begin in [Duration::ZERO, NOW, NOW + MAX_WAIT / 2] {
            assert_eq!(first.deadline(Some(begin)), NOW + MAX_WAIT);
        }
        for begin in [NOW + MAX_WAIT, NOW + 20 * MAX_WAIT, Duration::MAX] {
            assert_eq!(first.deadline(Some(begin)), NOW + SHORT_WAIT);
        }
        assert_eq!(waiting.pop(), Some(record(1, 0)));
        assert!(waiting.is_empty());
        assert_eq!(waiting.first(), None);
        assert!(!waiting.has_earlier(&record(1, 9)));
    }

    #[test]
    fn time_in_which_nothing_could_go_on_does_not_count() {
        let mut waiting = waiting(&[1]);
        waiting.postpone(MAX_WAIT);
        waiting.push(&record(2, 1), NOW + MAX_WAIT);
        let first = |waiting: &WaitQueue| waiting.first().map(|first| first.arrived);
        assert_eq!(first(&waiting), Some(NOW + MAX_WAIT));
        waiting.pop();
        assert_eq!(first(&waiting), Some(NOW + MAX_WAIT));
    }

    #[test]
    fn events_of_one_socket_go_in_their_order() {
        let mut waiting = waiting(&[1, 2, 1, 3, 2]);
        let mut offered = Vec::new();
        // The first event of socket 2 is not released; the second one would be.
        waiting.release(|event| {
            offered.push(event.sequence());
            event.sequence() != 1
        });
        assert_eq!(offered, [0, 1, 2, 3]);
        assert!(!waiting.has_earlier(&record(1, 9)));
        assert!(waiting.has_earlier(&record(2, 9)));
        let mut released = Vec::new();
        waiting.release(|event| {
            released.push(event.sequence());
            true
        });
        assert_eq!(released, [1, 4]);
        assert!(waiting.is_empty());
        assert!(!waiting.has_earlier(&record(2, 9)));
    }

    #[test]
    fn where_too_many_wait_the_first_goes() {
        let mut waiting = WaitQueue::default();
        for number in 0..MAX_WAITING as u64 {
            assert_eq!(waiting.push(&record(1, number), NOW), None);
        }
        assert_eq!(waiting.push(&record(1, 7), NOW), Some(record(1, 0)));
        assert!(waiting.has_earlier(&record(1, 9)));
    }
}
