//! Where the chain's results leave the host.

pub mod alert_lines;
pub mod stdout;
