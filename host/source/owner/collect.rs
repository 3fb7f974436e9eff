//! Collects the holders that a scan finds: each pair of a process and a socket once, up to a limit.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use super::holder_table;
use super::holder_table::HOLDER_SIZE;
use super::holder_table::Holder;
use super::holder_table::HolderTable;
use super::holder_table::PROCESS_START;
use super::holder_table::Pair;

/// The most pairs of a process and a socket that a scan keeps; any user can open more. They take 4 MiB in a table.
pub const MAX_HOLDERS: usize = 262_144;

/// The most sockets for which a holder is kept beyond [`MAX_HOLDERS`], because events ask for them.
pub const MAX_WANTED: usize = 16_384;

/// The most pairs that are collected before repeats among them are dropped.
const MAX_RECENT: usize = 32_768;

/// The process of the holder that was added last. The kernel lists the sockets of a process one after the other.
struct LastProcess {
    bytes: [u8; HOLDER_SIZE - PROCESS_START],
    pid: u32,
    index: u32,
}

/// The holders that a scan has found so far. Repeats are found by sorting: a table of hashes of all pairs took a fifth
/// of the time of a scan, and more memory than the pairs.
pub struct Collector {
    /// Inodes that events ask for, without those for which a holder was kept beyond [`MAX_HOLDERS`].
    wanted: HashSet<u64>,
    /// Pairs without repeats, in order.
    kept: Vec<Pair>,
    /// The latest pairs, with repeats.
    recent: Vec<Pair>,
    /// Pairs beyond [`MAX_HOLDERS`].
    beyond: Vec<Pair>,
    processes: Vec<Holder>,
    last: Option<LastProcess>,
    /// Whether holders were dropped because of the limit.
    is_cut: bool,
}

impl Collector {
    /// An empty collector. For each of the inodes in `wanted`, [`MAX_WANTED`] at most, it keeps
    /// one holder even beyond [`MAX_HOLDERS`].
    pub fn new(wanted: HashSet<u64>) -> Collector {
        Collector {
            wanted,
            kept: Vec::new(),
            recent: Vec::new(),
            beyond: Vec::new(),
            processes: Vec::new(),
            last: None,
            is_cut: false,
        }
    }

    /// Adds these holders, each a `struct retrans_holder` as the kernel wrote it.
    pub fn take(&mut self, holders: &[[u8; HOLDER_SIZE]]) {
        for holder in holders {
            let inode = holder_table::inode(holder);
            match &self.last {
                Some(last) if last.bytes == holder[PROCESS_START..] => {
                    self.add_pair(Pair {
                        inode,
                        pid: last.pid,
                        process: last.index,
                    });
                }
                _ => {
                    let process = Holder::read(holder);
                    let pid = process.pid;
                    let index = self.add(inode, process);
                    self.last = index.and_then(|index| {
                        let bytes = *holder.last_chunk()?;
                        Some(LastProcess { bytes, pid, index })
                    });
                }
            }
        }
    }

    /// Adds a socket and a process that holds it. Returns the index of the process, if it is known.
    pub fn add(&mut self, inode: u64, holder: Holder) -> Option<u32> {
        let pair = Pair {
            inode,
            pid: holder.pid,
            process: u32::try_from(self.processes.len()).ok()?,
        };
        // First: pairs are merged when there are many, with their processes.
        self.processes.push(holder);
        let is_added = self.add_pair(pair);
        if !is_added {
            self.processes.pop();
        }
        // Its index has changed if unused processes were dropped.
        let is_last = self.processes.len() == pair.process as usize + 1;
        (is_added && is_last).then_some(pair.process)
    }

    /// Adds a pair. Returns false if it is dropped.
    fn add_pair(&mut self, pair: Pair) -> bool {
        if self.kept.len() < MAX_HOLDERS {
            self.recent.push(pair);
            if self.recent.len() >= MAX_RECENT {
                self.merge();
            }
            return true;
        }
        if self.is_kept(&pair) {
            return false;
        }
        self.add_beyond(pair)
    }

    fn is_kept(&self, pair: &Pair) -> bool {
        let found = self.kept.binary_search_by_key(&pair.key(), Pair::key);
        found.is_ok()
    }

    /// Keeps a pair for which there is no room only if an event asks for its socket. Returns whether it is kept.
    fn add_beyond(&mut self, pair: Pair) -> bool {
        self.is_cut = true;
        let is_wanted = self.wanted.remove(&pair.inode);
        if is_wanted {
            self.beyond.push(pair);
        }
        is_wanted
    }

