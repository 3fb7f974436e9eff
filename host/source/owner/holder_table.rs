//! Who held which TCP sockets when open files were last scanned.

use std::collections::HashSet;
use std::mem::offset_of;
use std::time::Duration;

use retrans_event::Name;

use crate::source::bpf::holders::types::retrans_holder;

/// Bytes that the kernel writes for each process and socket.
pub const HOLDER_SIZE: usize = size_of::<retrans_holder>();

/// One process that holds one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Inode of the socket.
    pub inode: u64,
    /// Number in the host's pid namespace.
    pub pid: u32,
    /// Number of its parent, 0 if that is in another pid namespace.
    pub parent: u32,
    /// Effective user.
    pub uid: u32,
    /// When its main thread began, since boot.
    pub begun: Duration,
    /// Name of its main thread.
    pub comm: Name,
}

impl Holder {
    /// Reads `struct retrans_holder`, in the byte order of this machine.
    pub fn read(bytes: &[u8; HOLDER_SIZE]) -> Holder {
        let number = |offset: usize| {
            let mut number = [0; 4];
            number.copy_from_slice(&bytes[offset..offset + 4]);
            u32::from_ne_bytes(number)
        };
        let long = |offset: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[offset..offset + 8]);
            u64::from_ne_bytes(number)
        };
        let mut comm = [0; Name::MAX];
        comm.copy_from_slice(&bytes[offset_of!(retrans_holder, comm)..][..Name::MAX]);
        Holder {
            inode: long(offset_of!(retrans_holder, inode)),
            pid: number(offset_of!(retrans_holder, pid)),
            parent: number(offset_of!(retrans_holder, parent)),
            uid: number(offset_of!(retrans_holder, uid)),
            begun: Duration::from_nanos(long(offset_of!(retrans_holder, begun_ns))),
            comm: Name::from_bytes(comm),
        }
    }
}

/// Of the holders of one socket, this many are looked at to find the one that the others descend from.
const MAX_COMPARED: usize = 1_024;

/// How long the answers of a scan hold at least, after its beginning.
pub const MIN_HOLD: Duration = Duration::from_secs(1);

/// What one scan found.
#[derive(Debug)]
pub struct HolderTable {
    /// When the scan began, since boot.
    pub begun: Duration,
    /// For events how much later than that its answers hold.
    pub holds: Duration,
    /// Were there more holders than are kept?
    pub is_cut: bool,
    /// Where it is: sockets for which a holder would have been kept all the same, and was not found.
    pub not_found: HashSet<u64>,
    /// By inode, then by process; no two are the same.
    holders: Vec<Holder>,
}

impl HolderTable {
    /// Of these holders, in whatever order.
    pub fn of(begun: Duration, mut holders: Vec<Holder>) -> HolderTable {
        holders.sort_unstable_by_key(|holder| (holder.inode, holder.pid));
        // A process may have several descriptors of a socket.
        holders.dedup_by_key(|holder| (holder.inode, holder.pid));
        holders.shrink_to_fit();
        HolderTable {
            begun,
            holds: MIN_HOLD,
            is_cut: false,
            not_found: HashSet::new(),
            holders,
        }
    }

    /// Of no scan: without holders.
    pub fn none() -> HolderTable {
        HolderTable::of(Duration::ZERO, Vec::new())
    }

    /// How many holders there are, of all sockets.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Is it known that no process holds a socket that has no holder here?
    pub fn is_sure_of(&self, inode: u64) -> bool {
        !self.is_cut || self.not_found.contains(&inode)
    }

    /// The processes that held a socket, by number.
    pub fn holders(&self, inode: u64) -> &[Holder] {
        let begin = self.holders.partition_point(|holder| holder.inode < inode);
        let holders = &self.holders[begin..];
        &holders[..holders.partition_point(|holder| holder.inode == inode)]
    }
}

