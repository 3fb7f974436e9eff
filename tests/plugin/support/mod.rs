//! Shared by the tests of plugins: the plugin that breaks the contract, what the host logs, and a chain
//! whose plugin is replaced while it runs.

pub mod liar;
pub mod log;
pub mod reload;
