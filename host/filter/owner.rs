//! Filters by the owner of the socket.

use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::Process;

/// The wanted owners: each list admits those in it, and an empty one all.
///
/// The owner is the process that holds the socket or, for a connection that was not accepted yet, the listening socket.
/// For a closed socket it is the last holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerFilter {
    /// Process numbers.
    pub pids: Vec<u32>,
    /// Names of processes.
    pub comms: Vec<Name>,
    /// Beginnings of ids or names of containers.
    pub containers: Vec<String>,
}

impl OwnerFilter {
    /// Returns whether every owner is admitted.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty() && self.comms.is_empty() && self.containers.is_empty()
    }

    /// Returns whether this owner is admitted. `container` is the whole id of its container, if it is known: the record
    /// has the beginning of it.
    pub fn admits(&self, owner: &Owner, container: Option<&str>) -> bool {
        if self.is_empty() {
            return true;
        }
        let last = match owner {
            Owner::Orphaned { last } => last.as_ref(),
            _ => None,
        };
        owner
            .process()
            .or(last)
            .is_some_and(|process| self.admits_process(process, container))
    }

    fn admits_process(&self, process: &Process, container: Option<&str>) -> bool {
        let in_container = |wanted: &String| match (container, &process.container) {
            (Some(id), _) => id.starts_with(wanted.as_str()),
            // Either may be the shorter one.
            (None, Some(short)) => {
                let short = short.as_str();
                short.starts_with(wanted.as_str()) || wanted.starts_with(short)
            }
            (None, None) => false,
        };
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.comms.is_empty() || self.comms.contains(&process.comm))
            && (self.containers.is_empty() || self.containers.iter().any(in_container))
    }
}
