//! Finds a process in each network namespace, and reads the namespace's counters through it.
//!
//! Nothing is kept open: an open file of `/proc/PID/net` or `/proc/PID/ns` would keep the namespace
//! alive, with its interfaces, after its container has ended.

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

use super::counters::Counters;
use crate::system::procfs::directory;
use crate::system::procfs::read_to_string;
use crate::system::procfs::started;

/// How far apart two looks at all processes are at least.
const SCAN_INTERVAL: Duration = Duration::from_millis(100);

/// And how much longer the time between them is than the look itself: 2,000 processes take 13 ms.
const SCAN_SHARE: u32 = 50;

/// Network namespaces that are told apart: any user may make some, each with processes and events of
/// its own. Some 8 MiB of accounts.
pub const MAX_NAMESPACES: usize = 16_384;

/// Time since boot.
pub type BootTime = Box<dyn Fn() -> Duration + Send>;

/// A process, and not a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

/// The counters of a namespace: RetransSegs as it was at some time from `from` to `to`, the others as
/// they were shortly after.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// What was read.
    pub counters: Counters,
    /// Time since boot before RetransSegs was read.
    pub from: Duration,
    /// Time since boot after RetransSegs was read.
    pub to: Duration,
    /// By how much RetransSegs grew until the others had been read, which are in another file.
    pub grown_meanwhile: u64,
    /// Through which process.
    pub process: Process,
}

/// What a search for a process in a namespace came to.
#[derive(Debug)]
pub enum Search {
    /// The counters, read through one.
    Found(Reading),
    /// All processes were looked at: none of them is in it.
    NoProcess,
    /// The last look at all processes did not find it, and the next one is not due before this time.
    NotBefore(Duration),
}

/// The network namespaces that have a process.
pub struct Namespaces {
    proc: PathBuf,
    now: BootTime,
    /// A process in each, by inode, as of the last scan.
    pids: HashMap<u32, u32>,
    next_scan: Duration,
    /// Were there processes that may not be looked at?
    pub hidden: bool,
}

impl Namespaces {
    /// Namespaces of the processes in `proc`, which is `/proc` but in tests.
    pub fn new(proc: PathBuf, now: BootTime) -> Namespaces {
        Namespaces {
            proc,
            now,
            pids: HashMap::new(),
            next_scan: Duration::ZERO,
            hidden: false,
        }
    }

    /// Time since boot.
    pub fn now(&self) -> Duration {
        (self.now)()
    }

    /// Looks at all processes.
    pub fn scan(&mut self) {
        self.scan_for(None);
    }

    /// The same; this namespace is found even where there are too many.
    fn scan_for(&mut self, wanted: Option<u32>) {
        let begin = self.now();
        self.pids.clear();
        let entries = fs::read_dir(&self.proc).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // This process first, which is there to the end. Of the others the one with the lowest
        // number, as `/proc` lists them: mostly a container's first, which the others descend from.
        for pid in [process::id()].into_iter().chain(pids) {
            match namespace_of(CWD, self.proc.join(format!("{pid}/ns/net"))) {
                Ok(inode) if self.pids.len() < MAX_NAMESPACES || wanted == Some(inode) => {
                    self.pids.entry(inode).or_insert(pid);
                }
                Ok(_) => {}
                Err(Errno::ACCESS | Errno::PERM) => self.hidden = true,
                // It ended meanwhile.
                Err(_) => {}
            }
        }
        let end = self.now();
        let took = end.saturating_sub(begin);
        self.next_scan = end + SCAN_INTERVAL.max(SCAN_SHARE * took);
    }

    /// The inodes that the last scan found.
    pub fn inodes(&self) -> Vec<u32> {
        self.pids.keys().copied().collect()
    }

    /// The counters through this very process, if it is still in the namespace.
    pub fn read_through(&self, process: Process, inode: u32) -> Option<Reading> {
        let reading = self.read_pid(process.pid, inode);
        reading.filter(|reading| reading.process == process)
    }

    /// The counters through any process in the namespace. Looks at all processes if that is needed
    /// and was not done just before.
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

    /// Did the last look at all processes find one in the namespace?
    pub fn has(&self, inode: u32) -> bool {
        self.pids.contains_key(&inode)
    }

    /// The counters through the process that the last scan found.
    pub fn read_known(&self, inode: u32) -> Option<Reading> {
        self.read_pid(*self.pids.get(&inode)?, inode)
    }

    /// Is this very process still in the namespace? Then the namespace is the same as before.
    pub fn is_in(&self, process: Process, inode: u32) -> bool {
        let still = || {
            let directory = self.directory(process.pid).ok()?;
            let same = started(&directory)? == process.started;
            Some(same && namespace_of(&directory, "ns/net") == Ok(inode))
        };
        still().unwrap_or(false)
    }

    fn read_pid(&self, pid: u32, inode: u32) -> Option<Reading> {
        let directory = self.directory(pid).ok()?;
        let is_there = || namespace_of(&directory, "ns/net") == Ok(inode);
        if !is_there() {
            return None;
        }
        let started = started(&directory)?;
        let from = self.now();
        let snmp = read_to_string(&directory, "net/snmp").ok()?;
        // What is sent from here on is not in RetransSegs, however long the other file takes.
        let to = self.now();
        let netstat = read_to_string(&directory, "net/netstat").ok()?;
        let later = read_to_string(&directory, "net/snmp").ok()?;
        let counters = Counters::parse(&snmp, &netstat)?;
        let later = Counters::parse(&later, &netstat)?;
        // It may have gone to another namespace meanwhile.
        is_there().then_some(Reading {
            counters,
            from,
            to,
            grown_meanwhile: later.retrans_segs.saturating_sub(counters.retrans_segs),
            process: Process { pid, started },
        })
    }

    fn directory(&self, pid: u32) -> rustix::io::Result<OwnedFd> {
        directory(&self.proc, pid)
    }
}

/// The inode in a link such as `net:[4026531840]`.
fn namespace_of(directory: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<u32> {
    let link = readlinkat(directory, path, Vec::new())?;
    let inode = link.to_str().ok().and_then(|link| {
        let number = link.strip_prefix("net:[")?.strip_suffix(']')?;
        number.parse().ok()
    });
    inode.ok_or(Errno::INVAL)
}
