//! Alerts: messages of a plugin for people.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// Severity of an alert.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Info,
    /// Needs attention.
    Warning,
    /// Needs attention at once.
    Critical,
}

/// Whether an alert starts or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// The condition holds.
    Firing,
    /// The condition no longer holds.
    Resolved,
}

/// A message for people about a condition that starts or ends.
///
/// Name and labels identify an alert: raised again with the same ones, it is the same alert, and it
/// is resolved with the same ones.
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
    /// Name of the condition, the same for every alert of that kind, such as `retransmit-burst`.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Whether the alert starts or ends.
    pub state: AlertState,
    /// One line of text for people.
    pub summary: String,
    /// Subject of the alert: keys and values, each key once.
    pub labels: Vec<(String, String)>,
    /// Number of the event that the alert is about. The SDK sets it to the event in whose
    /// [`on_event`](crate::Plugin::on_event) the alert was raised; `None` outside of `on_event`. It counts
    /// from 0 within the call, and in [`Outcome`](crate::testing::Outcome) within the whole stream.
    pub event: Option<u32>,
}

impl Alert {
    /// An alert that starts, without a summary or labels.
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

    /// An alert of severity [`Info`](Severity::Info).
    pub fn info(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Info, name)
    }

    /// An alert of severity [`Warning`](Severity::Warning).
    pub fn warning(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Warning, name)
    }

    /// An alert of severity [`Critical`](Severity::Critical).
    pub fn critical(name: impl Into<String>) -> Alert {
        Alert::new(Severity::Critical, name)
    }

    /// Sets the line of text for people.
    #[must_use]
    pub fn summary(mut self, summary: impl fmt::Display) -> Alert {
        self.summary = summary.to_string();
        self
    }

    /// Adds a label. A second value for the same key replaces the first.
    #[must_use]
    pub fn label(mut self, key: &str, value: impl fmt::Display) -> Alert {
        let value = value.to_string();
        match self.labels.iter_mut().find(|(existing, _)| existing == key) {
            Some((_, existing)) => *existing = value,
            None => self.labels.push((key.to_owned(), value)),
        }
        self
    }

    /// Makes this the end of the alert.
    #[must_use]
    pub fn resolved(mut self) -> Alert {
        self.state = AlertState::Resolved;
        self
    }

    /// The value of the label with this key.
    pub fn label_value(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(existing, _)| existing == key);
        label.map(|(_, value)| value.as_str())
    }
}
