//! Finds a process in each network namespace, and reads the namespace's counters through `/proc/PID/net`.
//!
//! No file is kept open: an open file of `/proc/PID/net` or `/proc/PID/ns` would keep the namespace alive, with its
//! interfaces, after its container has ended.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use rustix::fs::CWD;
use rustix::fs::readlinkat;
use rustix::io::Errno;

use super::kernel_counters::Counters;
use super::left_out::LeftOut;
use super::left_out::LeftOutSums;
use crate::system::procfs::directory;
use crate::system::procfs::read_to_string;
use crate::system::procfs::started;

/// Minimum time between two scans of all processes.
const MIN_SCAN_INTERVAL: Duration = Duration::from_millis(100);

/// Minimum time between two scans as a multiple of the duration of a scan: 2,000 processes take 13 ms.
const MIN_SCAN_INTERVAL_FACTOR: u32 = 50;

/// Maximum number of network namespaces that are distinguished: any user may create some, each with processes and
/// events of its own. Their accounts take some 8 MiB.
pub const MAX_NAMESPACES: usize = 16_384;

/// Time since boot.
pub type BootTime = Box<dyn Fn() -> Duration + Send>;

/// Identifies a process, and no later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    /// Start time in clock ticks since boot.
    started: u64,
}

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
    pub process: Process,
}

/// Result of a search for a process in a namespace.
#[derive(Debug)]
pub enum Search {
    /// A process was found. The counters were read through it.
    Found(Reading),
    /// All processes were scanned, and none of them is in the namespace.
    NoProcess,
    /// The last scan found no process in the namespace, and the next scan is not due before this time since boot.
    NotBefore(Duration),
}

/// The network namespaces that have a process.
pub struct Namespaces {
    proc: PathBuf,
    now: BootTime,
    /// A process of each namespace, by the namespace's inode, as of the last scan.
    pids: HashMap<u32, u32>,
    /// Time since boot before which no scan begins.
    next_scan: Duration,
    /// Whether a scan found processes that this user may not inspect.
    pub has_hidden: bool,
    /// What the filters leave out.
    pub left_out: Box<dyn LeftOutSums>,
}

impl Namespaces {
    /// The namespaces of the processes in `proc`, which is `/proc` except in tests.
    pub fn new(proc: PathBuf, now: BootTime, left_out: Box<dyn LeftOutSums>) -> Namespaces {
        Namespaces {
            proc,
            now,
            pids: HashMap::new(),
            next_scan: Duration::ZERO,
            has_hidden: false,
            left_out,
        }
    }

    /// Time since boot.
    pub fn now(&self) -> Duration {
        (self.now)()
    }

    /// Scans all processes.
    pub fn scan(&mut self) {
        self.scan_for(None);
    }

    /// Scans all processes. The wanted namespace is found even if there are more than [`MAX_NAMESPACES`].
    fn scan_for(&mut self, wanted: Option<u32>) {
        let begin = self.now();
        self.pids.clear();
        let entries = fs::read_dir(&self.proc).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // This process comes first: it exists until the end of the run. Of other processes in a namespace, the one with
        // the lowest number is taken, as `/proc` lists them in that order: mostly the first of a container, from which
        // its others descend.
        for pid in [process::id()].into_iter().chain(pids) {
            match namespace_of(CWD, self.proc.join(format!("{pid}/ns/net"))) {
                Ok(inode) if self.pids.len() < MAX_NAMESPACES || wanted == Some(inode) => {
                    self.pids.entry(inode).or_insert(pid);
                }
                Ok(_) => {}
                Err(Errno::ACCESS | Errno::PERM) => self.has_hidden = true,
                // The process has ended.
                Err(_) => {}
            }
        }
        let end = self.now();
        let took = end.saturating_sub(begin);
        self.next_scan = end + MIN_SCAN_INTERVAL.max(MIN_SCAN_INTERVAL_FACTOR * took);
    }

    /// The inodes of the namespaces that the last scan found.
    pub fn inodes(&self) -> Vec<u32> {
        self.pids.keys().copied().collect()
    }

    /// Reads the counters through this process. `None`: it has ended, or is no longer in the namespace.
    pub fn read_through(&self, process: Process, inode: u32) -> Option<Reading> {
        let reading = self.read_pid(process.pid, inode);
        reading.filter(|reading| reading.process == process)
    }

    /// Reads the counters through any process in the namespace. If none is known, it scans all processes, unless the
    /// next scan is not due yet.
    pub fn read(&mut self, inode: u32) -> Search {
        if let Some(reading) = self.read_known(inode) {
            return Search::Found(reading);
        }
        if self.now() < self.next_scan {
            return Search::NotBefore(self.next_scan);
        }
        self.scan_for(Some(inode));
        self.read_known(inode)
            .map_or(Search::NoProcess, Search::Found)
    }

    /// Returns whether the last scan found a process in the namespace.
    pub fn has_process(&self, inode: u32) -> bool {
        self.pids.contains_key(&inode)
    }

    /// Reads the counters through the process that the last scan found in the namespace.
    pub fn read_known(&self, inode: u32) -> Option<Reading> {
        self.read_pid(*self.pids.get(&inode)?, inode)
    }

    /// Returns whether this process is still in the namespace. If so, the namespace is the same as before.
    pub fn is_in(&self, process: Process, inode: u32) -> bool {
        let is_in = || {
            let directory = self.directory(process.pid).ok()?;
            let is_same = started(&directory)? == process.started;
            Some(is_same && namespace_of(&directory, "ns/net") == Ok(inode))
        };
        is_in().unwrap_or(false)
    }

    fn read_pid(&self, pid: u32, inode: u32) -> Option<Reading> {
        let directory = self.directory(pid).ok()?;
        let is_in = || namespace_of(&directory, "ns/net") == Ok(inode);
        if !is_in() {
            return None;
        }
        let started = started(&directory)?;
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
        // The process may have moved to another namespace during the reads.
        is_in().then_some(Reading {
            counters,
            from,
            to,
            growth_during_read: later.retrans_segs.saturating_sub(counters.retrans_segs),
            left_out,
            left_out_during_read: (left_out_later - left_out).segments,
            process: Process { pid, started },
        })
    }

    fn directory(&self, pid: u32) -> rustix::io::Result<OwnedFd> {
        directory(&self.proc, pid)
    }
}

/// Reads the inode from a link such as `net:[4026531840]`.
fn namespace_of(directory: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<u32> {
    let link = readlinkat(directory, path, Vec::new())?;
    let inode = link.to_str().ok().and_then(|link| {
        let number = link.strip_prefix("net:[")?.strip_suffix(']')?;
        number.parse().ok()
    });
    inode.ok_or(Errno::INVAL)
}
