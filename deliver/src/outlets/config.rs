//! The configuration of all receivers, and why one of them cannot be used.

use std::num::NonZeroU32;

use crate::alertmanager;
use crate::otlp;
use crate::webhook;

/// The receivers of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Number of new alerts a minute that each plugin may raise. `None`: no limit.
    pub alerts_per_minute: Option<NonZeroU32>,
    /// Alertmanagers, each with its replicas.
    pub alertmanagers: Vec<alertmanager::Config>,
    /// Webhooks.
    pub webhooks: Vec<webhook::Config>,
    /// Collectors of OTLP.
    pub otlp: Vec<otlp::Config>,
}

/// A receiver cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {cause}")]
pub struct ConfigError {
    /// Its name.
    pub name: String,
    /// Why.
    pub cause: Box<ConfigCause>,
}

/// Why a receiver cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigCause {
    /// An Alertmanager cannot be used.
    #[error(transparent)]
    Alertmanager(#[from] alertmanager::ConfigError),
    /// A webhook cannot be used.
    #[error(transparent)]
    Webhook(#[from] webhook::ConfigError),
    /// A collector cannot be used.
    #[error(transparent)]
    Otlp(#[from] otlp::ConfigError),
}
