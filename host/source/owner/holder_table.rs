//! The processes that held TCP sockets at the last scan of open files.

use std::cell::Cell;
use std::collections::HashSet;
use std::mem::offset_of;
use std::time::Duration;

use retrans_event::Name;

use crate::source::bpf::holders::types::retrans_holder;

/// Size of `struct retrans_holder` in bytes: the kernel writes one for each process and socket.
pub const HOLDER_SIZE: usize = size_of::<retrans_holder>();

/// The process in `struct retrans_holder`: all that follows the inode.
pub const PROCESS_START: usize = offset_of!(retrans_holder, begun_ns);

// The inode is the first member.
const _: () = assert!(offset_of!(retrans_holder, inode) == 0 && PROCESS_START == 8);

/// A process that holds sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Number of the process in the host's pid namespace.
    pub pid: u32,
    /// Number of its parent; 0 if the parent is in another pid namespace.
    pub parent: u32,
    /// Effective user.
    pub uid: u32,
    /// Time since boot at which its main thread began.
    pub begun: Duration,
    /// Name of its main thread.
    pub comm: Name,
}

/// The inode in `struct retrans_holder`.
pub fn inode(bytes: &[u8; HOLDER_SIZE]) -> u64 {
    read_u64(bytes, offset_of!(retrans_holder, inode))
}

fn read_u64(bytes: &[u8; HOLDER_SIZE], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_ne_bytes(number)
}

impl Holder {
    /// Reads the process in `struct retrans_holder`, in the byte order of this machine.
    pub fn read(bytes: &[u8; HOLDER_SIZE]) -> Holder {
        let read_u32 = |offset: usize| {
            let mut number = [0; 4];
            number.copy_from_slice(&bytes[offset..offset + 4]);
            u32::from_ne_bytes(number)
        };
        let mut comm = [0; Name::MAX];
        comm.copy_from_slice(&bytes[offset_of!(retrans_holder, comm)..][..Name::MAX]);
        Holder {
            pid: read_u32(offset_of!(retrans_holder, pid)),
            parent: read_u32(offset_of!(retrans_holder, parent)),
            uid: read_u32(offset_of!(retrans_holder, uid)),
            begun: Duration::from_nanos(read_u64(bytes, offset_of!(retrans_holder, begun_ns))),
            comm: Name::from_bytes(comm),
        }
    }
}

/// One process that holds one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Inode of the socket.
    pub inode: u64,
    /// Number of the process.
    pub pid: u32,
    /// Index of the process in the table.
    pub process: u32,
}

impl Pair {
    /// What identifies the pair, and orders pairs.
    pub fn key(&self) -> (u64, u32) {
        (self.inode, self.pid)
    }
}

/// The most holders of one socket that are compared to find the one from which the others descend.
const MAX_COMPARED: usize = 1_024;

/// The shortest validity of the answers of a scan, counted from its beginning.
pub const MIN_VALIDITY: Duration = Duration::from_secs(1);

/// The result of a scan.
#[derive(Debug)]
pub struct HolderTable {
    /// Time since boot at which the scan began.
    pub begun: Duration,
    /// How long answers are valid: for events whose time is at most this much later than `begun`.
    pub validity: Duration,
    /// Whether the scan found more pairs than are kept.
    pub is_cut: bool,
    /// If `is_cut`: requested sockets without a holder. One would have been kept in spite of the limit.
    pub not_found: HashSet<u64>,
    /// Ordered, without repeats.
    pairs: Vec<Pair>,
    processes: Vec<Holder>,
    /// Where the last socket was found. Sockets that were opened one after the other often retransmit in that order.
    last_found: Cell<usize>,
}

impl HolderTable {
    /// A table of these pairs, which are ordered by their keys and without repeats. `begun` is the time since boot at
    /// which the scan began.
    pub fn new(begun: Duration, mut pairs: Vec<Pair>, processes: Vec<Holder>) -> HolderTable {
        debug_assert!(pairs.is_sorted_by(|left, right| left.key() < right.key()));
        pairs.shrink_to_fit();
        HolderTable {
            begun,
            validity: MIN_VALIDITY,
            is_cut: false,
            not_found: HashSet::new(),
            pairs,
            processes,
            last_found: Cell::new(0),
        }
    }

