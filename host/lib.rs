//! Watches TCP retransmits through eBPF and hands each one to a chain of WebAssembly plugins.
//!
//! ```text
//!  kernel ──ring──▶ source ──channel──▶ chain ──▶ sinks
//!                     │                   │         standard streams, or a queue and a thread each
//!                     │                   └─ a slot for each plugin
//!                     └─ observers: the recorder, metrics
//!                                 ╲       │       ╱
//!                                   statistics ──▶ the ledger, metrics ──▶ HTTP
//! ```
//!
//! - [`source`]: the live probe ([`source::live`]) or a [`source::replay`]. It completes records, finds the owner
//!   of each socket, and shows every item to its [observers][observer] before it sends it.
//! - [`stream`]: what flows: batches of events with labels, marks of time, alerts. [`filter`]: the events that a run is
//!   about.
//! - [`pipeline`]: threads, the bounded channel, the end of a run, and new versions of plugins.
//! - [`chain`]: each batch goes through the [`plugin`]s in order; what one keeps, the next one sees.
//! - [`sink`]: where lines, alerts and events leave the host. [`network`]: over the network.
//! - [`stats`]: what every stage counts. An event can be lost in one place only, the kernel's ring, unless
//!   `--max-rate` asks for it, and is counted there; the ledger shows that every stage accounts for every event.
//! - [`metrics`]: what a run tells over HTTP while it lasts: numbers, health, a report of the last minutes.
//! - [`capture`]: the file format of recorded streams.
//! - [`cli`], [`config`], [`commands`]: the command line, what it means, and what is done.
//!
//! `docs/architecture.md` follows an event, a setting and a fault through these modules.

pub mod capture;
pub mod chain;
pub mod cli;
pub mod commands;
pub mod config;
pub mod filter;
pub mod fleet;
pub mod metrics;
pub mod network;
pub mod observer;
pub mod pipeline;
pub mod plugin;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stream;
mod system;
