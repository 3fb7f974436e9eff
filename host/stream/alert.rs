//! An alert, on its way from the plugin that raised it to where it is shown.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Worth waking somebody.
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

/// Whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does.
    Firing,
    /// It is over.
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

/// An alert is its name and labels: firing again with the same ones is the same alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Instance that raised it.
    pub plugin: String,
    /// Name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it goes on.
    pub state: State,
    /// One sentence.
    pub summary: String,
    /// What tells it from others of its name.
    pub labels: Vec<(String, String)>,
    /// Local side and peer of the event that it is about, if it is about one.
    pub connection: Option<(SocketAddr, SocketAddr)>,
    /// When, since 1970-01-01T00:00:00Z in the time of the stream.
    pub wall_time: Duration,
}

impl Alert {
    /// Roughly the memory that it takes.
    pub fn bytes(&self) -> usize {
        let labels = self.labels.iter();
        let labels: usize = labels
            .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len())
            .sum();
        size_of::<Alert>() + self.plugin.len() + self.name.len() + self.summary.len() + labels
    }
}
