//! The sources of events: the live probe and files. A source does not depend on plugins.

pub mod bpf;
pub mod census;
pub mod live;
pub mod outflow;
pub mod owner;
pub mod replay;