/// The one of several to be named: `before`, the process that was named before, while it still holds
/// the socket; else that from which all others descend, which has opened it unless it was passed to
/// strangers; else the one with the lowest number, which comes first. `holders` are in the order of
/// their numbers.
pub fn representative(holders: &[Holder], before: Option<u32>) -> Option<&Holder> {
    // Any user can have a socket held by thousands of processes, and this is done for each event.
    let named = |pid| {
        let found = holders.binary_search_by_key(&pid, |holder| holder.pid);
        found.ok().map(|index| &holders[index])
    };
    if let Some(holder) = before.and_then(named) {
        return Some(holder);
    }
    let inherited = |holder: &&Holder| named(holder.parent).is_some();
    let compared = holders.iter().take(MAX_COMPARED);
    let mut openers = compared.filter(|holder| !inherited(holder));
    match (openers.next(), openers.next()) {
        (Some(opener), None) => Some(opener),
        _ => holders.first(),
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

    fn snapshot(holders: &[(u64, u32, u32)]) -> HolderTable {
        let holder = |(inode, pid, parent): &(u64, u32, u32)| {
            Holder::read(&bytes(*inode, *pid, *parent, "a"))
        };
        let holders = holders.iter().map(holder).collect();
        HolderTable::of(Duration::from_secs(1), holders)
    }

    fn spokesman_of(holders: &[(u64, u32, u32)]) -> Option<u32> {
        let snapshot = snapshot(holders);
        representative(snapshot.holders(7), None).map(|holder| holder.pid)
    }

    #[test]
    fn a_holder_is_read_as_the_kernel_wrote_it() {
        let holder = Holder::read(&bytes(1 << 40, 12, 1, "nginx"));
        assert_eq!(holder.inode, 1 << 40);
        assert_eq!((holder.pid, holder.parent, holder.uid), (12, 1, 1_000));
        assert_eq!(holder.comm.as_str(), "nginx");
    }

    #[test]
    fn a_process_counts_once_however_many_descriptors_it_has() {
        let snapshot = snapshot(&[(7, 3, 1), (8, 3, 1), (7, 3, 1), (7, 2, 1), (9, 3, 1)]);
        let pids = |inode| -> Vec<u32> {
            let holders = snapshot.holders(inode).iter();
            holders.map(|holder| holder.pid).collect()
        };
        assert_eq!(pids(7), [2, 3]);
        assert_eq!(pids(8), [3]);
        assert_eq!(pids(6), [] as [u32; 0]);
        assert_eq!(pids(10), [] as [u32; 0]);
    }

    #[test]
    fn the_ancestor_of_all_other_holders_is_named_whatever_its_number() {
        assert_eq!(
            spokesman_of(&[(7, 900, 1), (7, 20, 900), (7, 30, 20)]),
            Some(900)
        );
    }

    #[test]
    fn thousands_of_holders_are_compared_in_a_moment() {
        // Each was forked by the one after it, so that the search goes through all.
        let holders: Vec<_> = (10..100_010).map(|pid| (7, pid, pid + 1)).collect();
        let snapshot = snapshot(&holders);
        let begun = std::time::Instant::now();
        let named = representative(snapshot.holders(7), None).map(|holder| holder.pid);
        assert_eq!(named, Some(10));
        let before = representative(snapshot.holders(7), Some(100_000)).map(|holder| holder.pid);
        assert_eq!(before, Some(100_000));
        // Every pair would take seconds.
        assert!(begun.elapsed() < Duration::from_millis(100));
    }

    #[test]
    fn of_unrelated_holders_the_lowest_number_is_named() {
        assert_eq!(
            spokesman_of(&[(7, 900, 1), (7, 20, 2), (7, 901, 900)]),
            Some(20)
        );
        assert_eq!(spokesman_of(&[(7, 44, 43)]), Some(44));
        assert_eq!(spokesman_of(&[]), None);
    }

    #[test]
    fn who_was_named_before_is_named_while_it_holds_the_socket() {
        let snapshot = snapshot(&[(7, 20, 1), (7, 900, 1)]);
        let named = |before| representative(snapshot.holders(7), before).map(|holder| holder.pid);
        assert_eq!(named(Some(900)), Some(900));
        assert_eq!(named(Some(30)), Some(20));
    }
}