    /// Drops the repeats among the latest pairs, and keeps the others, up to the limit.
    fn merge(&mut self) {
        let mut recent = std::mem::take(&mut self.recent);
        recent.sort_unstable();
        recent.dedup_by_key(|pair| pair.key());
        recent.retain(|pair| !self.is_kept(pair));
        let room = (MAX_HOLDERS - self.kept.len()).min(recent.len());
        for pair in recent.drain(room..) {
            self.add_beyond(pair);
        }
        self.kept.append(&mut recent);
        // Stable, which is fast for two runs that are in order.
        self.kept.sort_by_key(Pair::key);
        self.recent = recent;
        if self.processes.len() > self.kept.len() + MAX_RECENT {
            self.drop_unused_processes();
        }
    }

    /// Drops the processes of which all pairs were repeats: a process is added again for each of its threads that has a
    /// table of open files of its own.
    fn drop_unused_processes(&mut self) {
        let mut numbers = HashMap::new();
        let mut used = Vec::new();
        for pair in self.kept.iter_mut().chain(&mut self.beyond) {
            let number = numbers.entry(pair.process).or_insert_with(|| {
                used.push(self.processes[pair.process as usize].clone());
                used.len() as u32 - 1
            });
            pair.process = *number;
        }
        self.processes = used;
        self.last = None;
    }

    /// The table of all holders that were kept. `begun` is the time since boot at which the scan began.
    pub fn finish(mut self, begun: Duration) -> HolderTable {
        self.merge();
        if !self.beyond.is_empty() {
            self.kept.append(&mut self.beyond);
            self.kept.sort_by_key(Pair::key);
        }
        let mut table = HolderTable::new(begun, self.kept, self.processes);
        table.is_cut = self.is_cut;
        table.not_found = self.wanted;
        table
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Name;

    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder {
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
        let process = collector.add(7, holder(3)).expect("its index");
        for _ in 0..1_000_000 {
            collector.add_pair(Pair {
                inode: 7,
                pid: 3,
                process,
            });
        }
        collector.add(7, holder(2));
        assert!(collector.recent.capacity() <= MAX_RECENT);
        assert_eq!(collector.kept.len(), 1);
        let table = collector.finish(Duration::ZERO);
        assert_eq!(pids(&table, 7), [2, 3]);
        assert!(!table.is_cut);
    }

    #[test]
    fn where_there_is_no_room_for_all_the_sockets_that_are_asked_for_keep_a_holder() {
        let mut collector = Collector::new(HashSet::from([1_000_000, 1_000_001, 9]));
        for pid in 0..MAX_HOLDERS as u32 {
            collector.add(9, holder(pid));
        }
        // A pair that is known does not count as dropped when it is found again.
        collector.add(9, holder(0));
        assert!(!collector.is_cut);
        for inode in [1_000_000, 1_000_001, 1_000_002] {
            for pid in [20, 10, 20] {
                collector.add(inode, holder(pid));
            }
        }
        assert!(collector.kept.len() + collector.beyond.len() <= MAX_HOLDERS + 2);
        let table = collector.finish(Duration::ZERO);
        assert!(table.is_cut);
        assert_eq!(pids(&table, 1_000_000), [20]);
        assert_eq!(pids(&table, 1_000_001), [20]);
        assert_eq!(pids(&table, 1_000_002), [] as [u32; 0]);
        assert_eq!(pids(&table, 9).len(), MAX_HOLDERS);
    }

    #[test]
    fn pairs_that_are_found_again_much_later_are_kept_once() {
        let mut collector = Collector::new(HashSet::new());
        for _ in 0..2 {
            for inode in 0..MAX_RECENT as u64 + 10 {
                collector.add(inode, holder(3));
            }
        }
        let table = collector.finish(Duration::ZERO);
        assert_eq!(table.len(), MAX_RECENT + 10);
        assert_eq!(pids(&table, 5), [3]);
    }

    #[test]
    fn processes_that_alternate_are_not_kept_again_and_again() {
        let mut collector = Collector::new(HashSet::new());
        for _ in 0..100_000 {
            collector.add(1, holder(1));
            collector.add(2, holder(2));
        }
        assert!(collector.processes.len() <= 2 * MAX_RECENT + 2);
        let table = collector.finish(Duration::ZERO);
        assert_eq!(pids(&table, 1), [1]);
        assert_eq!(pids(&table, 2), [2]);
    }
}
