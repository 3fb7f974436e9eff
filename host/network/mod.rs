//! Delivers alerts, events and metrics over the network, with the crate `retrans-deliver`. Without the feature
//! `network` there is nothing to deliver.
//!
//! ```text
//!  plan      files are read before the process is confined, the thread is started afterwards
//!  files     what a process needs to look up names of hosts
//!  sink      results of the chain, in its thread ──▶ Outlets ┄┄▶ thread "network"
//!  metrics   statistics as metrics of OTLP
//!  receivers changes them while the run lasts
//! ```

#[cfg(not(feature = "network"))]
mod absent;
#[cfg(feature = "network")]
mod files;
#[cfg(feature = "network")]
mod metrics;
#[cfg(feature = "network")]
mod plan;
#[cfg(feature = "network")]
mod receivers;
#[cfg(feature = "network")]
mod sink;

#[cfg(not(feature = "network"))]
pub use self::absent::Plan;
#[cfg(not(feature = "network"))]
pub use self::absent::Receivers;
#[cfg(not(feature = "network"))]
pub use self::absent::names;
#[cfg(feature = "fleet")]
pub use self::files::allow as allow_names;
#[cfg(feature = "network")]
pub use self::plan::Plan;
#[cfg(feature = "network")]
pub use self::receivers::Receivers;
#[cfg(feature = "network")]
pub use self::receivers::names;

/// Why the receivers of a run stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The process has given up making connections.
    #[error(
        "sink has changed, and there was none over the network at the start, so that no sockets are allowed: that needs a \
         restart"
    )]
    NoneAtStart,
    /// One cannot be used: its name, and why.
    #[error("sink {0}")]
    Unusable(String),
}
