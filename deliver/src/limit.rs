//! A limit of new alerts a minute for each plugin.
//!
//! An alert that is raised again within five minutes is the same alert: it costs nothing. Neither does the end of an
//! alert that was let through. Where the limit is reached, one alert says so; it is raised again in each minute in
//! which the limit is reached, and resolved after a minute in which it was not.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::num::NonZeroU32;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use crate::alert::Alert;
use crate::alert::Severity;
use crate::alert::State;
use crate::moment::Moment;

/// Name of the alert that says that the limit was reached.
pub const ALERT_NAME: &str = "alert-limit";

/// Time within which an alert that is raised again is the same one.
const SAME_WITHIN: Duration = Duration::from_secs(300);

/// Number of alerts of a plugin that are remembered. Of others the end costs as much as a new alert.
const MAX_REMEMBERED: usize = 10_000;

const MINUTE: Duration = Duration::from_secs(60);

/// The limit, and what each plugin has used of it.
#[derive(Debug)]
pub(crate) struct Limit {
    per_minute: Option<NonZeroU32>,
    plugins: HashMap<String, Plugin, RandomState>,
    hasher: RandomState,
    /// Alerts about the limit that were not taken yet.
    own: Vec<Alert>,
}

#[derive(Debug, Default)]
struct Plugin {
    /// End of the minute that counts.
    window_end: Duration,
    /// Alerts of that minute that were let through.
    used: u32,
    /// Number of alerts held back since the limit was first reached, if the alert about it is not resolved.
    held_back: Option<u64>,
    /// The alert about the limit was raised in this minute.
    is_told: bool,
    /// Hashes of alerts that were let through and fire, and when each was last raised, in that order.
    firing: LinkedHashMap<u64, Duration, RandomState>,
}

impl Limit {
    /// A limit; `None`: no limit. What is let through is remembered in any case.
    pub(crate) fn new(per_minute: Option<NonZeroU32>) -> Limit {
        Limit {
            per_minute,
            plugins: HashMap::default(),
            hasher: RandomState::default(),
            own: Vec::new(),
        }
    }

    /// Changes the limit, from the next alert on. Alerts that were let through may end, also if there was no limit.
    pub(crate) fn set(&mut self, per_minute: Option<NonZeroU32>) {
        self.per_minute = per_minute;
    }

    /// Returns whether an alert is let through.
    pub(crate) fn admits(&mut self, alert: &Alert, now: Moment) -> bool {
        let hash = self.hasher.hash_one(alert.identity());
        let plugin = match self.plugins.get_mut(&alert.plugin) {
            Some(plugin) => plugin,
            None => self.plugins.entry(alert.plugin.clone()).or_default(),
        };
        if now.steady >= plugin.window_end {
            plugin.window_end = now.steady + MINUTE;
            plugin.used = 0;
            plugin.is_told = false;
        }
        let raised = plugin.firing.get(&hash).copied();
        let is_known = match alert.state {
            State::Firing => raised.is_some_and(|raised| now.steady < raised + SAME_WITHIN),
            State::Resolved => raised.is_some(),
        };
        if !is_known
            && let Some(per_minute) = self.per_minute
            && plugin.used >= per_minute.get()
        {
            let held_back = plugin.held_back.get_or_insert(0);
            *held_back += 1;
            if !std::mem::replace(&mut plugin.is_told, true) {
                self.own.push(reached(&alert.plugin, per_minute, now));
            }
            // If an earlier one was let through, it stays in `firing`: its end costs nothing.
            return false;
        }
        plugin.used = plugin.used.saturating_add(u32::from(!is_known));
        match alert.state {
            State::Firing => {
                plugin.firing.insert(hash, now.steady);
                if plugin.firing.len() > MAX_REMEMBERED {
                    plugin.firing.pop_front();
                }
            }
            State::Resolved => {
                plugin.firing.remove(&hash);
            }
        }
        true
    }

    /// The steady time at which the limit is over for a plugin, for the next one.
    pub(crate) fn next(&self) -> Option<Duration> {
        let reached = self
            .plugins
            .values()
            .filter(|plugin| plugin.held_back.is_some());
        reached.map(Plugin::over_at).min()
    }

    /// Takes the alerts about the limit.
    pub(crate) fn take_own(&mut self, now: Moment) -> Vec<Alert> {
        for (name, plugin) in &mut self.plugins {
            if plugin.held_back.is_some() && plugin.over_at() <= now.steady {
                let held_back = plugin.held_back.take().unwrap_or_default();
                self.own.push(over(name, held_back, now));
            }
        }
        std::mem::take(&mut self.own)
    }
}

impl Plugin {
    /// When the limit is over, unless it is reached again: a minute after the one that counts, or after that one if the
    /// limit was not reached in it.
    fn over_at(&self) -> Duration {
        if self.is_told {
            self.window_end + MINUTE
        } else {
            self.window_end
        }
    }
}

fn reached(plugin: &str, per_minute: NonZeroU32, now: Moment) -> Alert {
    own(
        plugin,
        State::Firing,
        format!(
            "{plugin} raised more than {per_minute} alerts within a minute: further ones are held back"
        ),
        now,
    )
}

fn over(plugin: &str, held_back: u64, now: Moment) -> Alert {
    own(
        plugin,
        State::Resolved,
        format!("{plugin} is within the limit of alerts again: {held_back} were held back"),
        now,
    )
}

