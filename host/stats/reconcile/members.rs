//! The processes, and the network namespaces that they are in.

use std::io;
use std::time::Duration;

/// Identifies a process, and no later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number, as in `/proc`.
    pub pid: u32,
    /// Time since boot at which its main thread began.
    pub begun: Duration,
}

/// A process in a network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The process.
    pub process: Process,
    /// Inode of the namespace.
    pub inode: u32,
    /// Cookie of the namespace, which no later one has; `None` before Linux 5.12.
    pub cookie: Option<u64>,
}

/// Lists all processes.
pub trait Members: Send {
    /// Passes each process that is there during the whole call to `take`, with the namespace in which it is at some
    /// time during the call.
    ///
    /// # Errors
    ///
    /// If the list cannot be read, or not to its end.
    fn visit(&mut self, take: &mut dyn FnMut(Member)) -> io::Result<()>;
}
