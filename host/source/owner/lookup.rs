//! Looks up the owners of sockets in the latest scan and in what earlier events and scans have shown.

use std::collections::HashMap;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::RandomState;
use retrans_event::Event;
use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::OwnerStatus;
use retrans_event::Process;

use super::collect::MAX_WANTED;
use super::holder_table::Holder;
use super::holder_table::HolderTable;
use crate::source::owner::container;
use crate::source::owner::container::Container;
use crate::stream::clock::Clock;
use crate::system::heap;

/// The most sockets that are remembered as not found, 2 MiB. Events of further sockets wait for a scan each time.
const MAX_ABSENT: usize = 65_536;

/// The most processes whose containers are remembered until the next scan. Those of further processes are read again.
const MAX_CONTAINERS: usize = 8_192;

/// Number of pairs, 0.5 MiB, from which a table is dropped once its answers have expired.
const LARGE_TABLE: usize = 32_768;

/// The most sockets whose last holder is remembered, for events after the socket was closed, 2 MB. Half of it is what
/// fits into 16,384 slots of a hash table.
const MAX_REMEMBERED: usize = 28_672;

/// The owner of a socket, and the container of the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedOwner {
    /// The owner as the record has it.
    pub owner: Owner,
    /// The container of the process that holds the socket or listens for it.
    pub container: Option<Rc<Container>>,
}

/// The result of looking up the owner of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The owner. It may be [`Owner::Unknown`], if a scan has found no holder.
    Resolved(ResolvedOwner),
    /// The next scan decides.
    NeedsScan,
}

/// The latest scan, and what is remembered from earlier events and scans.
pub struct Registry {
    /// The result of the latest scan.
    table: HolderTable,
    /// Inodes that a scan has not found, with the time since boot at which that scan began.
    absent: HashMap<u64, Duration, RandomState>,
    /// Containers of processes in the table, by process number.
    containers: HashMap<u32, Option<Rc<Container>>, RandomState>,
    /// Inodes that events have asked for since the last scan began.
    requested: HashSet<u64, RandomState>,
    /// The last confirmed holders of sockets, by socket cookie.
    last: RecentMap<Process>,
    clock: Clock,
}

impl Registry {
    /// A registry before the first scan: no holder is known.
    pub fn new(clock: Clock) -> Registry {
        Registry {
            table: HolderTable::empty(),
            absent: HashMap::default(),
            containers: HashMap::default(),
            requested: HashSet::default(),
            last: RecentMap::new(MAX_REMEMBERED),
            clock,
        }
    }

    /// Replaces the table by the result of a scan.
    pub fn update(&mut self, table: HolderTable) {
        self.containers.clear();
        let begun = table.begun;
        // Collecting has taken as much again as the table.
        heap::note_freed(self.table.memory() + table.memory());
        self.table = table;
        let validity = self.table.validity;
        self.absent
            .retain(|_, since| begun.saturating_sub(*since) <= validity);
    }

    /// Drops a large table whose answers have expired: no scan is made while nothing is retransmitted. `oldest` is the
    /// time since boot of the oldest event that may still be looked up.
    pub fn drop_expired(&mut self, oldest: Duration) {
        if self.table.len() >= LARGE_TABLE && !self.is_valid(self.table.begun, oldest) {
            heap::note_freed(self.table.memory());
            self.table = HolderTable::empty();
            self.containers.clear();
        }
    }

