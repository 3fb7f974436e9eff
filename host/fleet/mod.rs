//! A fleet: this host publishes what it observes to a NATS server, or consumes what all hosts have published.
//!
//! ```text
//!  split            items by partition, as fragments
//!  stream_time      the time of a stream with events of many hosts
//!  chains           the chains of the partitions of a consumer, each in a thread
//!  partition_chain  the chain of one partition, from a snapshot on
//!  partition_sink   its sink: the sinks of the run, shared
//!  open_alerts      its alerts that fire
//!  saved_state      its state, as it is in a snapshot
//! ```

pub mod chains;
pub mod open_alerts;
pub mod partition_chain;
pub mod partition_sink;
pub mod saved_state;
pub mod split;
pub mod stream_time;
