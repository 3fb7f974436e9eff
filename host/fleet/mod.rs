//! A fleet: this host publishes what it observes to a NATS server, or consumes what all hosts have published.
//!
//! ```text
//!  split        items by partition, as fragments
//!  stream_time  the time of a stream with events of many hosts
//! ```

pub mod split;
pub mod stream_time;
