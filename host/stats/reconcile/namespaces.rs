//! Finds a process in each network namespace, and reads the namespace's counters through `/proc/PID/net`.
//!
//! A process may end or enter another namespace at any time, and its number may be used again. So a reading counts only
//! if the process was in the namespace before and after it: [`Namespaces::read_through`] lies between two scans of all
//! processes. One scan serves the readings of all namespaces.
//!
//! No file is kept open: an open file of `/proc/PID/net` or `/proc/PID/ns` would keep the namespace alive, with its
//! interfaces, after its container has ended.

use std::collections::HashMap;
use std::mem;
use std::path::PathBuf;
use std::process;
use std::time::Duration;
use std::time::Instant;

use super::kernel_counters::Counters;
use super::left_out::LeftOut;
use super::left_out::LeftOutSums;
use super::members::Member;
use super::members::Members;
use crate::system::procfs::directory;
use crate::system::procfs::read_to_string;

/// Minimum time between two looks at all processes.
const MIN_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Minimum time between two looks as a multiple of the duration of a look.
const MIN_LOOK_INTERVAL_FACTOR: u32 = 50;

/// Maximum number of network namespaces that are distinguished: any user may create some, each with processes and
/// events of its own. Their accounts take some 8 MiB.
pub const MAX_NAMESPACES: usize = 16_384;

/// Time since boot.
pub type BootTime = Box<dyn Fn() -> Duration + Send>;

/// A reading of the counters of a namespace: RetransSegs as of some time from `from` to `to`, and the others as of a
/// time shortly after.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The counters.
    pub counters: Counters,
    /// Time since boot before RetransSegs was read.
    pub from: Duration,
    /// Time since boot after RetransSegs was read.
    pub to: Duration,
    /// Growth of RetransSegs until the other counters were read, which are in another file.
    pub growth_during_read: u64,
    /// What the filters had left out before the counters were read.
    pub left_out: LeftOut,
    /// Segments that they left out until all counters had been read.
    pub left_out_during_read: u64,
    /// The process through which they were read.
    pub member: Member,
}

/// The network namespaces that have a process.
pub struct Namespaces {
    proc: PathBuf,
    now: BootTime,
    members: Box<dyn Members>,
    /// A process of each namespace, by the namespace's inode, as of the last scan.
    known: HashMap<u32, Member>,
    /// Time since boot before which the next look is not due.
    next_look: Duration,
    /// Whether a failed scan was logged.
    failed: bool,
    /// What the filters leave out.
    pub left_out: Box<dyn LeftOutSums>,
}

impl Namespaces {
    /// The namespaces of the processes in `proc`, which is `/proc` except in tests.
    pub fn new(
        proc: PathBuf,
        now: BootTime,
        members: Box<dyn Members>,
        left_out: Box<dyn LeftOutSums>,
    ) -> Namespaces {
        Namespaces {
            proc,
            now,
            members,
            known: HashMap::new(),
            next_look: Duration::ZERO,
            failed: false,
            left_out,
        }
    }

    /// Time since boot.
    pub fn now(&self) -> Duration {
        (self.now)()
    }

    /// Scans all processes. Wanted namespaces are found even if there are more than [`MAX_NAMESPACES`].
    pub fn scan(&mut self, is_wanted: impl Fn(u32) -> bool) {
        let before = mem::take(&mut self.known);
        let own = process::id();
        // The process that was found before is kept while it is in the namespace: readings through it are confirmed.
        // This process comes next, because it exists until the end of the run, and then the one with the lowest number:
        // mostly the first of a container, from which its others descend.
        let rank = |member: &Member| {
            let pid = member.process.pid;
            (before.get(&member.inode) != Some(member), pid != own, pid)
        };
        let begun = Instant::now();
        let mut processes = 0u64;
        let known = &mut self.known;
        let scanned = self.members.visit(&mut |member| {
            processes += 1;
            if let Some(best) = known.get_mut(&member.inode) {
                if rank(&member) < rank(best) {
                    *best = member;
                }
            } else if known.len() < MAX_NAMESPACES || is_wanted(member.inode) {
                known.insert(member.inode, member);
            }
        });
        tracing::debug!("listed {processes} processes in {:?}", begun.elapsed());
        if let Err(error) = scanned {
            // A process that is missing in the list has not necessarily ended.
            self.known.clear();
            if !mem::replace(&mut self.failed, true) {
                tracing::warn!(
                    "cannot list the processes: {error}; --reconcile may not compare some network namespaces"
                );
            }
        }
    }

    /// Returns whether a look at all processes is due: they take a small part of the time only.
    pub fn is_look_due(&self) -> bool {
        self.now() >= self.next_look
    }

    /// To be called at the end of a look, which began at this time: one or two scans, and the readings.
    pub fn end_look(&mut self, begun: Duration) {
        let end = self.now();
        let took = end.saturating_sub(begun);
        self.next_look = end + MIN_LOOK_INTERVAL.max(MIN_LOOK_INTERVAL_FACTOR * took);
    }

    /// The processes that the last scan found, one of each namespace.
    pub fn members(&self) -> Vec<Member> {
        self.known.values().copied().collect()
    }

    /// The process that the last scan found in the namespace.
    pub fn member(&self, inode: u32) -> Option<Member> {
        self.known.get(&inode).copied()
    }

    /// Returns whether the last scan found this process in its namespace. It must be the one that an earlier scan found
    /// there.
    pub fn is_confirmed(&self, member: &Member) -> bool {
        self.known.get(&member.inode) == Some(member)
    }

    /// Reads the counters through a process that an earlier scan found. The reading is that of the namespace only if a
    /// later scan [confirms](Self::is_confirmed) the process. `None`: it has ended, or `/proc` hides it.
    pub fn read_through(&self, member: Member) -> Option<Reading> {
        let inode = member.inode;
        let directory = directory(&self.proc, member.process.pid).ok()?;
        let left_out = self.left_out.of(inode);
        let from = self.now();
        let snmp = read_to_string(&directory, "net/snmp").ok()?;
        // Segments that are sent from here on are not in RetransSegs, however long reading the other file takes.
        let to = self.now();
        let netstat = read_to_string(&directory, "net/netstat").ok()?;
        let later = read_to_string(&directory, "net/snmp").ok()?;
        let left_out_later = self.left_out.of(inode);
        let counters = Counters::parse(&snmp, &netstat)?;
        let later = Counters::parse(&later, &netstat)?;
        Some(Reading {
            counters,
            from,
            to,
            growth_during_read: later.retrans_segs.saturating_sub(counters.retrans_segs),
            left_out,
            left_out_during_read: (left_out_later - left_out).segments,
            member,
        })
    }
}
