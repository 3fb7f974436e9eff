//! Alerts with state: one for each key, which rises, falls and ends.

mod step;

use std::hash::Hash;
use std::time::Duration;

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;

use crate::alert::Alert;
use crate::alert::Severity;
use crate::lru_map::LruMap;
use step::Active;
use step::Change;
use step::Rule;

/// Default of [`Alarm::max_keys`]: as many active alerts as the host remembers of a plugin.
const MAX_KEYS: usize = 10_000;

/// Default of [`Alarm::hold`].
const HOLD: Duration = Duration::from_secs(60);

/// Raises an alert for a key when its value reaches a step, and resolves it when the value was low for long enough.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// # let mut out = Vec::new();
/// let mut alarm = Alarm::new("retransmit-burst")
///     .warning_at(10)
///     .critical_at(50)
///     .resolve_below(5)
///     .hold(Duration::from_secs(30));
/// let second = Duration::from_secs;
///
/// // In `on_event`: the value of the key, such as a count.
/// for value in [9, 10, 11, 12] {
///     let raised = alarm.update("10.0.0.2", value, second(value), |alert| {
///         alert.label("peer", "10.0.0.2").summary(format_args!("{value} retransmits"))
///     });
///     out.extend(raised);
/// }
/// // In `on_tick`.
/// for now in 13..60 {
///     out.extend(alarm.tick(second(now), |_, alert| alert.summary("no retransmits for 30s")));
/// }
/// # let states: Vec<_> = out.iter().map(|alert| (alert.state, alert.summary.as_str())).collect();
/// # assert_eq!(states, [
/// #     (AlertState::Firing, "10 retransmits"), (AlertState::Resolved, "no retransmits for 30s"),
/// # ]);
/// # assert_eq!(out[1].label_value("peer"), Some("10.0.0.2"));
/// ```
///
/// **Rising.** An alert has the severity of the highest step that the value has reached, and rises as soon as the value
/// reaches the next one. It is the same alert, with the same name and labels. A value that stays between two steps raises
/// nothing.
///
/// **Falling and ending.** The severity falls when the value was below its step for the time [`hold`](Alarm::hold), and
/// the alert is resolved when the value was below [`resolve_below`](Alarm::resolve_below) for as long. A key that is not
/// updated counts as low: call [`tick`](Alarm::tick), and make `hold` at least as long as the window of the values, because
/// the value of a silent key falls only as the window moves on.
///
/// **Cool-down.** After its alert was resolved, a key raises none for the time [`cool_down`](Alarm::cool_down).
///
/// **Bound.** It keeps only keys with an active alert or in their cool-down, up to [`max_keys`](Alarm::max_keys), each with
/// the labels of its alert. Beyond that no further alert is raised until another one has ended;
/// [`suppressed`](Alarm::suppressed) counts the updates that would have raised one.
///
/// It can be a plugin's [state](crate::Stateful), or part of it: a new instance neither raises an active alert again nor
/// forgets to resolve it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Hash + Eq"))]
pub struct Alarm<K> {
    name: String,
    rule: Rule,
    keys: LruMap<K, Active>,
    suppressed: u64,
}

impl<K> Alarm<K> {
    /// An alarm for alerts with this name, such as `retransmit-burst`. Without a step it raises nothing.
    pub fn new(name: impl Into<String>) -> Alarm<K>
    where
        K: Hash + Eq,
    {
        Alarm {
            name: name.into(),
            rule: Rule::new(HOLD),
            keys: LruMap::new(MAX_KEYS),
            suppressed: 0,
        }
    }

    /// Raises an alert of severity [`Info`](Severity::Info) for a value of at least `value`.
    #[must_use]
    pub fn info_at(self, value: u64) -> Alarm<K> {
        self.step(Severity::Info, value)
    }

    /// Raises an alert of severity [`Warning`](Severity::Warning) for a value of at least `value`.
    #[must_use]
    pub fn warning_at(self, value: u64) -> Alarm<K> {
        self.step(Severity::Warning, value)
    }

    /// Raises an alert of severity [`Critical`](Severity::Critical) for a value of at least `value`.
    #[must_use]
    pub fn critical_at(self, value: u64) -> Alarm<K> {
        self.step(Severity::Critical, value)
    }

    /// Sets the value from which an alert has this severity. For a severity that is a setting. Steps must rise with the
    /// severity: one that is not below those of all higher severities has no effect.
    #[must_use]
    pub fn step(mut self, severity: Severity, value: u64) -> Alarm<K> {
        self.rule.set_step(severity, value);
        self
    }