fn own(plugin: &str, state: State, summary: String, now: Moment) -> Alert {
    Alert {
        plugin: plugin.to_owned(),
        name: ALERT_NAME.to_owned(),
        severity: Severity::Warning,
        state,
        summary,
        labels: Vec::new(),
        connection: None,
        wall_time: now.wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alert;

    fn limit(per_minute: u32) -> Limit {
        Limit::new(NonZeroU32::new(per_minute))
    }

    fn states(alerts: &[Alert]) -> Vec<State> {
        alerts.iter().map(|alert| alert.state).collect()
    }

    /// The number of new alerts, out of this number, that are let through.
    fn let_through(limit: &mut Limit, alerts: u32, second: u64) -> usize {
        let names = (0..alerts).map(|number| format!("{second}-{number}"));
        names
            .filter(|name| limit.admits(&alert(name, State::Firing), Moment::at(second)))
            .count()
    }

    #[test]
    fn without_a_limit_everything_is_let_through() {
        assert_eq!(let_through(&mut Limit::new(None), 1_000, 0), 1_000);
    }

    #[test]
    fn more_new_alerts_than_the_limit_are_held_back_until_the_minute_ends() {
        let mut limit = limit(10);
        assert_eq!(let_through(&mut limit, 12, 5), 10);
        assert_eq!(let_through(&mut limit, 12, 64), 0);
        assert_eq!(let_through(&mut limit, 12, 65), 10);
    }

    #[test]
    fn each_plugin_has_its_own_limit() {
        let mut limit = limit(1);
        assert_eq!(let_through(&mut limit, 2, 0), 1);
        let mut other = alert("other", State::Firing);
        other.plugin = "other".to_owned();
        assert!(limit.admits(&other, Moment::at(1)));
    }

    #[test]
    fn an_alert_that_is_raised_again_or_ends_costs_nothing() {
        let mut limit = limit(1);
        for second in [0, 200, 400] {
            assert!(limit.admits(&alert("a", State::Firing), Moment::at(second)));
        }
        // A minute began at 400 s: "a" had not cost anything in it.
        assert!(limit.admits(&alert("b", State::Firing), Moment::at(401)));
        assert!(limit.admits(&alert("a", State::Resolved), Moment::at(402)));
        assert!(
            !limit.admits(&alert("a", State::Firing), Moment::at(403)),
            "it is a new alert"
        );
        assert!(
            !limit.admits(&alert("a", State::Resolved), Moment::at(404)),
            "nothing was let through"
        );
    }

    #[test]
    fn an_alert_raised_after_five_minutes_is_a_new_one() {
        let mut limit = limit(1);
        assert!(limit.admits(&alert("a", State::Firing), Moment::at(0)));
        assert!(limit.admits(&alert("b", State::Firing), Moment::at(299)));
        assert!(!limit.admits(&alert("a", State::Firing), Moment::at(300)));
        assert!(
            limit.admits(&alert("a", State::Resolved), Moment::at(301)),
            "it was let through at first, and fires at its receiver"
        );
        assert!(
            !limit.admits(&alert("a", State::Resolved), Moment::at(302)),
            "it has ended"
        );
    }

    #[test]
    fn one_alert_a_minute_says_that_the_limit_was_reached_and_one_that_it_is_over() {
        let mut limit = limit(10);
        let_through(&mut limit, 10, 0);
        assert_eq!(
            (limit.next(), limit.take_own(Moment::at(0)).len()),
            (None, 0)
        );
        let_through(&mut limit, 15, 1);
        let own = limit.take_own(Moment::at(1));
        assert_eq!(states(&own), [State::Firing]);
        assert_eq!(
            (own[0].name.as_str(), own[0].plugin.as_str()),
            (ALERT_NAME, "ratio")
        );
        assert!(
            own[0].summary.contains("more than 10 alerts"),
            "{}",
            own[0].summary
        );
        // Reached in the second minute as well: the same alert again.
        let_through(&mut limit, 15, 61);
        assert_eq!(states(&limit.take_own(Moment::at(62))), [State::Firing]);
        assert_eq!(limit.next(), Some(Duration::from_secs(181)));
        assert_eq!(states(&limit.take_own(Moment::at(180))), []);
        let own = limit.take_own(Moment::at(181));
        assert_eq!(states(&own), [State::Resolved]);
        assert!(
            own[0].summary.contains("20 were held back"),
            "{}",
            own[0].summary
        );
        assert_eq!(limit.next(), None);
    }

    #[test]
    fn a_minute_below_the_limit_ends_it() {
        let mut limit = limit(2);
        let_through(&mut limit, 3, 0);
        assert_eq!(states(&limit.take_own(Moment::at(0))), [State::Firing]);
        let_through(&mut limit, 1, 100);
        assert_eq!(limit.next(), Some(Duration::from_secs(160)));
        assert_eq!(states(&limit.take_own(Moment::at(160))), [State::Resolved]);
    }

    #[test]
    fn a_limit_that_is_lowered_holds_at_once_and_what_was_let_through_may_end() {
        let mut limit = Limit::new(None);
        assert_eq!(let_through(&mut limit, 5, 0), 5);
        limit.set(NonZeroU32::new(3));
        assert!(!limit.admits(&alert("new", State::Firing), Moment::at(1)));
        assert!(limit.admits(&alert("0-4", State::Resolved), Moment::at(1)));
        assert_eq!(states(&limit.take_own(Moment::at(1))), [State::Firing]);
        limit.set(None);
        assert!(limit.admits(&alert("new", State::Firing), Moment::at(2)));
        // What was said of the limit is taken back.
        let over = limit.next().expect("the end of the limit");
        let own = limit.take_own(Moment::at(over.as_secs()));
        assert_eq!(states(&own), [State::Resolved]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut limit = limit(u32::MAX);
        let_through(&mut limit, MAX_REMEMBERED as u32 + 10, 0);
        let plugin = limit.plugins.get("ratio").expect("a plugin");
        assert_eq!(plugin.firing.len(), MAX_REMEMBERED);
    }
}
