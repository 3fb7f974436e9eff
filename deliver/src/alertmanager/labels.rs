//! The labels of an alert as Alertmanager takes them.
//!
//! A name has the form `[a-zA-Z_][a-zA-Z0-9_]*`. Every other character becomes `_`: `container.id` is `container_id`.
//! Two labels that would have one name keep their values: that with the name itself keeps it, others get `_2`, `_3` and
//! so on. A label with one of the names of this crate, such as `instance`, becomes `exported_instance`, as in
//! Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Alert;
use crate::alert::Severity;

/// Names of labels that this crate sets.
pub(super) const RESERVED: [&str; 4] = ["alertname", "instance", "plugin", "severity"];

/// Labels, sorted by name. They identify an alert for Alertmanager.
pub(super) type Labels = Arc<[(String, String)]>;

/// The labels of an alert. `configured` are added to it.
pub(super) fn of(alert: &Alert, instance: &str, configured: &[(String, String)]) -> LabelsOfAlert {
    let mut labels: BTreeMap<String, String> = configured.iter().cloned().collect();
    let own = [
        ("alertname", alert.name.as_str()),
        ("instance", instance),
        ("plugin", alert.plugin.as_str()),
        // Its place.
        ("severity", ""),
    ];
    for (name, value) in own {
        labels.insert(name.to_owned(), value.to_owned());
    }
    let mut others: Vec<(bool, &str, String, &str)> = alert.labels.iter().map(mapped).collect();
    // Names that stay as they are come first, so that they keep their names. The order in which a plugin gives its
    // labels must not matter.
    others.sort();
    let mut before = None;
    for other in others {
        let (_, _, name, value) = &other;
        // Alertmanager takes a label without a value for one that is absent.
        if value.is_empty() || before.as_ref() == Some(&other) {
            continue;
        }
        let mut free = name.clone();
        let mut number = 2;
        while labels.contains_key(&free) {
            free = format!("{name}_{number}");
            number += 1;
        }
        labels.insert(free, (*value).to_owned());
        before = Some(other);
    }
    LabelsOfAlert(labels.into_iter().collect())
}

/// The labels of an alert, for each severity.
pub(super) struct LabelsOfAlert(Vec<(String, String)>);

impl LabelsOfAlert {
    /// The labels with a severity.
    pub(super) fn with(&mut self, severity: Severity) -> &[(String, String)] {
        let label = self.0.iter_mut().find(|(name, _)| name == "severity");
        if let Some((_, value)) = label {
            severity.name().clone_into(value);
        }
        &self.0
    }
}

/// Returns whether Alertmanager takes the name of a label.
pub(super) fn is_valid(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(is_word)
}

/// Whether the name changes, the name, what it becomes, and the value.
fn mapped((name, value): &(String, String)) -> (bool, &str, String, &str) {
    let mut valid: String = name
        .chars()
        .map(|char| if is_word(char) { char } else { '_' })
        .collect();
    if !is_valid(&valid) {
        valid.insert(0, '_');
    }
    if RESERVED.contains(&valid.as_str()) {
        valid.insert_str(0, "exported_");
    }
    (valid != *name, name, valid, value)
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::State;
    use crate::testing::alert;

    fn labels(labels: &[(&str, &str)], configured: &[(&str, &str)]) -> String {
        let owned = |labels: &[(&str, &str)]| -> Vec<(String, String)> {
            let labels = labels.iter();
            labels
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut alert = alert("loss", State::Firing);
        alert.labels = owned(labels);
        let mut labels = of(&alert, "web-1", &owned(configured));
        let labels = labels.with(Severity::Critical).iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        labels.join(" ")
    }

    #[test]
    fn name_plugin_host_and_severity_are_labels() {
        let expected =
            "alertname=loss instance=web-1 peer=10.0.0.2 plugin=ratio severity=critical site=x";
        assert_eq!(labels(&[("peer", "10.0.0.2")], &[("site", "x")]), expected);
    }

    #[test]
    fn names_are_made_valid() {
        for (name, expected) in [
            ("container.id", "container_id"),
            ("k8s.pod/name", "k8s_pod_name"),
            ("5xx", "_5xx"),
            ("größe", "gr__e"),
            ("", "_"),
            ("instance", "exported_instance"),
            ("severity", "exported_severity"),
            ("_peer", "_peer"),
        ] {
            let labels = labels(&[(name, "v")], &[]);
            assert!(
                labels
                    .split(' ')
                    .any(|label| label == format!("{expected}=v")),
                "{name}: {labels}"
            );
        }
    }

    #[test]
    fn labels_that_would_have_one_name_are_all_kept_whatever_their_order() {
        let mut given = [
            ("a_b", "1"),
            ("a.b", "2"),
            ("a-b", "3"),
            ("instance", "4"),
            ("exported_instance", "5"),
            ("site", "6"),
        ];
        let expected = "a_b=1 a_b_2=3 a_b_3=2 alertname=loss exported_instance=5 exported_instance_2=4 instance=web-1 \
                        plugin=ratio severity=critical site=x site_2=6";
        for _ in 0..given.len() {
            given.rotate_left(1);
            assert_eq!(labels(&given, &[("site", "x")]), expected);
        }
    }

    #[test]
    fn a_label_that_is_given_twice_or_has_no_value_adds_nothing() {
        let expected = "alertname=loss instance=web-1 peer=a plugin=ratio severity=critical";
        assert_eq!(
            labels(&[("peer", "a"), ("none", ""), ("peer", "a")], &[]),
            expected
        );
    }

    #[test]
    fn valid_names_are_those_of_prometheus() {
        for (name, expected) in [
            ("a", true),
            ("_9", true),
            ("9", false),
            ("", false),
            ("a.b", false),
            ("ä", false),
        ] {
            assert_eq!(is_valid(name), expected, "{name}");
        }
    }
}
