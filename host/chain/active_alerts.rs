//! The active alerts of a plugin. The host resolves them when the plugin no longer can.

use hashlink::LinkedHashMap;

use super::saved::ActiveAlert;
use crate::plugin::StagedAlert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;

/// Maximum number of active alerts that are remembered. Beyond it the oldest one is forgotten, and only the receiver's
/// time-out resolves it.
const MAX_ALERTS: usize = 10_000;

/// Maximum number of bytes of all names and labels together. Beyond it the oldest alert is forgotten, too.
const MAX_BYTES: usize = 4 << 20;

/// Identity of an alert: its name and labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) name: String,
    /// Sorted by key.
    pub(super) labels: Vec<(String, String)>,
}

impl Identity {
    fn bytes(&self) -> usize {
        let labels = self.labels.iter();
        let labels = labels.map(|(key, value)| key.len() + value.len());
        self.name.len() + labels.sum::<usize>()
    }
}

/// The active alerts of one plugin.
#[derive(Debug, Default)]
pub(super) struct ActiveAlerts {
    /// The severity of each alert, and the number of snapshots that were taken before it was raised. The severity is
    /// `None` for an alert that was resolved since the last snapshot, which still has it as active.
    alerts: LinkedHashMap<Identity, (Option<Severity>, u64)>,
    /// Number of bytes of all names and labels.
    bytes: usize,
    /// Number of snapshots taken so far.
    snapshots: u64,
}

impl ActiveAlerts {
    /// Records that the plugin has raised or resolved an alert.
    pub(super) fn note(&mut self, alert: &StagedAlert) {
        let mut labels = alert.labels.clone();
        labels.sort();
        let identity = Identity {
            name: alert.name.clone(),
            labels,
        };
        let before = self.alerts.remove(&identity);
        if before.is_some() {
            self.bytes -= identity.bytes();
        }
        // An alert that is raised again keeps the time at which it was first raised: snapshots since then have it.
        let since = before.map_or(self.snapshots, |(_, since)| since);
        let severity = (alert.state == State::Firing).then_some(alert.severity);
        if severity.is_none() && since == self.snapshots {
            return;
        }
        self.bytes += identity.bytes();
        self.alerts.insert(identity, (severity, since));
        while self.alerts.len() > MAX_ALERTS || self.bytes > MAX_BYTES {
            let Some((first, _)) = self.alerts.pop_front() else {
                break;
            };
            self.bytes -= first.bytes();
        }
    }

    /// Records that a snapshot was taken, which knows of all active alerts.
    pub(super) fn mark_saved(&mut self) {
        self.snapshots += 1;
        self.alerts.retain(|identity, (severity, _)| {
            if severity.is_none() {
                self.bytes -= identity.bytes();
            }
            severity.is_some()
        });
    }

    /// The active alerts that a saved state knows of.
    pub(super) fn known(alerts: Vec<ActiveAlert>) -> ActiveAlerts {
        let mut known = ActiveAlerts::default();
        for ActiveAlert {
            name,
            severity,
            labels,
        } in alerts
        {
            let identity = Identity { name, labels };
            known.bytes += identity.bytes();
            known.alerts.insert(identity, (Some(severity), 0));
        }
        known.mark_saved();
        known
    }

    /// Removes and returns all active alerts.
    pub(super) fn take_all(&mut self) -> Vec<(Identity, Severity)> {
        self.bytes = 0;
        let alerts = std::mem::take(&mut self.alerts);
        let firing = alerts.into_iter();
        firing
            .filter_map(|(identity, (severity, _))| Some((identity, severity?)))
            .collect()
    }