    /// The value below which an alert ends. The default, and the largest value, is that of the lowest step.
    #[must_use]
    pub fn resolve_below(mut self, value: u64) -> Alarm<K> {
        self.rule.resolve_below = Some(value);
        self
    }

    /// How long a value must be low until the severity falls, or the alert is resolved. The default is 60 s.
    #[must_use]
    pub fn hold(mut self, time: Duration) -> Alarm<K> {
        self.rule.hold = nanos(time);
        self
    }

    /// How long a key raises no alert after its alert was resolved. The default is 0 s.
    #[must_use]
    pub fn cool_down(mut self, time: Duration) -> Alarm<K> {
        self.rule.cool_down = nanos(time);
        self
    }

    /// The largest number of keys with an active alert or in their cool-down, at least 1. The default is 10,000, the
    /// number of active alerts that the host remembers of a plugin.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Alarm<K>
    where
        K: Hash + Eq,
    {
        self.keys.set_capacity(keys);
        self
    }
}

impl<K: Hash + Eq> Alarm<K> {
    /// Sets the value of a key at the time `now`. Returns an alert if its severity changes, or if it is resolved; pass it
    /// to [`Output::alerts`](crate::Output::alerts).
    ///
    /// `describe` adds labels and summary. It gets the alert with its name, severity and state, and is called only where an
    /// alert is returned. Name, severity and state stay, and so do the labels of the first call until the alert is
    /// resolved, whatever `describe` sets.
    ///
    /// The labels must differ between keys: the host knows an alert by its name and labels. With the same labels, the alerts
    /// of two keys would be one, which ends with the first of them.
    ///
    /// `now` may step back, as it does between sockets by up to 1 s.
    #[must_use = "pass it to Output::alerts"]
    pub fn update(
        &mut self,
        key: K,
        value: u64,
        now: Duration,
        describe: impl FnOnce(Alert) -> Alert,
    ) -> Option<Alert> {
        let at = nanos(now);
        if let Some(active) = self.keys.get_mut(&key) {
            let change = active.update(&self.rule, value, at)?;
            let alert = active.alert(&self.name, change, describe);
            if active.is_forgotten(&self.rule, at) {
                self.keys.remove(&key);
            }
            return Some(alert);
        }
        let severity = self.rule.reached(value)?;
        if self.keys.len() >= self.keys.capacity() {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        let mut active = Active::new(severity, &self.rule, value, at);
        let alert = active.alert(&self.name, Change::Firing(severity), describe);
        self.keys.touch(key, now, |place| *place = active);
        Some(alert)
    }

    /// Lets time pass: resolves the alerts of keys that were low, or silent, for long enough, and lowers severities. Call
    /// it in [`on_tick`](crate::Plugin::on_tick). The alerts are in the order in which their keys had their first alert. A
    /// key whose next alert is raised right after its cool-down, before a tick, keeps its place.
    ///
    /// `describe` adds the summary; name, labels, severity and state are set.
    #[must_use = "pass it to Output::alerts"]
    pub fn tick(
        &mut self,
        now: Duration,
        mut describe: impl FnMut(&K, Alert) -> Alert,
    ) -> Vec<Alert> {
        let at = nanos(now);
        let (name, rule) = (&self.name, &self.rule);
        let mut alerts = Vec::new();
        self.keys.retain(|key, active| {
            if let Some(change) = active.pass(rule, at) {
                alerts.push(active.alert(name, change, |alert| describe(key, alert)));
            }
            !active.is_forgotten(rule, at)
        });
        alerts
    }

    /// The severity of a key's active alert.
    pub fn severity(&self, key: &K) -> Option<Severity> {
        self.keys.get(key)?.severity()
    }

    /// The number of active alerts.
    pub fn active(&self) -> usize {
        let active = |(_, active): &(&K, &Active)| active.severity().is_some();
        self.keys.iter().filter(active).count()
    }

    /// The number of updates that raised no alert because there were too many keys.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Takes over the active alerts of another alarm, such as a saved one. Name, steps, times and maximum number of keys
    /// stay the same and apply to the alerts from now on. If there are more than the maximum, all stay until they end.
    pub fn restore(&mut self, other: Alarm<K>) {
        let max_keys = self.keys.capacity();
        self.keys = other.keys;
        self.keys.set_capacity(max_keys);
        self.suppressed = other.suppressed;
    }
}

#[cfg(test)]
mod tests;
