//! A fleet: this host publishes what it observes to a NATS server, or consumes what all hosts have published. Without the
//! feature `fleet` nothing is published.
//!
//! ```text
//!  broker           how it is accessed
//!  agent            an observer that publishes
//!  split            items by partition, as fragments
//!  stream_time      the time of a stream with events of many hosts
//!  chains           the chains of the partitions of a consumer, each in a thread
//!  partition_chain  the chain of one partition, from a snapshot on
//!  host_counts      what came from each host
//!  partition_sink   its sink: the sinks of the run, shared
//!  fragments        the items of frames
//!  observed         what all hosts publish, read beside the consumers
//!  open_alerts      its alerts that fire
//!  saved_state      its state, as it is in a snapshot
//!  status_text      how the fleet does, as text
//! ```

#[cfg(not(feature = "fleet"))]
mod absent;
#[cfg(feature = "fleet")]
mod agent;
#[cfg(feature = "fleet")]
pub mod broker;
#[cfg(feature = "fleet")]
pub mod chains;
#[cfg(feature = "fleet")]
pub mod fragments;
#[cfg(feature = "fleet")]
pub mod host_counts;
#[cfg(feature = "fleet")]
mod observed;
#[cfg(feature = "fleet")]
pub mod open_alerts;
#[cfg(feature = "fleet")]
pub mod partition_chain;
#[cfg(feature = "fleet")]
pub mod partition_sink;
#[cfg(feature = "fleet")]
pub mod saved_state;
#[cfg(feature = "fleet")]
pub mod split;
#[cfg(feature = "fleet")]
pub mod status_text;
#[cfg(feature = "fleet")]
pub mod stream_time;

#[cfg(not(feature = "fleet"))]
pub use self::absent::AgentClock;
#[cfg(not(feature = "fleet"))]
pub use self::absent::Plan;
#[cfg(not(feature = "fleet"))]
pub use self::absent::observe;
#[cfg(feature = "fleet")]
pub use self::agent::AgentClock;
#[cfg(feature = "fleet")]
pub use self::agent::Plan;
#[cfg(feature = "fleet")]
pub use self::observed::observe;
