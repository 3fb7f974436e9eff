//! Shared by the tests of plugins: real components, and a chain that they run in without a kernel.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod captures;
pub mod chain;
pub mod components;
pub mod fixtures;
pub mod pipes;
pub mod refusal;
pub mod release;
pub mod versions;