    /// The table before the first scan, without holders.
    pub fn empty() -> HolderTable {
        HolderTable::new(Duration::ZERO, Vec::new(), Vec::new())
    }

    /// Number of pairs of a process and a socket.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Size of its memory in bytes.
    pub fn memory(&self) -> usize {
        self.pairs.capacity() * size_of::<Pair>() + self.processes.capacity() * size_of::<Holder>()
    }

    /// Returns whether the table is complete for a socket: if it has no holder here, no process held it.
    pub fn is_complete_for(&self, inode: u64) -> bool {
        !self.is_cut || self.not_found.contains(&inode)
    }

    /// The index of the first pair whose inode is not less.
    fn find(&self, inode: u64) -> usize {
        let last = self.last_found.get();
        let near = last.saturating_sub(NEAR)..(last + NEAR).min(self.pairs.len());
        let pairs = &self.pairs[near.clone()];
        let is_near = pairs.first().is_some_and(|first| first.inode < inode)
            && pairs.last().is_some_and(|last| last.inode >= inode);
        let found = match is_near {
            true => near.start + pairs.partition_point(|pair| pair.inode < inode),
            false => self.pairs.partition_point(|pair| pair.inode < inode),
        };
        self.last_found.set(found);
        found
    }

    /// The processes that held a socket.
    pub fn holders(&self, inode: u64) -> Holders<'_> {
        let begin = self.find(inode);
        let pairs = &self.pairs[begin..];
        // Most sockets have one holder, or a few.
        let end = pairs
            .iter()
            .take(MAX_COUNTED)
            .position(|pair| pair.inode != inode);
        let end = end.unwrap_or_else(|| pairs.partition_point(|pair| pair.inode == inode));
        Holders {
            pairs: &pairs[..end],
            processes: &self.processes,
        }
    }
}

/// Number of pairs on either side of the last socket in which the next one is looked for first.
const NEAR: usize = 64;

/// The most holders of a socket that are counted one by one, before a search by halves.
const MAX_COUNTED: usize = 4;

/// The processes that held one socket, ordered by process number.
#[derive(Debug, Clone, Copy)]
pub struct Holders<'a> {
    pairs: &'a [Pair],
    processes: &'a [Holder],
}

impl<'a> Holders<'a> {
    /// Number of processes.
    pub fn len(self) -> usize {
        self.pairs.len()
    }

    /// The processes, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a Holder> {
        let index = |pair: &Pair| self.processes.get(pair.process as usize);
        self.pairs.iter().filter_map(index)
    }

    /// The process with this number. A binary search, because any user can have a socket held by thousands of
    /// processes, and this runs for each event.
    fn find(self, pid: u32) -> Option<&'a Holder> {
        let found = self.pairs.binary_search_by_key(&pid, |pair| pair.pid);
        let pair = &self.pairs[found.ok()?];
        self.processes.get(pair.process as usize)
    }

    /// Selects the holder to name as the owner. In this order: the process `before`, which was named before, while it
    /// holds the socket; the process from which all others descend, because a child inherits what its parent has
    /// opened; the process with the lowest number.
    pub fn representative(self, before: Option<u32>) -> Option<&'a Holder> {
        if let Some(holder) = before.and_then(|pid| self.find(pid)) {
            return Some(holder);
        }
        let inherited = |holder: &&Holder| self.find(holder.parent).is_some();
        let compared = self.iter().take(MAX_COMPARED);
        let mut openers = compared.filter(|holder| !inherited(holder));
        match (openers.next(), openers.next()) {
            (Some(opener), None) => Some(opener),
            _ => self.iter().next(),
        }
    }
}

