//! What is known about the owners of sockets, from scans and from earlier events.

use std::collections::HashMap;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::OwnerStatus;
use retrans_event::Process;

use super::collect::MOST_WANTED;
use super::snapshot::Holder;
use super::snapshot::Snapshot;
use super::snapshot::spokesman;
use crate::allocator;
use crate::container;
use crate::container::Container;
use crate::source::clock::Clock;

/// Sockets that a scan has not found, 2 MiB of them. Events of more wait for each scan anew.
const MOST_ABSENT: usize = 65_536;

/// Processes whose containers are remembered until the next scan; those of more are read anew.
const MOST_CONTAINERS: usize = 8_192;

/// Holders of a snapshot whose memory is given back when it goes, some 4 MiB.
const BIG: usize = 65_536;

/// Sockets whose last holder is remembered, for when they are orphaned.
const MOST_REMEMBERED: usize = 32_768;

/// Whose a socket is, and the container in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What the event says.
    pub owner: Owner,
    /// Where the process lives.
    pub container: Option<Rc<Container>>,
}

/// What can be said of an event's owner now.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Known(Found),
    /// The next scan will tell.
    Later,
}

/// The latest scan, and what is remembered beyond it.
pub struct Registry {
    snapshot: Snapshot,
    /// Inodes that a scan has not found, and when it began.
    absent: HashMap<u64, Duration>,
    /// Of processes in the snapshot, by number.
    containers: HashMap<u32, Option<Rc<Container>>>,
    /// Inodes that were asked for since the last scan began.
    asked: HashSet<u64>,
    last: Recent<Process>,
    clock: Clock,
}

impl Registry {
    /// Knows nobody yet.
    pub fn new(clock: Clock) -> Registry {
        Registry {
            snapshot: Snapshot::none(),
            absent: HashMap::new(),
            containers: HashMap::new(),
            asked: HashSet::new(),
            last: Recent::new(MOST_REMEMBERED),
            clock,
        }
    }

    /// Takes the result of a scan.
    pub fn update(&mut self, snapshot: Snapshot) {
        self.containers.clear();
        let begun = snapshot.begun;
        let before = std::mem::replace(&mut self.snapshot, snapshot);
        let holds = self.snapshot.holds;
        self.absent
            .retain(|_, since| begun.saturating_sub(*since) <= holds);
        // A crowd has gone.
        if before.len() > BIG && before.len() > 2 * self.snapshot.len() {
            drop(before);
            allocator::give_back();
        }
    }

    /// The sockets that the next scan must find: those that were asked for since the last one began.
    pub fn take_asked(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.asked)
    }

    /// Will the answers soon be too old for events of this time?
    pub fn is_aging(&self, time: Duration) -> bool {
        time.saturating_sub(self.snapshot.begun) > self.snapshot.holds / 2
    }

    /// Does an answer of this time hold for an event of that time, also the answer that nobody was found?
    /// Measured by the events' own times: the source may be behind, and what it then asks for is older.
    fn is_fresh(&self, since: Duration, time: Duration) -> bool {
        time.saturating_sub(since) <= self.snapshot.holds
    }

    /// Whose the event is, as far as is known now.
    pub fn answer(&mut self, event: &Event) -> Answer {
        let status = event.owner_status().unwrap_or(OwnerStatus::Unknown);
        let inode = match status {
            OwnerStatus::NotAccepted => event.listener_inode(),
            OwnerStatus::Unknown => event.socket_inode(),
            _ => None,
        };
        let Some(inode) = inode else {
            return Answer::Known(self.nobody(event));
        };
        if self.asked.len() < MOST_WANTED {
            self.asked.insert(inode);
        }
        if self.is_fresh(self.snapshot.begun, event.time())
            && let holders = self.snapshot.holders(inode)
            && let before = event
                .socket_cookie()
                .and_then(|cookie| self.last.get(cookie))
            && let Some(holder) = spokesman(holders, before.map(|before| before.pid))
        {
            let (holder, holders) = (holder.clone(), holders.len() as u32);
            return Answer::Known(self.somebody(event, &holder, holders));
        }
        // A scan that began before the event may have passed by before the socket was opened.
        if self.snapshot.begun > event.time() {
            if self.absent.len() < MOST_ABSENT {
                self.absent.insert(inode, self.snapshot.begun);
            }
            return Answer::Known(self.nobody(event));
        }
        let since = self.absent.get(&inode);
        if since.is_some_and(|since| self.is_fresh(*since, event.time())) {
            return Answer::Known(self.nobody(event));
        }
        Answer::Later
    }

    /// What the kernel says by itself, where no process is to be found.
    pub fn nobody(&self, event: &Event) -> Found {
        let last = event
            .socket_cookie()
            .and_then(|cookie| self.last.get(cookie));
        let owner = match event.owner_status() {
            Some(OwnerStatus::Orphaned) => Owner::Orphaned { last },
            Some(OwnerStatus::NotAccepted) => Owner::NotAccepted { listener: None },
            Some(OwnerStatus::Kernel) => Owner::Kernel,
            _ => Owner::Unknown,
        };
        Found {
            owner,
            container: None,
        }
    }

    fn somebody(&mut self, event: &Event, holder: &Holder, holders: u32) -> Found {
        let container = self.container(holder);
        let short = container.as_ref().map(|container| container.short());
        let process = Process {
            pid: holder.pid,
            comm: holder.comm,
            uid: Some(holder.uid),
            container: short.map(cut_off),
        };
        let owner = if event.owner_status() == Some(OwnerStatus::NotAccepted) {
            let listener = Some(process);
            Owner::NotAccepted { listener }
        } else {
            if let Some(cookie) = event.socket_cookie() {
                self.last.insert(cookie, process);
            }
            Owner::Held { process, holders }
        };
        Found { owner, container }
    }

    /// Read as soon as it is asked for, and not kept longer than the snapshot: a number may be given
    /// to another process.
    fn container(&mut self, holder: &Holder) -> Option<Rc<Container>> {
        if self.containers.len() >= MOST_CONTAINERS {
            self.containers.clear();
        }
        let container = self.containers.entry(holder.pid);
        container
            .or_insert_with(|| {
                container::of_process(holder.pid, holder.begun, self.clock).map(Rc::new)
            })
            .clone()
    }
}

