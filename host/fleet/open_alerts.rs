//! The alerts of a partition that fire: they are part of its state, and are raised again where the partition goes on.

use std::net::SocketAddr;
use std::time::Duration;

use hashlink::LinkedHashMap;
use serde::Deserialize;
use serde::Serialize;

use crate::chain::ActiveAlert;
use crate::stream::alert::Alert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;

/// Maximum number of alerts. Beyond it the oldest one is forgotten.
const MAX_ALERTS: usize = 10_000;

/// Plugin, name, and labels sorted by key.
type Identity = (String, String, Vec<(String, String)>);

/// The alerts that fire, the oldest first.
#[derive(Debug, Default)]
pub struct OpenAlerts(LinkedHashMap<Identity, Alert>);

/// An alert in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAlert {
    plugin: String,
    name: String,
    severity: StoredSeverity,
    summary: String,
    labels: Vec<(String, String)>,
    connection: Option<(SocketAddr, SocketAddr)>,
    wall_time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredSeverity {
    Info,
    Warning,
    Critical,
}

impl OpenAlerts {
    /// Takes note of alerts that were raised or resolved.
    pub fn note(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            let identity = identity(alert);
            match alert.state {
                State::Resolved => {
                    self.0.remove(&identity);
                }
                State::Firing => {
                    // One that fires again keeps its place.
                    self.0.replace(identity, alert.clone());
                }
            }
        }
        while self.0.len() > MAX_ALERTS {
            self.0.pop_front();
        }
    }

    /// The alerts as a snapshot has them.
    pub fn stored(&self) -> Vec<StoredAlert> {
        let stored = self.0.values().map(|alert| StoredAlert {
            plugin: alert.plugin.clone(),
            name: alert.name.clone(),
            severity: match alert.severity {
                Severity::Info => StoredSeverity::Info,
                Severity::Warning => StoredSeverity::Warning,
                Severity::Critical => StoredSeverity::Critical,
            },
            summary: alert.summary.clone(),
            labels: alert.labels.clone(),
            connection: alert.connection,
            wall_time: alert.wall_time,
        });
        stored.collect()
    }
}

impl StoredAlert {
    /// The name of the plugin instance that raised it.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What its plugin has as active.
    pub fn active(&self) -> ActiveAlert {
        let mut labels = self.labels.clone();
        labels.sort();
        ActiveAlert {
            name: self.name.clone(),
            severity: self.severity.into(),
            labels,
        }
    }

    /// The alert, resolved by the host at this time, because its plugin is not there any more.
    pub fn into_resolved(self, wall_time: Duration) -> Alert {
        Alert {
            state: State::Resolved,
            summary: format!("resolved by the host: there is no plugin {}", self.plugin),
            wall_time,
            ..self.into_firing()
        }
    }

    /// The alert, which fires.
    pub fn into_firing(self) -> Alert {
        let state = State::Firing;
        Alert {
            plugin: self.plugin,
            name: self.name,
            severity: self.severity.into(),
            state,
            summary: self.summary,
            labels: self.labels,
            connection: self.connection,
            wall_time: self.wall_time,
        }
    }
}

impl From<StoredSeverity> for Severity {
    fn from(severity: StoredSeverity) -> Severity {
        match severity {
            StoredSeverity::Info => Severity::Info,
            StoredSeverity::Warning => Severity::Warning,
            StoredSeverity::Critical => Severity::Critical,
        }
    }
}

fn identity(alert: &Alert) -> Identity {
    let mut labels = alert.labels.clone();
    labels.sort();
    (alert.plugin.clone(), alert.name.clone(), labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(peer: &str, state: State) -> Alert {
        Alert {
            plugin: "t".to_owned(),
            name: "many".to_owned(),
            severity: Severity::Critical,
            state,
            summary: format!("many to {peer}"),
            labels: vec![
                ("peer".to_owned(), peer.to_owned()),
                ("a".to_owned(), "b".to_owned()),
            ],
            connection: Some(([10, 0, 0, 1], 1).into()).zip(Some(([10, 0, 0, 2], 2).into())),
            wall_time: Duration::from_secs(7),
        }
    }

    #[test]
    fn what_fires_is_stored_and_read_whole() {
        let mut open = OpenAlerts::default();
        open.note(&[alert("1", State::Firing), alert("2", State::Firing)]);
        let mut resolved = alert("1", State::Resolved);
        resolved.labels.reverse();
        open.note(&[resolved]);
        let text = serde_json::to_string(&open.stored()).expect("JSON");
        let mut stored: Vec<StoredAlert> = serde_json::from_str(&text).expect("as written");
        assert_eq!(stored.len(), 1);
        let stored = stored.remove(0);
        assert_eq!(stored.active().labels[0].0, "a", "sorted");
        assert_eq!(stored.into_firing(), alert("2", State::Firing));
    }

    #[test]
    fn there_is_a_bound() {
        let mut open = OpenAlerts::default();
        for number in 0..=MAX_ALERTS {
            open.note(&[alert(&number.to_string(), State::Firing)]);
        }
        let stored = open.stored();
        assert_eq!(stored.len(), MAX_ALERTS);
        assert_eq!(stored[0].summary, "many to 1");
    }
}
