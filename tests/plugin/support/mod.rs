//! Shared by the tests of plugins: the liar and the witness, the host's log, and a chain whose plugin
//! is replaced while it runs.

pub mod liar;
pub mod log;
pub mod reload;
pub mod witness;

use retrans_event::Record;
use retrans_event::synth::Synth;

/// Generated events on 40 connections, with bursts: several ports, a third of them IPv6.
pub fn events(count: usize) -> Vec<Record> {
    Synth::with_connections(11, 40).take(count).collect()
}
