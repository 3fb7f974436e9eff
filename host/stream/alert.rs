//! Alerts, which plugins raise and sinks print or store.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Information; needs no action.
    Info,
    /// Should be investigated.
    Warning,
    /// Needs action at once.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        })
    }
}

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its condition holds.
    Firing,
    /// Its condition has ended.
    Resolved,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Firing => "firing",
            State::Resolved => "resolved",
        })
    }
}

/// A new state of an alert. Name and labels identify an alert of a plugin: firing again with the same ones, it is the
/// same alert.
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
    /// Labels, which distinguish alerts of the same name.
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
}