/// As much of it as there is room for.
fn cut_off(text: &str) -> Name {
    let mut bytes = [0; Name::MAX];
    let length = text.floor_char_boundary(Name::MAX);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    Name::from_bytes(bytes)
}

/// The most recent values, by key: at least half of `most` of them.
struct Recent<V> {
    new: HashMap<u64, V>,
    old: HashMap<u64, V>,
    most: usize,
}

impl<V: Copy> Recent<V> {
    fn new(most: usize) -> Recent<V> {
        Recent {
            new: HashMap::new(),
            old: HashMap::new(),
            most,
        }
    }

    fn insert(&mut self, key: u64, value: V) {
        if self.new.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }

    fn get(&self, key: u64) -> Option<V> {
        self.new.get(&key).or_else(|| self.old.get(&key)).copied()
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::super::snapshot::HOLD;
    use super::*;

    const SCANNED: Duration = Duration::from_secs(100);
    const SOON: Duration = Duration::from_millis(100_010);
    const INODE: u64 = 7_000;

    /// One scan, which found one process that holds one socket.
    fn registry() -> Registry {
        let mut registry = Registry::new(Clock::default());
        let holder = Holder {
            inode: INODE,
            pid: u32::MAX, // no process of this machine: it has no cgroup
            parent: 1,
            uid: 33,
            begun: Duration::ZERO,
            comm: name("nginx"),
        };
        registry.update(Snapshot::of(SCANNED, vec![holder]));
        registry
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    fn nginx() -> Process {
        Process {
            pid: u32::MAX,
            comm: name("nginx"),
            uid: Some(33),
            container: None,
        }
    }

    fn event(status: OwnerStatus, inode: Option<u64>, time: Duration) -> Record {
        let mut event = Record::new();
        event.set_owner_status(Some(status));
        event.set_socket_cookie(Some(1));
        match status {
            OwnerStatus::NotAccepted => event.set_listener_inode(inode),
            _ => event.set_socket_inode(inode),
        }
        event.set_time(time);
        event
    }

    fn known(owner: Owner) -> Answer {
        let container = None;
        Answer::Known(Found { owner, container })
    }

    #[test]
    fn who_held_the_inode_is_the_owner_for_a_second() {
        let mut registry = registry();
        let held = Owner::Held {
            process: nginx(),
            holders: 1,
        };
        let mut answer = |time| registry.answer(&event(OwnerStatus::Unknown, Some(INODE), time));
        assert_eq!(answer(SOON), known(held));
        assert_eq!(answer(SCANNED + HOLD), known(held));
        let later = SCANNED + HOLD + Duration::from_nanos(1);
        assert_eq!(answer(later), Answer::Later);
        // However long the source took to come to it.
        assert_eq!(answer(SCANNED - HOLD), known(held));
    }

    #[test]
    fn where_scans_are_slow_an_answer_holds_until_the_next_one() {
        let mut registry = registry();
        registry.snapshot.holds = 20 * HOLD;
        let held = Owner::Held {
            process: nginx(),
            holders: 1,
        };
        let mut answer = |time| registry.answer(&event(OwnerStatus::Unknown, Some(INODE), time));
        assert_eq!(answer(SCANNED + 20 * HOLD), known(held));
        let later = SCANNED + 20 * HOLD + Duration::from_nanos(1);
        assert_eq!(answer(later), Answer::Later);
        assert!(!registry.is_aging(SCANNED + 10 * HOLD));
        assert!(registry.is_aging(SCANNED + 11 * HOLD));
    }

    #[test]
    fn the_next_scan_is_asked_for_the_sockets_of_events_and_no_more_than_the_limit() {
        let mut registry = registry();
        for inode in [INODE, INODE + 1, INODE] {
            registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
        }
        registry.answer(&event(OwnerStatus::NotAccepted, Some(INODE + 2), SOON));
        registry.answer(&event(OwnerStatus::Kernel, Some(INODE + 3), SOON));
        let asked = HashSet::from([INODE, INODE + 1, INODE + 2]);
        assert_eq!(registry.take_asked(), asked);
        for inode in 0..2 * MOST_WANTED as u64 {
            registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
        }
        assert_eq!(registry.take_asked().len(), MOST_WANTED);
        assert!(registry.take_asked().is_empty());
    }

    #[test]
    fn sockets_that_were_not_found_are_remembered_up_to_the_limit() {
        let mut registry = registry();
        let of = |inode, time| event(OwnerStatus::Unknown, Some(inode), time);
        let earlier = SCANNED - Duration::from_millis(10);
        let (first, last) = (INODE + 1, INODE + 2 + MOST_ABSENT as u64);
        for inode in first..=last {
            let answer = registry.answer(&of(inode, earlier));
            assert_eq!(answer, known(Owner::Unknown));
        }
        assert_eq!(registry.absent.len(), MOST_ABSENT);
        assert_eq!(registry.answer(&of(first, SOON)), known(Owner::Unknown));
        assert_eq!(registry.answer(&of(last, SOON)), Answer::Later);
    }

    #[test]
    fn containers_are_remembered_up_to_the_limit() {
        let mut registry = registry();
        let holder = |number| Holder {
            inode: number,
            pid: u32::MAX - number as u32,
            parent: 1,
            uid: 0,
            begun: Duration::ZERO,
            comm: name("a"),
        };
        let count = MOST_CONTAINERS as u64 + 10;
        registry.update(Snapshot::of(SCANNED, (0..count).map(holder).collect()));
        for inode in 0..count {
            registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
        }
        assert_eq!(registry.containers.len(), 10);
    }

    #[test]
    fn an_inode_that_a_scan_before_the_event_did_not_find_is_looked_for_again() {
        let mut registry = registry();
        let event = event(OwnerStatus::Unknown, Some(INODE + 1), SOON);
        assert_eq!(registry.answer(&event), Answer::Later);
    }

    #[test]
    fn an_inode_that_a_scan_after_the_event_did_not_find_is_nobodys_for_a_second() {
        let mut registry = registry();
        let of = |time| event(OwnerStatus::Unknown, Some(INODE + 1), time);
        let earlier = SCANNED - Duration::from_millis(10);
        assert_eq!(registry.answer(&of(earlier)), known(Owner::Unknown));
        // The next one does not wait for another scan.
        assert_eq!(registry.answer(&of(SOON)), known(Owner::Unknown));
        let later = SCANNED + HOLD + Duration::from_nanos(1);
        registry.update(Snapshot::of(later, Vec::new()));
        assert_eq!(registry.answer(&of(later)), Answer::Later);
    }

    #[test]
    fn an_orphan_says_who_was_last_confirmed_to_hold_that_very_socket() {
        let mut registry = registry();
        let orphan = event(OwnerStatus::Orphaned, None, SOON);
        let nobody = Owner::Orphaned { last: None };
        assert_eq!(registry.answer(&orphan), known(nobody));
        registry.answer(&event(OwnerStatus::Unknown, Some(INODE), SOON));
        let last = Some(nginx());
        assert_eq!(registry.answer(&orphan), known(Owner::Orphaned { last }));
        let mut another = event(OwnerStatus::Orphaned, None, SOON);
        another.set_socket_cookie(Some(2));
        assert_eq!(registry.answer(&another), known(nobody));
        another.set_socket_cookie(None);
        assert_eq!(registry.answer(&another), known(nobody));
    }

    #[test]
    fn a_connection_that_was_not_accepted_says_who_listens_and_nobody_holds_it() {
        let mut registry = registry();
        let synack = event(OwnerStatus::NotAccepted, Some(INODE), SOON);
        let listener = Some(nginx());
        assert_eq!(
            registry.answer(&synack),
            known(Owner::NotAccepted { listener })
        );
        let closed = event(OwnerStatus::NotAccepted, None, SOON);
        let listener = None;
        assert_eq!(
            registry.answer(&closed),
            known(Owner::NotAccepted { listener })
        );
        // The listener's process never held this socket.
        let orphan = event(OwnerStatus::Orphaned, None, SOON);
        let last = None;
        assert_eq!(registry.answer(&orphan), known(Owner::Orphaned { last }));
    }

    #[test]
    fn the_kernels_own_sockets_and_those_without_an_inode_wait_for_nobody() {
        let mut registry = registry();
        let kernel = event(OwnerStatus::Kernel, Some(INODE + 1), SOON);
        assert_eq!(registry.answer(&kernel), known(Owner::Kernel));
        let unknown = event(OwnerStatus::Unknown, None, SOON);
        assert_eq!(registry.answer(&unknown), known(Owner::Unknown));
    }

    #[test]
    fn the_most_recent_half_at_least_is_remembered() {
        let mut recent = Recent::new(4);
        for key in 0..7 {
            recent.insert(key, key);
        }
        let known: Vec<u64> = (0..7).filter(|key| recent.get(*key).is_some()).collect();
        assert!(known.ends_with(&[5, 6]) && known.len() <= 4, "{known:?}");
    }
}
