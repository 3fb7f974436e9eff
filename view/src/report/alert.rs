//! The alerts that a chain of plugins has raised, as far as there is room.

use std::net::SocketAddr;
use std::time::Duration;

/// Maximum number of alerts that are listed.
const MAX_LISTED: usize = 500;

/// Maximum number of characters of each text of an alert.
const MAX_CHARS: usize = 400;

/// Severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Information.
    Info,
    /// Should be looked at.
    Warning,
    /// Needs action at once.
    Critical,
}

/// A new state of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Time of day.
    pub wall_time: Duration,
    /// The plugin that raised it.
    pub plugin: String,
    /// Name.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Whether its condition has ended.
    pub is_resolved: bool,
    /// Description in one sentence.
    pub summary: String,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Local side and peer of the event that caused it, if it was caused by one.
    pub connection: Option<(SocketAddr, SocketAddr)>,
}

/// The alerts in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    listed: Vec<Alert>,
    /// Number of alerts that began to hold.
    pub fired: u64,
    /// Number of alerts that ended.
    pub resolved: u64,
}

impl Alerts {
    /// Adds an alert.
    pub fn add(&mut self, mut alert: Alert) {
        match alert.is_resolved {
            true => self.resolved += 1,
            false => self.fired += 1,
        }
        if self.listed.len() == MAX_LISTED {
            return;
        }
        for text in [&mut alert.plugin, &mut alert.name, &mut alert.summary] {
            cut(text);
        }
        alert.labels.truncate(16);
        for (key, value) in &mut alert.labels {
            cut(key);
            cut(value);
        }
        self.listed.push(alert);
    }

    /// The first of them.
    pub fn listed(&self) -> &[Alert] {
        &self.listed
    }

    /// Number of alerts that are not listed.
    pub fn not_listed(&self) -> u64 {
        (self.fired + self.resolved).saturating_sub(self.listed.len() as u64)
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
}
