//! An artificial machine: processes, their counters, and a clock.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::INODE;
use crate::stats::reconcile::Member;
use crate::stats::reconcile::Members;
use crate::stats::reconcile::Process;
use crate::stats::reconcile::Reconciliation;

/// The processes of an artificial machine.
#[derive(Default)]
pub struct Processes {
    /// By their numbers.
    pub members: BTreeMap<u32, Member>,
    /// Whether the list ends with an error.
    pub is_broken: bool,
    /// Number of times that they were listed.
    scans: u32,
}

/// The list of processes, shared with the test.
struct List(Arc<Mutex<Processes>>);

impl Members for List {
    fn visit(&mut self, take: &mut dyn FnMut(Member)) -> io::Result<()> {
        let mut processes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        processes.scans += 1;
        // The order is arbitrary: this is not that of the numbers.
        processes.members.values().rev().copied().for_each(take);
        match processes.is_broken {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    }
}

/// An artificial machine: processes, their counters in a directory like `/proc`, and a clock that only tests advance.
pub struct Machine {
    processes: Arc<Mutex<Processes>>,
    pub proc: TempDir,
    /// Time since boot in µs.
    time: Arc<AtomicU64>,
}

impl Machine {
    pub fn new() -> Result<Machine> {
        let machine = Machine {
            processes: Arc::default(),
            proc: TempDir::new()?,
            time: Arc::default(),
        };
        machine.set_time(1_000);
        Ok(machine)
    }

    /// A machine with the process 100 in [`INODE`], where 10 segments were retransmitted.
    pub fn with_process() -> Result<Machine> {
        let machine = Machine::new()?;
        machine.process(100, INODE)?;
        machine.counters(100, [10, 0, 0])?;
        Ok(machine)
    }

    pub fn set_time(&self, milliseconds: u64) {
        self.time.store(milliseconds * 1_000, Ordering::Relaxed);
    }

    pub fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of scans of all processes.
    pub fn scans(&self) -> u32 {
        self.processes().scans
    }

    /// Starts a process. A later one with the same number has another start time.
    pub fn process(&self, pid: u32, inode: u32) -> Result<()> {
        let begun = Duration::from_micros(self.time.fetch_add(1, Ordering::Relaxed));
        let member = Member {
            process: Process { pid, begun },
            inode,
            cookie: None,
        };
        self.processes().members.insert(pid, member);
        let _ = self.hide(pid);
        fs::create_dir_all(self.proc.path().join(format!("{pid}/net")))?;
        self.counters(pid, [0, 0, 0])
    }

    /// The same in a namespace with this cookie.
    pub fn process_with_cookie(&self, pid: u32, inode: u32, cookie: u64) -> Result<()> {
        self.process(pid, inode)?;
        self.change(pid, |member| member.cookie = Some(cookie));
        Ok(())
    }

    /// Changes what the list says about a process.
    pub fn change(&self, pid: u32, change: impl FnOnce(&mut Member)) {
        self.processes().members.get_mut(&pid).map(change);
    }

    /// Removes a process from `/proc`, as the mount option hidepid does.
    pub fn hide(&self, pid: u32) -> io::Result<()> {
        fs::remove_dir_all(self.proc.path().join(pid.to_string()))
    }

    /// Sets RetransSegs, TCPRetransFail and TCPSynRetrans as a process sees them.
    pub fn counters(&self, pid: u32, [segs, fail, syn]: [u64; 3]) -> Result<()> {
        let net = self.proc.path().join(pid.to_string()).join("net");
        let netstat = format!("TcpExt: TCPRetransFail TCPSynRetrans\nTcpExt: {fail} {syn}\n");
        fs::write(net.join("netstat"), netstat)?;
        self.retrans_segs(pid, segs)
    }

    /// Sets RetransSegs alone.
    pub fn retrans_segs(&self, pid: u32, segs: u64) -> Result<()> {
        let snmp = format!("Tcp: MaxConn RetransSegs\nTcp: -1 {segs}\n");
        let path = self.proc.path().join(format!("{pid}/net/snmp"));
        Ok(fs::write(path, snmp)?)
    }

    pub fn end_process(&self, pid: u32) -> Result<()> {
        self.processes().members.remove(&pid);
        Ok(self.hide(pid)?)
    }

    pub fn begin(&self) -> Reconciliation {
        self.begin_with_step(0)
    }

    /// Begins with a clock that advances by `step` µs whenever it is read.
    pub fn begin_with_step(&self, step: u64) -> Reconciliation {
        let time = self.time.clone();
        let now = move || Duration::from_micros(time.fetch_add(step, Ordering::Relaxed));
        Reconciliation::begin_in(
            self.proc.path().to_owned(),
            Box::new(now),
            true,
            Box::new(List(Arc::clone(&self.processes))),
            Box::new(()),
        )
    }
}
