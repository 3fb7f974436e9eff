//! Alerts, as the host hands them over.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Information; needs no action.
    Info,
    /// Should be investigated.
    Warning,
    /// Needs action at once.
    Critical,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name: `info`, `warning` or `critical`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its condition holds.
    Firing,
    /// Its condition has ended.
    Resolved,
}

impl State {
    /// Its name: `firing` or `resolved`.
    pub fn name(self) -> &'static str {
        match self {
            State::Firing => "firing",
            State::Resolved => "resolved",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A new state of an alert. Plugin, name and labels identify an alert: firing again with the same ones, it is the same
/// alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Name of the plugin instance that raised it.
    pub plugin: String,
    /// Name.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// The new state.
    pub state: State,
    /// Description in one sentence.
    pub summary: String,
    /// Labels, which distinguish alerts of the same name. Their order has no meaning.
    pub labels: Vec<(String, String)>,
    /// Local side and peer of the event that caused it, if it was caused by one.
    pub connection: Option<(SocketAddr, SocketAddr)>,
    /// The time of the stream, as a time since 1970-01-01T00:00:00Z.
    pub wall_time: Duration,
}

impl Alert {
    /// Approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        let labels = self.labels.iter();
        let labels: usize = labels
            .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len())
            .sum();
        size_of::<Alert>() + self.plugin.len() + self.name.len() + self.summary.len() + labels
    }

    /// What identifies it.
    pub(crate) fn identity(&self) -> Identity {
        let mut labels = self.labels.clone();
        labels.sort();
        Identity {
            plugin: self.plugin.clone(),
            name: self.name.clone(),
            labels,
        }
    }
}

/// What identifies an alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    plugin: String,
    name: String,
    /// Sorted by name.
    labels: Vec<(String, String)>,
}
