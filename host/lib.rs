//! Watches TCP retransmits through eBPF and hands each one to a chain of WebAssembly plugins.
//!
//! An event goes one way: [`source`] (kernel ring buffer, completed and stamped) → a bounded
//! channel of [`batch`]es → [`chain`] (the [`plugin`]s in order) → [`sink`]. It can be lost in one
//! place only, the kernel's ring, and is counted there; the [`ledger`] shows that every stage accounts
//! for every event, and [`stats`] shows it while the host runs.

pub mod capture;
pub mod chain;
pub mod cli;
pub mod commands;
pub mod config;
pub mod pipeline;
pub mod plugin;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stream;
mod system;
