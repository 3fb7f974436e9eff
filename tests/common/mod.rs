//! Shared by several test binaries: components, captures, a chain that runs without a kernel, and the
//! host as a child process.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod captures;
pub mod chain;
pub mod components;
pub mod fixtures;
pub mod http;
pub mod ledger;
pub mod minisign;
pub mod pipes;
pub mod prometheus;
pub mod refusal;
pub mod registry;
pub mod release;
pub mod screens;
pub mod system_calls;
pub mod versions;
