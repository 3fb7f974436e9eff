//! Whose a socket is, as one value: the fields of the record that belong together.

use crate::event::Event;
use crate::name::Name;
use crate::numbers::OwnerStatus;

/// Whose a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Owner {
    /// Nobody was found. Some process holds it all the same, perhaps one that the host cannot see.
    #[default]
    Unknown,
    /// Processes that held the socket when open files were scanned: at most a second before the segment
    /// was sent again, or at any time after.
    Held {
        /// Of several the one that the others descend from, else the one with the lowest number.
        process: Process,
        /// How many hold it.
        holders: u32,
    },
    /// The socket was closed; the kernel goes on sending what is left.
    Orphaned {
        /// The process that was last seen to hold it, if it was seen.
        last: Option<Process>,
    },
    /// The connection was not accepted yet.
    NotAccepted {
        /// The process that holds the listening socket.
        listener: Option<Process>,
    },
    /// The kernel made it for itself.
    Kernel,
}

/// A process that holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Number in the host's pid namespace.
    pub pid: u32,
    /// Name of the main thread.
    pub comm: Name,
    /// Effective user, as numbered outside of user namespaces.
    pub uid: Option<u32>,
    /// The first 12 digits of its container's id, or the beginning of its name.
    pub container: Option<Name>,
}

impl Owner {
    /// The process that holds the socket, or the listener of a connection that was not accepted.
    pub fn process(&self) -> Option<&Process> {
        match self {
            Owner::Held { process, .. } => Some(process),
            Owner::NotAccepted { listener } => listener.as_ref(),
            Owner::Unknown | Owner::Orphaned { .. } | Owner::Kernel => None,
        }
    }

    /// What this is called.
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
    /// Whose the socket is. A record that does not say is [`Owner::Unknown`].
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

    /// Sets [`Event::owner`]: every field that it is read from.
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
