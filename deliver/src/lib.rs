//! Delivers the alerts of a host over the network: to the replicas of an Alertmanager, and to webhooks. Alerts, events
//! and metrics: to collectors of OTLP.
//!
//! ```text
//!  Outlets::send ──▶ limit ──▶ outbox: alertmanager::active ──▶ courier ──▶ http   a replica
//!  (never waits)     a plugin  │                            └─▶ courier ──▶ http   another one
//!                              ├─▶ outbox: webhook::queue   ──▶ courier ──▶ http   a webhook
//!  send_events ────────────────┴─▶ outbox: otlp::logs       ──▶ courier ──▶ http   a collector
//!  send_metrics ─────────────────▶ outbox: otlp::metrics    ──▶ courier ──▶ http   a collector
//! ```
//!
//! An outbox is a state machine without network and clock: it counts each alert, and says what is due. A courier
//! delivers that to one receiver and reports the outcome. All couriers run in one thread ([`Runner::run`]), which the
//! caller starts when it likes; [`prepare`] does everything that needs files.
//!
//! [`Outlets::change`] starts and ends receivers while others deliver.
//!
//! [`serve`] is the other direction: pages over HTTP, such as metrics. It runs in the same runtime.
//!
//! [`registry`] gets plugins from registries of OCI. It has a runtime of its own, for a program that does nothing else.
//!
//! Each receiver counts everything that was handed over ([`Counted`]): as sent, queued, dropped or failed. Memory is
//! bounded, whatever plugins raise and however long a receiver is away.

mod alert;
pub mod alertmanager;
mod counted;
mod event_record;
mod health;
pub mod http;
mod limit;
mod moment;
pub mod otlp;
mod outbox;
mod outlets;
pub mod registry;
mod retry;
pub mod serve;
#[cfg(test)]
mod testing;
mod text;
pub mod webhook;

pub use alert::Alert;
pub use alert::Severity;
pub use alert::State;
pub use counted::Counted;
pub use counted::LastError;
pub use event_record::EventRecord;
pub use limit::ALERT_NAME as LIMIT_ALERT_NAME;
pub use outlets::Changed;
pub use outlets::Config;
pub use outlets::ConfigCause;
pub use outlets::ConfigError;
pub use outlets::Outlets;
pub use outlets::Runner;
pub use outlets::prepare;
pub use retry::Retry;
pub use retry::TimeError;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