    /// Removes and returns the active alerts of which the last snapshot does not know.
    pub(super) fn take_unsaved(&mut self) -> Vec<(Identity, Severity)> {
        let mut unsaved = Vec::new();
        let snapshots = self.snapshots;
        self.alerts
            .retain_with_order(|identity, (severity, since)| {
                let known = *since < snapshots;
                if !known {
                    self.bytes -= identity.bytes();
                    unsaved.extend(severity.map(|severity| (identity.clone(), severity)));
                }
                known
            });
        unsaved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, state: State) -> StagedAlert {
        StagedAlert {
            name: name.to_owned(),
            severity: Severity::Warning,
            state,
            summary: String::new(),
            labels: vec![("b".into(), "2".into()), ("a".into(), "1".into())],
            event: None,
        }
    }

    fn names(alerts: Vec<(Identity, Severity)>) -> Vec<String> {
        alerts
            .into_iter()
            .map(|(identity, _)| identity.name)
            .collect()
    }

    #[test]
    fn what_was_resolved_does_not_fire() {
        let mut alerts = ActiveAlerts::default();
        alerts.note(&alert("first", State::Firing));
        alerts.note(&alert("second", State::Firing));
        let mut resolved = alert("first", State::Resolved);
        resolved.labels.reverse();
        alerts.note(&resolved);
        assert_eq!(names(alerts.take_all()), ["second"]);
        assert!(alerts.take_all().is_empty());
    }

    #[test]
    fn a_snapshot_knows_of_what_fired_before_it() {
        let mut alerts = ActiveAlerts::default();
        alerts.note(&alert("before", State::Firing));
        alerts.mark_saved();
        alerts.note(&alert("after", State::Firing));
        alerts.note(&alert("before", State::Firing));
        assert_eq!(names(alerts.take_unsaved()), ["after"]);
        assert_eq!(names(alerts.take_all()), ["before"]);
    }

    #[test]
    fn what_a_snapshot_knows_of_may_be_resolved_and_fire_again() {
        let mut alerts = ActiveAlerts::default();
        alerts.note(&alert("known", State::Firing));
        alerts.mark_saved();
        alerts.note(&alert("known", State::Resolved));
        alerts.note(&alert("known", State::Firing));
        assert!(alerts.take_unsaved().is_empty());
        alerts.note(&alert("known", State::Resolved));
        assert!(alerts.take_all().is_empty());
    }

    #[test]
    fn what_was_active_elsewhere_is_known_here() {
        let active = |name: &str| ActiveAlert {
            name: name.to_owned(),
            severity: Severity::Warning,
            labels: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
        };
        let mut alerts = ActiveAlerts::known(vec![active("first"), active("second")]);
        assert!(alerts.take_unsaved().is_empty());
        alerts.note(&alert("first", State::Resolved));
        alerts.note(&alert("third", State::Firing));
        assert_eq!(names(alerts.take_unsaved()), ["third"]);
        assert_eq!(names(alerts.take_all()), ["second"]);
        assert_eq!(alerts.bytes, 0);
    }

    #[test]
    fn there_is_a_bound() {
        let mut alerts = ActiveAlerts::default();
        for number in 0..=MAX_ALERTS {
            alerts.note(&alert(&number.to_string(), State::Firing));
        }
        let names = names(alerts.take_all());
        assert_eq!(names.len(), MAX_ALERTS);
        assert_eq!(names[0], "1");
    }

    #[test]
    fn there_is_a_bound_of_their_bytes() {
        let mut alerts = ActiveAlerts::default();
        let long = |number: usize| {
            let name = format!("{number}{}", " ".repeat(1_000_000));
            alert(&name, State::Firing)
        };
        for number in [0, 1, 2, 3, 4, 5, 3] {
            alerts.note(&long(number));
        }
        let left: Vec<String> = names(alerts.take_unsaved());
        let left: Vec<&str> = left.iter().map(|name| name.trim()).collect();
        assert_eq!(left, ["2", "4", "5", "3"], "the oldest alert made room");
        assert_eq!(alerts.bytes, 0);
        // This alert is too long by itself.
        alerts.note(&alert(&"x".repeat(MAX_BYTES + 1), State::Firing));
        assert!(alerts.take_all().is_empty());
        assert_eq!(alerts.bytes, 0);
    }
}
