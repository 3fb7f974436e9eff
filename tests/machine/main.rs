//! The host under settings of the whole machine: sysctls, mounts, lockdown. `make kernels` runs these tests in guests;
//! they are no part of `cargo test`, since they do not put back what they change.

#[path = "../common/mod.rs"]
mod common;
#[path = "../live/support/mod.rs"]
mod support;
