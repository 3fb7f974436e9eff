//! Consumers: share the partitions of a fleet, read them in order, and keep the state of their chains in the broker.
//!
//! ```text
//!                       ┌─ leases: which partitions (lease, run)
//!  Member ─ its thread ─┤
//!                       └─ tenure, one a partition: reader ──▶ Work ──▶ chain (the caller's thread)
//!                                                   state ◀── Snapshot ◀──┤
//!                                                   out   ◀── Line     ◀──┘
//! ```
//!
//! An [`Observation`] reads all partitions beside them: it has no lease and no state, and writes nothing.

pub(crate) mod api;
mod buckets;
mod chain_side;
mod chains;
mod cursors;
mod head;
mod heads;
pub(crate) mod latest;
mod lease;
mod lease_store;
mod lease_value;
mod member;
mod member_config;
mod member_status;
mod message;
mod objects;
mod observation;
mod out;
mod phase;
mod reader;
mod run;
mod snapshot;
mod state;
mod tenure;
mod ticks;

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

pub use chain_side::ChainSide;
pub use chains::ChainEnds;
pub use chains::Chains;
pub use chains::Work;
pub use cursors::Accept;
pub use cursors::Cursors;
pub use head::Head;
pub use lease::LEASE_TIMEOUT;
pub use lease::RENEW_INTERVAL;
pub use lease_value::Choice;
pub use lease_value::Lease;
pub use lease_value::Presence;
pub use member::Member;
pub use member::StopError;
pub use member_config::MemberConfig;
pub use member_config::StartError;
pub use member_status::MemberStatus;
pub use member_status::PartitionStatus;
pub use message::Arrived;
pub use message::Content;
pub use message::Frame;
pub use message::Message;
pub use observation::Observation;
pub use observation::ObserveError;
pub use observation::Observed;
pub use observation::Until;
pub use out::Line;
pub use reader::Break;
pub use reader::Read;
pub use reader::Reader;
pub use reader::ReaderStatus;
pub use reader::StartAt;
pub use snapshot::CorruptSnapshot;
pub use snapshot::Snapshot;
pub use state::LoadError;
pub use state::Loaded;
pub use state::SaveError;
pub use state::StateStore;

/// Locks a mutex. What it protects is whole after each statement: a panic elsewhere does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
