//! Plugins in languages other than Rust: the samples of each SDK give the same answers as those in Rust, also over a
//! reload; faults are told; all languages run in one live chain; the commands of the documentation work.
//!
//! `make test-languages` builds the plugins and runs these tests. They are no part of `cargo test`, for which the toolchains
//! of the languages are not needed.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the tests of plugins use more of it")]
#[path = "../plugin/support/mod.rs"]
mod plugin_support;
#[allow(dead_code, reason = "the live tests use more of it")]
#[path = "../live/support/mod.rs"]
mod support;

mod built;
mod commands;
mod faults;
mod live;
mod projects;
mod reload;
mod samples;
