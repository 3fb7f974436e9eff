//! Withholds alerts that were raised a short time ago, for `alert!(every = …)`.

use std::time::Duration;

use retrans_event::nanos;

use crate::alert::Alert;
use crate::alert::AlertState;
use crate::alert::Severity;
use crate::lru_map::LruMap;
use crate::plugin::MAX_STEP_BACK;

/// Largest number of alerts that are remembered: as many as the host remembers of a plugin.
const MAX_ALERTS: usize = 10_000;

/// Number of severities.
const SEVERITIES: usize = Severity::Critical as usize + 1;

/// Name and labels, in the order of their keys.
type Identity = (String, Vec<(String, String)>);

/// The alerts that were raised within a period.
#[derive(Debug)]
pub struct Repeats {
    /// In ns.
    period: u64,
    raised: LruMap<Identity, Raised>,
}

/// When an alert was raised last with each severity, in ns.
type Raised = [Option<u64>; SEVERITIES];

impl Repeats {
    /// Remembers alerts for this period: up to 10,000, then those that were raised last.
    pub fn new(period: Duration) -> Repeats {
        Repeats {
            period: nanos(period),
            raised: LruMap::new(MAX_ALERTS),
        }
    }

    /// Returns `false` for an alert that was raised within the period before `now`, with the same severity. The period
    /// begins when `true` was returned. The end of an alert is never withheld, and ends its period.
    pub fn admit(&mut self, alert: &Alert, now: Duration) -> bool {
        let mut labels = alert.labels.clone();
        labels.sort();
        let identity = (alert.name.clone(), labels);
        if alert.state == AlertState::Resolved {
            self.raised.remove(&identity);
            return true;
        }
        let (period, at) = (self.period, nanos(now));
        let (is_new, _) = self.raised.touch(identity, now, |raised| {
            let raised = &mut raised[alert.severity as usize];
            let is_within = |raised: u64| {
                at < raised.saturating_add(period)
                    && at.saturating_add(nanos(MAX_STEP_BACK)) >= raised
            };
            let is_new = !raised.is_some_and(is_within);
            if is_new {
                *raised = Some(at);
            }
            is_new
        });
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_alert_is_admitted_once_in_a_period() {
        let mut repeats = Repeats::new(at(10));
        let alert = Alert::warning("a").label("x", 1).label("y", 2);
        let admitted = (100..130).filter(|now| repeats.admit(&alert, at(*now)));
        assert!(admitted.eq([100, 110, 120]));
        let reordered = Alert::warning("a").label("y", 2).label("x", 1).summary("b");
        assert!(!repeats.admit(&reordered, at(129)));
    }

    #[test]
    fn another_name_label_or_severity_is_another_alert() {
        let mut repeats = Repeats::new(at(10));
        for alert in [
            Alert::warning("a"),
            Alert::warning("b"),
            Alert::warning("a").label("x", 1),
            Alert::warning("a").label("x", 2),
            Alert::critical("a"),
        ] {
            assert!(repeats.admit(&alert, at(1)));
            assert!(!repeats.admit(&alert, at(1)));
        }
    }

    #[test]
    fn an_alert_whose_severity_alternates_is_admitted_once_in_a_period_with_each() {
        let mut repeats = Repeats::new(at(10));
        let alerts = [Alert::warning("a"), Alert::critical("a"), Alert::info("a")];
        let admitted: Vec<u64> = (100..125)
            .filter(|now| repeats.admit(&alerts[*now as usize % 3], at(*now)))
            .collect();
        assert_eq!(admitted, [100, 101, 102, 112, 113, 114, 124]);
    }

    #[test]
    fn an_alert_that_has_ended_is_admitted_again_with_each_severity() {
        let mut repeats = Repeats::new(at(10));
        assert!(repeats.admit(&Alert::warning("a"), at(1)));
        assert!(repeats.admit(&Alert::critical("a"), at(1)));
        assert!(repeats.admit(&Alert::warning("a").resolved(), at(2)));
        assert!(repeats.admit(&Alert::warning("a").resolved(), at(2)));
        assert!(repeats.admit(&Alert::warning("a"), at(3)));
        assert!(repeats.admit(&Alert::critical("a"), at(3)));
    }

    #[test]
    fn time_may_step_back_a_little_or_begin_anew() {
        let mut repeats = Repeats::new(at(10));
        assert!(repeats.admit(&Alert::warning("a"), at(100)));
        assert!(!repeats.admit(&Alert::warning("a"), at(99)));
        assert!(repeats.admit(&Alert::warning("a"), at(5)), "the next boot");
    }

    #[test]
    fn memory_is_bounded() {
        let mut repeats = Repeats::new(at(10));
        for number in 0..=MAX_ALERTS {
            assert!(repeats.admit(&Alert::warning("a").label("n", number), at(1)));
        }
        assert_eq!(repeats.raised.len(), MAX_ALERTS);
    }
}
