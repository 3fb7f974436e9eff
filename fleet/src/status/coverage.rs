//! The share of the events of a host that its fleet has.

use serde::Serialize;
use serde_json::Value;

/// How many of the events of a host are in the broker, or wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Events that the broker has, or that wait for it.
    pub covered: u64,
    /// Those, those that were dropped on their way, and those that the host has lost before.
    pub all: u64,
}

impl Coverage {
    /// What a report says.
    pub(super) fn of(report: &Value) -> Option<Coverage> {
        let number = |path: &str| report.pointer(path).and_then(Value::as_u64);
        let [acknowledged, queued, dropped] = ["acknowledged", "queued", "dropped"]
            .map(|name| number(&format!("/counts/{name}/events")));
        let covered = acknowledged?.saturating_add(queued?);
        let gone = dropped?.saturating_add(number("/about/lost")?);
        Some(Coverage {
            covered,
            all: covered.saturating_add(gone),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_dropped_or_lost_is_not_covered() {
        let report = json!({
            "counts": {
                "acknowledged": {"frames": 1, "events": 70},
                "queued": {"frames": 1, "events": 20},
                "dropped": {"frames": 1, "events": 7},
            },
            "about": {"lost": 3},
        });
        let expected = Coverage {
            covered: 90,
            all: 100,
        };
        assert_eq!(Coverage::of(&report), Some(expected));
    }

    #[test]
    fn of_a_report_that_does_not_say_all_there_is_none() {
        let whole = json!({
            "counts": {"acknowledged": {"events": 1}, "queued": {"events": 0}, "dropped": {"events": 0}},
            "about": {"lost": 0},
        });
        assert!(Coverage::of(&whole).is_some());
        for missing in [
            "/counts/acknowledged",
            "/counts/queued",
            "/counts/dropped",
            "/about",
        ] {
            let mut report = whole.clone();
            *report.pointer_mut(missing).expect("a member") = Value::Null;
            assert_eq!(Coverage::of(&report), None, "{missing}");
        }
    }
}
