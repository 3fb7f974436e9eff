//! The host under settings of the whole machine: sysctls, mounts, limits, lockdown.
//!
//! `make kernels` runs these tests in guests (tests/kernels), one after the other. They are no part of `cargo test`: they
//! do not put back what they change, and refuse to run outside of a guest.

#[allow(dead_code, reason = "the live tests use more of it")]
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the live tests use more of it")]
#[path = "../live/support/mod.rs"]
mod support;

mod limits;
mod lockdown;
mod mounts;
mod namespaces;
mod sysctls;
mod watching;
