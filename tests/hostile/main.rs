//! Hostile plugins before json-print, in the release host.
//!
//! The name of each test states what the plugin does. In each the host must go on, json-print must see
//! every event exactly once and in order, the ledger must balance, and memory must come back.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod host;
mod plugins;
mod resources;
mod start;
mod state;
mod stream;
mod survival;
mod time;
mod together;