#[cfg(test)]
impl HolderTable {
    /// A table of sockets and their holders, in any order and with repeats.
    pub fn of(begun: Duration, holders: Vec<(u64, Holder)>) -> HolderTable {
        let mut collector = super::collect::Collector::new(HashSet::new());
        for (inode, holder) in holders {
            collector.add(inode, holder);
        }
        collector.finish(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(inode: u64, pid: u32, parent: u32, comm: &str) -> [u8; HOLDER_SIZE] {
        let mut bytes = [0; HOLDER_SIZE];
        let mut put = |offset: usize, value: &[u8]| {
            bytes[offset..offset + value.len()].copy_from_slice(value);
        };
        put(offset_of!(retrans_holder, inode), &inode.to_ne_bytes());
        put(offset_of!(retrans_holder, pid), &pid.to_ne_bytes());
        put(offset_of!(retrans_holder, parent), &parent.to_ne_bytes());
        put(offset_of!(retrans_holder, uid), &1_000u32.to_ne_bytes());
        put(offset_of!(retrans_holder, comm), comm.as_bytes());
        bytes
    }

    fn table(holders: &[(u64, u32, u32)]) -> HolderTable {
        let holder = |(inode, pid, parent): &(u64, u32, u32)| {
            (*inode, Holder::read(&bytes(*inode, *pid, *parent, "a")))
        };
        let holders = holders.iter().map(holder).collect();
        HolderTable::of(Duration::from_secs(1), holders)
    }

    fn representative_of(holders: &[(u64, u32, u32)]) -> Option<u32> {
        let table = table(holders);
        let named = table.holders(7).representative(None);
        named.map(|holder| holder.pid)
    }

    #[test]
    fn a_holder_is_read_as_the_kernel_wrote_it() {
        let bytes = bytes(1 << 40, 12, 1, "nginx");
        let holder = Holder::read(&bytes);
        assert_eq!(inode(&bytes), 1 << 40);
        assert_eq!((holder.pid, holder.parent, holder.uid), (12, 1, 1_000));
        assert_eq!(holder.comm.as_str(), "nginx");
    }

    #[test]
    fn a_process_counts_once_however_many_descriptors_it_has() {
        let table = table(&[(7, 3, 1), (8, 3, 1), (7, 3, 1), (7, 2, 1), (9, 3, 1)]);
        let pids = |inode| -> Vec<u32> {
            let holders = table.holders(inode).iter();
            holders.map(|holder| holder.pid).collect()
        };
        assert_eq!(pids(7), [2, 3]);
        assert_eq!(pids(8), [3]);
        assert_eq!(pids(6), [] as [u32; 0]);
        assert_eq!(pids(10), [] as [u32; 0]);
    }

    #[test]
    fn a_socket_is_found_wherever_the_one_before_it_was() {
        let holders: Vec<_> = (0..1_000).map(|number| (2 * number, 3, 1)).collect();
        let table = table(&holders);
        for before in [0, 2, 500, 1_000, 1_996, 1_998, 5_000] {
            for inode in (0..2_010).step_by(7) {
                table.holders(before);
                let expected = usize::from(inode % 2 == 0 && inode < 2_000);
                assert_eq!(table.holders(inode).len(), expected, "{before} {inode}");
            }
        }
    }

    #[test]
    fn the_ancestor_of_all_other_holders_is_named_whatever_its_number() {
        assert_eq!(
            representative_of(&[(7, 900, 1), (7, 20, 900), (7, 30, 20)]),
            Some(900)
        );
    }

    #[test]
    fn thousands_of_holders_are_compared_in_a_moment() {
        // Each process was forked by the one after it, so that the search compares all of them.
        let holders: Vec<_> = (10..100_010).map(|pid| (7, pid, pid + 1)).collect();
        let table = table(&holders);
        let begun = std::time::Instant::now();
        let named = table
            .holders(7)
            .representative(None)
            .map(|holder| holder.pid);
        assert_eq!(named, Some(10));
        let before = table.holders(7).representative(Some(100_000));
        let before = before.map(|holder| holder.pid);
        assert_eq!(before, Some(100_000));
        // A comparison of every pair would take seconds.
        assert!(begun.elapsed() < Duration::from_millis(100));
    }

    #[test]
    fn of_unrelated_holders_the_lowest_number_is_named() {
        assert_eq!(
            representative_of(&[(7, 900, 1), (7, 20, 2), (7, 901, 900)]),
            Some(20)
        );
        assert_eq!(representative_of(&[(7, 44, 43)]), Some(44));
        assert_eq!(representative_of(&[]), None);
    }

    #[test]
    fn the_process_that_was_named_before_is_named_while_it_holds_the_socket() {
        let table = table(&[(7, 20, 1), (7, 900, 1)]);
        let named = |before| {
            let holder = table.holders(7).representative(before);
            holder.map(|holder| holder.pid)
        };
        assert_eq!(named(Some(900)), Some(900));
        assert_eq!(named(Some(30)), Some(20));
    }
}
