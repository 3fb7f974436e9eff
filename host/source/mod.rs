//! Where events come from: the live probe, or files. A source knows nothing of plugins.

pub mod bpf;
pub mod clock;
pub mod live;
pub mod observer;
pub mod outflow;
pub mod owner;
pub mod replay;
