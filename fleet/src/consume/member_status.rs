//! How a member does, for its caller.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::partition::Partition;

/// How a member does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberStatus {
    /// Its identifier in the broker. Another one each time that it starts.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Number of consumers that are there, with this one.
    pub consumers: usize,
    /// Most partitions that it takes now.
    pub share: usize,
    /// The partitions that it has.
    pub partitions: BTreeMap<Partition, PartitionStatus>,
    /// Number of partitions that it lost without releasing them, since it started.
    pub lost: u64,
    /// Why it cannot do its work now. None: it can.
    pub problem: Option<String>,
    /// The last thing that went wrong, also if it is over.
    pub last_error: Option<String>,
}

/// How a partition does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// When it was claimed, as Unix time in seconds.
    pub since: u64,
    /// The sequence of the last message that its chain was given.
    pub delivered: Option<u64>,
    /// The sequence of the last snapshot.
    pub saved: Option<u64>,
    /// Number of messages after the last one that was read, when the server sent that.
    pub lag: Option<u64>,
    /// It is being released.
    pub is_releasing: bool,
    /// Why nothing is read now.
    pub read_problem: Option<String>,
    /// Why snapshots or lines are not written now.
    pub save_problem: Option<String>,
}

impl MemberStatus {
    pub(super) fn new(name: &str) -> MemberStatus {
        MemberStatus {
            id: String::new(),
            name: name.to_owned(),
            consumers: 0,
            share: 0,
            partitions: BTreeMap::new(),
            lost: 0,
            problem: None,
            last_error: None,
        }
    }
}
