//! The queue of events that wait for their owner, in order of arrival.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;

/// The longest time that an event waits, not counting the time for which the chain blocks the source.
pub const MAX_WAIT: Duration = Duration::from_millis(100);

/// The most events that wait, 6 MB. One more event removes the first one from the queue.
const MAX_WAITING: usize = 16_384;

/// A connection: network namespace, local address, and address of the peer.
type Connection = (Option<u32>, SocketAddr, SocketAddr);

/// The connection of an event. It is identified by namespace and addresses, which every event has: a closed socket has
/// lost its inode, and a socket whose cookie was never requested has none.
fn connection(event: &Event) -> Connection {
    (event.netns_inode(), event.local(), event.peer())
}

/// The queue.
#[derive(Debug, Default)]
pub struct WaitQueue {
    queue: VecDeque<QueuedEvent>,
    /// Number of waiting events for each connection. Later events of the connection must wait behind them.
    connections: HashMap<Connection, usize>,
}

#[derive(Debug)]
struct QueuedEvent {
    record: Record,
    /// Time since boot.
    deadline: Duration,
}

impl WaitQueue {
    /// Returns whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The deadline of the first event, as time since boot.
    pub fn deadline(&self) -> Option<Duration> {
        self.queue.front().map(|queued| queued.deadline)
    }

    /// Returns whether earlier events of the same connection wait.
    pub fn has_earlier(&self, event: &Event) -> bool {
        !self.connections.is_empty() && self.connections.contains_key(&connection(event))
    }

    /// Appends an event. If the queue is full, removes and returns the first one.
    pub fn push(&mut self, record: Record, now: Duration) -> Option<Record> {
        let first = (self.queue.len() >= MAX_WAITING).then(|| self.pop());
        *self.connections.entry(connection(&record)).or_default() += 1;
        let deadline = now + MAX_WAIT;
        self.queue.push_back(QueuedEvent { record, deadline });
        first.flatten()
    }

    /// Extends the deadlines of all events by `time`.
    pub fn postpone(&mut self, time: Duration) {
        for queued in &mut self.queue {
            queued.deadline += time;
        }
    }

    /// Removes and returns the first event, if its deadline has passed.
    pub fn expired(&mut self, now: Duration) -> Option<Record> {
        if self.deadline()? <= now {
            self.pop()
        } else {
            None
        }
    }

    /// Removes the events for which `release` returns true. It is called in order, and not for
    /// events behind a waiting event of the same connection.
    pub fn release(&mut self, mut release: impl FnMut(&mut Event) -> bool) {
        let mut blocked = HashSet::new();
        let connections = &mut self.connections;
        self.queue.retain_mut(|queued| {
            let connection = connection(&queued.record);
            let keep = blocked.contains(&connection) || !release(&mut queued.record);
            if keep {
                blocked.insert(connection);
            } else {
                count_down(connections, connection);
            }
            keep
        });
    }

    fn pop(&mut self) -> Option<Record> {
        let record = self.queue.pop_front()?.record;
        count_down(&mut self.connections, connection(&record));
        Some(record)
    }
}

fn count_down(connections: &mut HashMap<Connection, usize>, connection: Connection) {
    if let Some(count) = connections.get_mut(&connection) {
        *count -= 1;
        if *count == 0 {
            connections.remove(&connection);
        }
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
            assert_eq!(waiting.push(record(*port, number), NOW), None);
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
    fn no_event_waits_longer_than_the_limit() {
        let mut waiting = waiting(&[1]);
        assert_eq!(waiting.deadline(), Some(NOW + MAX_WAIT));
        assert_eq!(waiting.expired(NOW + MAX_WAIT / 2), None);
        assert_eq!(waiting.expired(NOW + MAX_WAIT), Some(record(1, 0)));
        assert!(waiting.is_empty());
        assert!(!waiting.has_earlier(&record(1, 9)));
    }

    #[test]
    fn time_in_which_nothing_could_go_on_does_not_count() {
        let mut waiting = waiting(&[1]);
        waiting.postpone(MAX_WAIT);
        assert_eq!(waiting.expired(NOW + MAX_WAIT), None);
        assert_eq!(waiting.expired(NOW + 2 * MAX_WAIT), Some(record(1, 0)));
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
            assert_eq!(waiting.push(record(1, number), NOW), None);
        }
        assert_eq!(waiting.push(record(1, 7), NOW), Some(record(1, 0)));
        assert!(waiting.has_earlier(&record(1, 9)));
    }
}
