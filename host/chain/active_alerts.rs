//! The alerts that a plugin has left firing, so that they can be resolved when it no longer can.

use hashlink::LinkedHashMap;

use crate::plugin::StagedAlert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;

/// The most that are remembered: the one that fired first makes room. Nobody but the receiver's
/// time-out resolves it then.
const MAX_ALERTS: usize = 10_000;

/// The most bytes of their names and labels together: the same happens beyond.
const MAX_BYTES: usize = 4 << 20;

/// What an alert is: its name and labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) name: String,
    /// In order of their keys.
    pub(super) labels: Vec<(String, String)>,
}

impl Identity {
    fn bytes(&self) -> usize {
        let labels = self.labels.iter();
        let labels = labels.map(|(key, value)| key.len() + value.len());
        self.name.len() + labels.sum::<usize>()
    }
}

/// Alerts that fire.
#[derive(Debug, Default)]
pub(super) struct ActiveAlerts {
    /// How bad each is, and before which snapshot it began to fire. `None`: it was resolved, but the
    /// last snapshot does not know that.
    alerts: LinkedHashMap<Identity, (Option<Severity>, u64)>,
    /// Of their names and labels.
    bytes: usize,
    /// Snapshots that were taken so far.
    snapshots: u64,
}

impl ActiveAlerts {
    /// Notes what the plugin has said.
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
        // One that fires again fires since it did first: what was saved then knows of it.
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

    /// What the plugin knows was saved: it will still know of all that fire now.
    pub(super) fn saved(&mut self) {
        self.snapshots += 1;
        self.alerts.retain(|identity, (severity, _)| {
            if severity.is_none() {
                self.bytes -= identity.bytes();
            }
            severity.is_some()
        });
    }

    /// Takes out all.
    pub(super) fn take_all(&mut self) -> Vec<(Identity, Severity)> {
        self.bytes = 0;
        let alerts = std::mem::take(&mut self.alerts);
        let firing = alerts.into_iter();
        firing
            .filter_map(|(identity, (severity, _))| Some((identity, severity?)))
            .collect()
    }

    /// Takes out those that the last snapshot does not know of.
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
        let mut firing = ActiveAlerts::default();
        firing.note(&alert("first", State::Firing));
        firing.note(&alert("second", State::Firing));
        let mut resolved = alert("first", State::Resolved);
        resolved.labels.reverse();
        firing.note(&resolved);
        assert_eq!(names(firing.take_all()), ["second"]);
        assert!(firing.take_all().is_empty());
    }

    #[test]
    fn a_snapshot_knows_of_what_fired_before_it() {
        let mut firing = ActiveAlerts::default();
        firing.note(&alert("before", State::Firing));
        firing.saved();
        firing.note(&alert("after", State::Firing));
        firing.note(&alert("before", State::Firing));
        assert_eq!(names(firing.take_unsaved()), ["after"]);
        assert_eq!(names(firing.take_all()), ["before"]);
    }

    #[test]
    fn what_a_snapshot_knows_of_may_be_resolved_and_fire_again() {
        let mut firing = ActiveAlerts::default();
        firing.note(&alert("known", State::Firing));
        firing.saved();
        firing.note(&alert("known", State::Resolved));
        firing.note(&alert("known", State::Firing));
        assert!(firing.take_unsaved().is_empty());
        firing.note(&alert("known", State::Resolved));
        assert!(firing.take_all().is_empty());
    }

    #[test]
    fn there_is_a_bound() {
        let mut firing = ActiveAlerts::default();
        for number in 0..=MAX_ALERTS {
            firing.note(&alert(&number.to_string(), State::Firing));
        }
        let names = names(firing.take_all());
        assert_eq!(names.len(), MAX_ALERTS);
        assert_eq!(names[0], "1");
    }

    #[test]
    fn there_is_a_bound_of_their_bytes() {
        let mut firing = ActiveAlerts::default();
        let long = |number: usize| {
            let name = format!("{number}{}", " ".repeat(1_000_000));
            alert(&name, State::Firing)
        };
        for number in [0, 1, 2, 3, 4, 5, 3] {
            firing.note(&long(number));
        }
        let left: Vec<String> = names(firing.take_unsaved());
        let left: Vec<&str> = left.iter().map(|name| name.trim()).collect();
        assert_eq!(
            left,
            ["2", "4", "5", "3"],
            "the one that fired first made room"
        );
        assert_eq!(firing.bytes, 0);
        // Too long by itself.
        firing.note(&alert(&"x".repeat(MAX_BYTES + 1), State::Firing));
        assert!(firing.take_all().is_empty());
        assert_eq!(firing.bytes, 0);
    }
}
