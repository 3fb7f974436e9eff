//! Shared by the tests of plugins.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod wasm;
