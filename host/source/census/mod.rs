//! The census: what all connections have sent, summed up by peer and service once an interval.
//!
//! ```text
//! program   the BPF programs, their maps, and the host's orders to them
//! rows      from the kernel's sums to the rows of the stream
//! taker     the thread that makes a census once an interval
//! ```
//!
//! How each segment is counted once is told in `bpf/census.bpf.c`. Counters are added up in `bpf/census_settle.h`.

mod program;
mod rows;
mod taker;

pub use program::CensusError;
pub use program::CensusProgram;
pub use taker::CensusTaker;

#[cfg(test)]
mod tests;
