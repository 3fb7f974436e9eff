//! Watches TCP retransmits through eBPF and hands each one to a chain of WebAssembly plugins.
//!
//! An event goes one way: [`source`] (kernel ring buffer, completed and stamped) → a bounded
//! channel of [`batch`]es → [`chain`] (the [`plugin`]s in order) → [`sink`]. It can be lost in one
//! place only, the kernel's ring, and is counted there; the [`ledger`] shows that every stage accounts
//! for every event, and [`stats`] shows it while the host runs.

pub mod alert;
mod allocator;
pub mod batch;
pub mod bundled;
pub mod capture;
pub mod chain;
pub mod cli;
pub mod config;
mod container;
pub mod labels;
pub mod ledger;
pub mod plugin;
mod privileges;
mod process;
pub mod reconcile;
pub mod reload;
pub mod run;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stdio;
pub mod stop;
mod text;
mod threads;
mod timestamp;
