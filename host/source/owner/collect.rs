//! Collects the holders that a scan finds: each pair of a process and a socket once, up to a limit.

use std::collections::HashSet;
use std::time::Duration;

use super::holder_table::HOLDER_SIZE;
use super::holder_table::Holder;
use super::holder_table::HolderTable;

/// The most pairs of a process and a socket that a scan keeps; any user can open more. They take 14 MiB in a table. Up
/// to 57 MiB were measured while one table replaced another.
pub const MAX_HOLDERS: usize = 262_144;

/// The most sockets for which a holder is kept beyond [`MAX_HOLDERS`], because events ask for them.
pub const MAX_WANTED: usize = 16_384;

/// The holders that a scan has found so far.
pub struct Collector {
    /// Inodes that events ask for, without those for which a holder was kept beyond [`MAX_HOLDERS`].
    wanted: HashSet<u64>,
    /// Inode and process of each holder up to [`MAX_HOLDERS`].
    known: HashSet<(u64, u32)>,
    holders: Vec<Holder>,
    /// Whether holders were dropped because of the limit.
    is_cut: bool,
}

impl Collector {
    /// An empty collector. For each of the inodes in `wanted`, [`MAX_WANTED`] at most, it keeps
    /// one holder even beyond [`MAX_HOLDERS`].
    pub fn new(wanted: HashSet<u64>) -> Collector {
        Collector {
            wanted,
            known: HashSet::new(),
            holders: Vec::new(),
            is_cut: false,
        }
    }

    /// Adds these holders, each a `struct retrans_holder` as the kernel wrote it.
    pub fn take(&mut self, holders: &[[u8; HOLDER_SIZE]]) {
        for holder in holders {
            self.add(Holder::read(holder));
        }
    }

    fn add(&mut self, holder: Holder) {
        let key = (holder.inode, holder.pid);
        if self.known.len() < MAX_HOLDERS {
            if self.known.insert(key) {
                self.holders.push(holder);
            }
        } else if !self.known.contains(&key) {
            self.is_cut = true;
            if self.wanted.remove(&holder.inode) {
                self.holders.push(holder);
            }
        }
    }

    /// The table of all holders that were kept. `begun` is the time since boot at which the scan began.
    pub fn finish(self, begun: Duration) -> HolderTable {
        // Freed first, because sorting and shrinking the table needs memory of its own.
        drop(self.known);
        let mut table = HolderTable::of(begun, self.holders);
        table.is_cut = self.is_cut;
        table.not_found = self.wanted;
        table
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Name;

    use super::*;

    fn holder(inode: u64, pid: u32) -> Holder {
        Holder {
            inode,
            pid,
            parent: 1,
            uid: 0,
            begun: Duration::ZERO,
            comm: Name::from_bytes([0; Name::MAX]),
        }
    }

    fn pids(table: &HolderTable, inode: u64) -> Vec<u32> {
        let holders = table.holders(inode).iter();
        holders.map(|holder| holder.pid).collect()
    }

    #[test]
    fn a_socket_that_a_process_has_open_a_million_times_is_kept_once() {
        let mut collector = Collector::new(HashSet::new());
        for _ in 0..1_000_000 {
            collector.add(holder(7, 3));
        }
        collector.add(holder(7, 2));
        assert!(collector.holders.capacity() < 100);
        let table = collector.finish(Duration::ZERO);
        assert_eq!(pids(&table, 7), [2, 3]);
        assert!(!table.is_cut);
    }

    #[test]
    fn where_there_is_no_room_for_all_the_sockets_that_are_asked_for_keep_a_holder() {
        let mut collector = Collector::new(HashSet::from([1_000_000, 1_000_001, 9]));
        for pid in 0..MAX_HOLDERS as u32 {
            collector.add(holder(9, pid));
        }
        // A pair that is known does not count as dropped when it is found again.
        collector.add(holder(9, 0));
        assert!(!collector.is_cut);
        for inode in [1_000_000, 1_000_001, 1_000_002] {
            for pid in [20, 10, 20] {
                collector.add(holder(inode, pid));
            }
        }
        assert!(collector.holders.len() <= MAX_HOLDERS + 3);
        let table = collector.finish(Duration::ZERO);
        assert!(table.is_cut);
        assert_eq!(pids(&table, 1_000_000), [20]);
        assert_eq!(pids(&table, 1_000_001), [20]);
        assert_eq!(pids(&table, 1_000_002), [] as [u32; 0]);
        assert_eq!(pids(&table, 9).len(), MAX_HOLDERS);
    }
}
