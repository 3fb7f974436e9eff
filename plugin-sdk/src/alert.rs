//! Alerts: what a plugin tells people.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

/// Whether an alert begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// The trouble is there.
    Firing,
    /// The trouble is over.
    Resolved,
}

/// Something that people should know.
///
/// An alert is its name and labels: raising it again with the same ones is the same alert, and
/// resolving it takes the same ones.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let alert = Alert::warning("retransmit-burst")
///     .summary("12 retransmits within 10s")
///     .label("peer", "10.0.0.2");
/// let later = Alert::warning("retransmit-burst").label("peer", "10.0.0.2").resolved();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// What is wrong, the same for every alert of the kind, such as `retransmit-burst`.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it begins or ends.
    pub state: AlertState,
    /// One line for a person to read.
    pub summary: String,
    /// What it is about: keys and values, each key once.
    pub labels: Vec<(String, String)>,
    /// Number of the event that it is about, set by the SDK: that of the event in whose
    /// [`on_event`](crate::Plugin::on_event) it was raised, none where there was no event. The
    /// harness counts through the whole stream.
    pub event: Option<u32>,
}

impl Alert {
    /// An alert that fires.
    pub fn new(severity: Severity, name: impl Into<String>) -> Alert {
        Alert {
            name: name.into(),
            severity,
            state: AlertState::Firing,
            summary: String::new(),
            labels: Vec::new(),
            event: None,
        }
    }

    /// An alert that is good to know.
    pub fn info(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Info, name)
    }

    /// An alert that somebody should look at.
    pub fn warning(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Warning, name)
    }

    /// An alert that somebody should look at now.
    pub fn critical(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Critical, name)
    }

    /// Sets the line for a person to read.
    #[must_use]
    pub fn summary(mut self, summary: impl fmt::Display) -> Alert {
        self.summary = summary.to_string();
        self
    }

    /// Says what it is about. Of two values for the same key the later stays.
    #[must_use]
    pub fn label(mut self, key: &str, value: impl fmt::Display) -> Alert {
        let value = value.to_string();
        match self.labels.iter_mut().find(|(existing, _)| existing == key) {
            Some((_, existing)) => *existing = value,
            None => self.labels.push((key.to_owned(), value)),
        }
        self
    }

    /// Says that the trouble is over.
    #[must_use]
    pub fn resolved(mut self) -> Alert {
        self.state = AlertState::Resolved;
        self
    }

    /// The value of a label.
    pub fn label_value(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(existing, _)| existing == key);
        label.map(|(_, value)| value.as_str())
    }
}
