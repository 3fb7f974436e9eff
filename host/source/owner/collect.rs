//! Collects what a scan finds: each process and socket once, and no more than there is room for.

use std::collections::HashSet;
use std::time::Duration;

use super::holder_table::HOLDER_SIZE;
use super::holder_table::Holder;
use super::holder_table::HolderTable;

/// Pairs of a process and a socket that a scan keeps; any user can open more. 14 MiB in a snapshot; up to
/// 57 MiB were seen while one took the place of another.
pub const MAX_HOLDERS: usize = 262_144;

/// Sockets of which a holder is kept beyond that.
pub const MAX_WANTED: usize = 16_384;

/// What a scan has found so far.
pub struct Collector {
    /// Inodes that events ask for, without those for which a holder was kept beyond [`MAX_HOLDERS`].
    wanted: HashSet<u64>,
    /// Inode and process of each holder up to [`MAX_HOLDERS`].
    known: HashSet<(u64, u32)>,
    holders: Vec<Holder>,
    is_cut: bool,
}

impl Collector {
    /// Nothing yet. Of each socket in `wanted`, at most [`MAX_WANTED`], a holder is kept however many
    /// others there are.
    pub fn new(wanted: HashSet<u64>) -> Collector {
        Collector {
            wanted,
            known: HashSet::new(),
            holders: Vec::new(),
            is_cut: false,
        }
    }

    /// Takes what the kernel wrote, one holder after the other.
    pub fn take(&mut self, bytes: &[u8]) {
        let (holders, rest) = bytes.as_chunks::<HOLDER_SIZE>();
        debug_assert!(rest.is_empty());
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

    /// All that was kept, of a scan that began then.
    pub fn finish(self, begun: Duration) -> HolderTable {
        // Before the snapshot is sorted and shrunk, which needs room of its own.
        drop(self.known);
        let mut snapshot = HolderTable::of(begun, self.holders);
        snapshot.is_cut = self.is_cut;
        snapshot.not_found = self.wanted;
        snapshot
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

    fn pids(snapshot: &HolderTable, inode: u64) -> Vec<u32> {
        let holders = snapshot.holders(inode).iter();
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
        let snapshot = collector.finish(Duration::ZERO);
        assert_eq!(pids(&snapshot, 7), [2, 3]);
        assert!(!snapshot.is_cut);
    }

    #[test]
    fn where_there_is_no_room_for_all_the_sockets_that_are_asked_for_keep_a_holder() {
        let mut collector = Collector::new(HashSet::from([1_000_000, 1_000_001, 9]));
        for pid in 0..MAX_HOLDERS as u32 {
            collector.add(holder(9, pid));
        }
        // What is known is not cut off by being found again.
        collector.add(holder(9, 0));
        assert!(!collector.is_cut);
        for inode in [1_000_000, 1_000_001, 1_000_002] {
            for pid in [20, 10, 20] {
                collector.add(holder(inode, pid));
            }
        }
        assert!(collector.holders.len() <= MAX_HOLDERS + 3);
        let snapshot = collector.finish(Duration::ZERO);
        assert!(snapshot.is_cut);
        assert_eq!(pids(&snapshot, 1_000_000), [20]);
        assert_eq!(pids(&snapshot, 1_000_001), [20]);
        assert_eq!(pids(&snapshot, 1_000_002), [] as [u32; 0]);
        assert_eq!(pids(&snapshot, 9).len(), MAX_HOLDERS);
    }
}
