//! Carries what many hosts observe over NATS JetStream: agents publish frames, consumers share the partitions and keep
//! the state of their plugins in the broker.
//!
//! ```text
//!  agent:    Publisher ──▶ spool ──▶ sender ──▶ stream RETRANS, retrans.v1.ev.PARTITION.HOST
//!  consumer: lease ──▶ reader ──▶ chain (the caller's thread) ──▶ snapshot ──▶ bucket retrans_state
//! ```
//!
//! A frame is opaque here: the caller encodes and decodes it. This crate knows subjects, identifiers, sequence numbers,
//! leases and snapshots.

pub mod connect;
pub mod consume;
pub mod head;
pub mod names;
pub mod partition;
pub mod publish;
pub mod setup;
pub mod status;
