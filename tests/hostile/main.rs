//! Hostile plugins, each before one that prints what it sees, in the host as it is released.
//!
//! Each lives up to a name that says what it does. After each the host lives, the printer has seen
//! every event exactly once and in order, the ledger balances, and memory is back where it was.

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