    /// Takes the inodes that events have asked for since the last scan began. The next scan must find a holder of each.
    pub fn take_requested(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.requested).into_iter().collect()
    }

    /// Returns whether more than half of the validity of the latest scan has passed at `time`, the time of an event.
    pub fn is_aging(&self, time: Duration) -> bool {
        time.saturating_sub(self.table.begun) > self.table.validity / 2
    }

    /// Returns whether an answer of a scan that began at `since` is valid for an event at `time`. This
    /// includes the answer that there is no holder. Age is measured with the times of events, because
    /// the source may be behind and then looks up older events.
    fn is_valid(&self, since: Duration, time: Duration) -> bool {
        time.saturating_sub(since) <= self.table.validity
    }

    /// Looks up the owner of an event.
    pub fn look_up(&mut self, event: &Event) -> Lookup {
        let status = event.owner_status().unwrap_or(OwnerStatus::Unknown);
        let inode = match status {
            OwnerStatus::NotAccepted => event.listener_inode(),
            OwnerStatus::Unknown => event.socket_inode(),
            _ => None,
        };
        let Some(inode) = inode else {
            return Lookup::Resolved(self.without_holder(event));
        };
        if self.requested.len() < MAX_WANTED {
            self.requested.insert(inode);
        }
        if self.is_valid(self.table.begun, event.time())
            && let holders = self.table.holders(inode)
            && let before = event
                .socket_cookie()
                .and_then(|cookie| self.last.get(cookie))
            && let Some(holder) = holders.representative(before.map(|before| before.pid))
        {
            let (holder, holders) = (holder.clone(), holders.len() as u32);
            return Lookup::Resolved(self.held_by(event, &holder, holders));
        }
        // Only a scan that began after the event proves that there is no holder: with an earlier scan, the socket may
        // have been opened after the scan had passed its process.
        if self.table.begun > event.time() && self.table.is_complete_for(inode) {
            if self.absent.len() < MAX_ABSENT {
                self.absent.insert(inode, self.table.begun);
            }
            return Lookup::Resolved(self.without_holder(event));
        }
        let since = self.absent.get(&inode);
        if since.is_some_and(|since| self.is_valid(*since, event.time())) {
            return Lookup::Resolved(self.without_holder(event));
        }
        Lookup::NeedsScan
    }

    /// The owner of an event for which no process was found: the state that the probe has recorded.
    pub fn without_holder(&self, event: &Event) -> ResolvedOwner {
        let last = event
            .socket_cookie()
            .and_then(|cookie| self.last.get(cookie));
        let owner = match event.owner_status() {
            Some(OwnerStatus::Orphaned) => Owner::Orphaned { last },
            Some(OwnerStatus::NotAccepted) => Owner::NotAccepted { listener: None },
            Some(OwnerStatus::Kernel) => Owner::Kernel,
            _ => Owner::Unknown,
        };
        ResolvedOwner {
            owner,
            container: None,
        }
    }

    /// The owner of an event whose socket or listener is held by `holder`, one of this number of `holders`. Remembers
    /// the holder of a socket, but not of a listener, for events after the socket was closed.
    fn held_by(&mut self, event: &Event, holder: &Holder, holders: u32) -> ResolvedOwner {
        let container = self.container(holder);
        let short = container.as_ref().map(|container| container.short());
        let process = Process {
            pid: holder.pid,
            comm: holder.comm,
            uid: Some(holder.uid),
            container: short.map(truncated_name),
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
        ResolvedOwner { owner, container }
    }

    /// The container of a holder. It is read on request and kept no longer than the table,
    /// because the kernel reuses process numbers.
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

/// As much of the text as a [`Name`] has room for.
fn truncated_name(text: &str) -> Name {
    let mut bytes = [0; Name::MAX];
    let length = text.floor_char_boundary(Name::MAX);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    Name::from_bytes(bytes)
}

/// A map with eviction of old entries. It keeps at least the most recent `capacity / 2` values, and `capacity` at most.
struct RecentMap<V> {
    new: HashMap<u64, V, RandomState>,
    old: HashMap<u64, V, RandomState>,
    capacity: usize,
}

impl<V: Copy> RecentMap<V> {
    fn new(capacity: usize) -> RecentMap<V> {
        RecentMap {
            new: HashMap::default(),
            old: HashMap::default(),
            capacity,
        }
    }

    fn insert(&mut self, key: u64, value: V) {
        if self.new.len() >= self.capacity / 2 {
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
