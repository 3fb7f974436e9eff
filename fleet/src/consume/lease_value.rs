//! What the bucket of leases has: who has which partition, and which consumers are there.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::partition::Partition;

/// Which partitions a consumer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// All that it can get.
    All,
    /// Of these, all that it can get.
    Some(BTreeSet<Partition>),
    /// Its share: the number of partitions by the number of consumers that are there, rounded up. Partitions and
    /// consumers of [`Choice::Some`] do not count.
    Auto,
}

/// The value of a lease in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Identifier of the consumer.
    pub owner: String,
    /// Name of the consumer.
    pub name: String,
    /// When it was claimed, as Unix time in seconds.
    pub since: u64,
    /// The owner has given it up: it is free.
    #[serde(default)]
    pub released: bool,
}

/// The value of a consumer in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Name of the consumer.
    pub name: String,
    /// When it began, as Unix time in seconds.
    pub since: u64,
    /// It has ended.
    #[serde(default)]
    pub left: bool,
    /// The partitions that it was told to take. None: it takes what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<BTreeSet<Partition>>,
}

/// A value in the broker with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised<T> {
    /// Grows with each write of any value.
    pub revision: u64,
    /// None: it was deleted, or cannot be read.
    pub value: Option<T>,
}
