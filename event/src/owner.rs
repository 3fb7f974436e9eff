//! The owner of a socket as one value, from the fields of the record that describe it.

use crate::event::Event;
use crate::name::Name;
use crate::numbers::OwnerStatus;

/// The owner of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Owner {
    /// No process was found. One may still hold the socket, such as a process that the host cannot see.
    #[default]
    Unknown,
    /// Processes held the socket when open files were scanned: at most a second before the segment was sent
    /// again, or at any time after.
    Held {
        /// The holder. Of several processes, the ancestor of all the others, else the one with the lowest
        /// number.
        process: Process,
        /// Number of processes that hold the socket.
        holders: u32,
    },
    /// The socket was closed; the kernel sends the remaining data.
    Orphaned {
        /// The process that was last seen to hold the socket; `None` where none was seen.
        last: Option<Process>,
    },
    /// The connection was not accepted yet.
    NotAccepted {
        /// The process that holds the listening socket; `None` where none was found.
        listener: Option<Process>,
    },
    /// The kernel created the socket for itself.
    Kernel,
}

/// A process that holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Process number in the host's pid namespace.
    pub pid: u32,
    /// Name of the main thread.
    pub comm: Name,
    /// Effective user, as numbered outside of user namespaces.
    pub uid: Option<u32>,
    /// The first 12 digits of the container's id, or the beginning of the container's name.
    pub container: Option<Name>,
}

impl Process {
    /// A process with this number and name, and no more. As in the kernel, a longer name is cut off: here after 16 bytes,
    /// which is what a record holds.
    pub fn new(pid: u32, comm: &str) -> Process {
        let mut bytes = [0; Name::MAX];
        let length = comm.len().min(Name::MAX);
        bytes[..length].copy_from_slice(&comm.as_bytes()[..length]);
        Process {
            pid,
            comm: Name::from_bytes(bytes),
            uid: None,
            container: None,
        }
    }
}

impl Owner {
    /// The process that holds the socket or, for a connection that was not accepted yet, the listening
    /// socket. Never the last holder of a closed socket.
    pub fn process(&self) -> Option<&Process> {
        match self {
            Owner::Held { process, .. } => Some(process),
            Owner::NotAccepted { listener } => listener.as_ref(),
            Owner::Unknown | Owner::Orphaned { .. } | Owner::Kernel => None,
        }
    }

    /// The status of this owner, as in the record.
    pub fn status(&self) -> OwnerStatus {
        match self {
            Owner::Unknown => OwnerStatus::Unknown,
            Owner::Held { .. } => OwnerStatus::Held,
            Owner::Orphaned { .. } => OwnerStatus::Orphaned,
            Owner::NotAccepted { .. } => OwnerStatus::NotAccepted,
            Owner::Kernel => OwnerStatus::Kernel,
        }
    }
}

impl Event {
    /// The owner of the socket. [`Owner::Unknown`] for a record without owner fields.
    pub fn owner(&self) -> Owner {
        let process = self.owner_pid().map(|pid| Process {
            pid,
            comm: self.owner_comm().unwrap_or_default(),
            uid: self.owner_uid(),
            container: self.owner_container(),
        });
        match (self.owner_status(), process) {
            (Some(OwnerStatus::Held), Some(process)) => Owner::Held {
                process,
                holders: self.owner_holders().unwrap_or(1),
            },
            (Some(OwnerStatus::Orphaned), _) => Owner::Orphaned {
                last: self.last_pid().map(|pid| Process {
                    pid,
                    comm: self.last_comm().unwrap_or_default(),
                    uid: self.last_uid(),
                    container: self.last_container(),
                }),
            },
            (Some(OwnerStatus::NotAccepted), listener) => Owner::NotAccepted { listener },
            (Some(OwnerStatus::Kernel), _) => Owner::Kernel,
            _ => Owner::Unknown,
        }
    }

    /// Sets every field from which [`Event::owner`] is read.
    pub fn set_owner(&mut self, owner: &Owner) {
        let process = owner.process();
        let holders = match owner {
            Owner::Held { holders, .. } => Some(*holders),
            _ => None,
        };
        let last = match owner {
            Owner::Orphaned { last } => last.as_ref(),
            _ => None,
        };
        self.set_owner_status(Some(owner.status()));
        self.set_owner_pid(process.map(|process| process.pid));
        self.set_owner_comm(process.map(|process| process.comm));
        self.set_owner_uid(process.and_then(|process| process.uid));
        self.set_owner_container(process.and_then(|process| process.container));
        self.set_owner_holders(holders);
        self.set_last_pid(last.map(|last| last.pid));
        self.set_last_comm(last.map(|last| last.comm));
        self.set_last_uid(last.and_then(|last| last.uid));
        self.set_last_container(last.and_then(|last| last.container));
    }
}
