//! Where events come from. A source knows nothing of plugins.

pub mod attach;
mod bpf;
pub mod clock;
pub mod facts;
mod libbpf;
pub mod outflow;
pub mod owner;
pub mod preflight;
pub mod probe;
pub mod replay;
pub mod ring;
pub mod stream;
