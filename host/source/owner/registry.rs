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

use super::collect::MAX_WANTED;
use super::holder_table::Holder;
use super::holder_table::HolderTable;
use super::holder_table::representative;
use crate::source::clock::Clock;
use crate::source::owner::container;
use crate::source::owner::container::Container;
use crate::system::heap;

/// Sockets that a scan has not found, 2 MiB of them. Events of more wait for each scan anew.
const MAX_ABSENT: usize = 65_536;

/// Processes whose containers are remembered until the next scan; those of more are read anew.
const MAX_CONTAINERS: usize = 8_192;

/// Holders of a snapshot whose memory is given back when it goes, some 4 MiB.
const LARGE_TABLE: usize = 65_536;

/// Sockets whose last holder is remembered, for when they are orphaned.
const MAX_REMEMBERED: usize = 32_768;

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
    snapshot: HolderTable,
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
            snapshot: HolderTable::none(),
            absent: HashMap::new(),
            containers: HashMap::new(),
            asked: HashSet::new(),
            last: Recent::new(MAX_REMEMBERED),
            clock,
        }
    }

    /// Takes the result of a scan.
    pub fn update(&mut self, snapshot: HolderTable) {
        self.containers.clear();
        let begun = snapshot.begun;
        let before = std::mem::replace(&mut self.snapshot, snapshot);
        let holds = self.snapshot.holds;
        self.absent
            .retain(|_, since| begun.saturating_sub(*since) <= holds);
        // A crowd has gone.
        if before.len() > LARGE_TABLE && before.len() > 2 * self.snapshot.len() {
            drop(before);
            heap::give_back();
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

    /// Does an answer of this time hold for an event of that time, also the answer that there is no holder?
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
            return Answer::Known(self.without_holder(event));
        };
        if self.asked.len() < MAX_WANTED {
            self.asked.insert(inode);
        }
        if self.is_fresh(self.snapshot.begun, event.time())
            && let holders = self.snapshot.holders(inode)
            && let before = event
                .socket_cookie()
                .and_then(|cookie| self.last.get(cookie))
            && let Some(holder) = representative(holders, before.map(|before| before.pid))
        {
            let (holder, holders) = (holder.clone(), holders.len() as u32);
            return Answer::Known(self.held_by(event, &holder, holders));
        }
        // A scan that began before the event may have passed by before the socket was opened.
        if self.snapshot.begun > event.time() && self.snapshot.is_sure_of(inode) {
            if self.absent.len() < MAX_ABSENT {
                self.absent.insert(inode, self.snapshot.begun);
            }
            return Answer::Known(self.without_holder(event));
        }
        let since = self.absent.get(&inode);
        if since.is_some_and(|since| self.is_fresh(*since, event.time())) {
            return Answer::Known(self.without_holder(event));
        }
        Answer::Later
    }

    /// What the kernel says by itself, where no process is to be found.
    pub fn without_holder(&self, event: &Event) -> Found {
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

    fn held_by(&mut self, event: &Event, holder: &Holder, holders: u32) -> Found {
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
        if self.containers.len() >= MAX_CONTAINERS {
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
mod tests;
