//! Events that wait for their owner, in the order in which they came.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;

/// How long an event waits at most, as long as the chain takes what is sent.
pub const MAX_WAIT: Duration = Duration::from_millis(100);

/// The most events that wait, 6 MB of them. When one more comes, the first has waited long enough.
const MAX_WAITING: usize = 16_384;

/// Which connection an event is about.
type Connection = (Option<u32>, SocketAddr, SocketAddr);

/// By namespace and addresses, which every event has: a socket that is closed loses its inode, and one
/// that nobody asked for has no cookie.
fn connection(event: &Event) -> Connection {
    (event.netns_inode(), event.local(), event.peer())
}

/// The queue.
#[derive(Debug, Default)]
pub struct Waiting {
    queue: VecDeque<Waiter>,
    /// How many wait for each connection: what comes later waits behind them.
    connections: HashMap<Connection, usize>,
}

#[derive(Debug)]
struct Waiter {
    record: Record,
    until: Duration,
}

impl Waiting {
    /// Does nobody wait?
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the first has waited long enough.
    pub fn deadline(&self) -> Option<Duration> {
        self.queue.front().map(|waiter| waiter.until)
    }

    /// Do earlier events of the same socket wait?
    pub fn holds_back(&self, event: &Event) -> bool {
        !self.connections.is_empty() && self.connections.contains_key(&connection(event))
    }

    /// Lines up at the end. Returns the first if there is no room for so many.
    pub fn push(&mut self, record: Record, now: Duration) -> Option<Record> {
        let first = (self.queue.len() >= MAX_WAITING).then(|| self.pop());
        *self.connections.entry(connection(&record)).or_default() += 1;
        let until = now + MAX_WAIT;
        self.queue.push_back(Waiter { record, until });
        first.flatten()
    }

    /// Lets all wait longer.
    pub fn postpone(&mut self, time: Duration) {
        for waiter in &mut self.queue {
            waiter.until += time;
        }
    }

    /// The first, if it has waited long enough.
    pub fn expired(&mut self, now: Duration) -> Option<Record> {
        if self.deadline()? <= now {
            self.pop()
        } else {
            None
        }
    }

    /// Lets those go that `goes` says yes to, in order. Nobody goes before an earlier event of the
    /// same socket.
    pub fn release(&mut self, mut goes: impl FnMut(&mut Event) -> bool) {
        let mut stay = HashSet::new();
        let connections = &mut self.connections;
        self.queue.retain_mut(|waiter| {
            let connection = connection(&waiter.record);
            let stays = stay.contains(&connection) || !goes(&mut waiter.record);
            if stays {
                stay.insert(connection);
            } else {
                count_down(connections, connection);
            }
            stays
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

    fn waiting(ports: &[u16]) -> Waiting {
        let mut waiting = Waiting::default();
        for (number, port) in (0..).zip(ports) {
            assert_eq!(waiting.push(record(*port, number), NOW), None);
        }
        waiting
    }

    #[test]
    fn later_events_of_a_waiting_socket_are_held_back_and_others_are_not() {
        let waiting = waiting(&[1, 2]);
        assert!(waiting.holds_back(&record(1, 9)));
        assert!(!waiting.holds_back(&record(3, 9)));
        assert!(!waiting.holds_back(&Record::new()));
    }

    #[test]
    fn nobody_waits_longer_than_the_limit() {
        let mut waiting = waiting(&[1]);
        assert_eq!(waiting.deadline(), Some(NOW + MAX_WAIT));
        assert_eq!(waiting.expired(NOW + MAX_WAIT / 2), None);
        assert_eq!(waiting.expired(NOW + MAX_WAIT), Some(record(1, 0)));
        assert!(waiting.is_empty());
        assert!(!waiting.holds_back(&record(1, 9)));
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
        let mut asked = Vec::new();
        // The first event of socket 2 has no answer; the second would have one.
        waiting.release(|event| {
            asked.push(event.sequence());
            event.sequence() != 1
        });
        assert_eq!(asked, [0, 1, 2, 3]);
        assert!(!waiting.holds_back(&record(1, 9)));
        assert!(waiting.holds_back(&record(2, 9)));
        let mut left = Vec::new();
        waiting.release(|event| {
            left.push(event.sequence());
            true
        });
        assert_eq!(left, [1, 4]);
        assert!(waiting.is_empty());
        assert!(!waiting.holds_back(&record(2, 9)));
    }

    #[test]
    fn where_too_many_wait_the_first_goes() {
        let mut waiting = Waiting::default();
        for number in 0..MAX_WAITING as u64 {
            assert_eq!(waiting.push(record(1, number), NOW), None);
        }
        assert_eq!(waiting.push(record(1, 7), NOW), Some(record(1, 0)));
        assert!(waiting.holds_back(&record(1, 9)));
    }
}
