//! Where the chain's results leave the host.

pub mod alerts;
pub mod output;
