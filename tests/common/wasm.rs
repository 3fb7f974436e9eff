//! Shared by the tests of plugins: real components, and a chain that they run in without a kernel.

pub mod chain;
pub mod components;
pub mod fixtures;
pub mod log;
