//! The severity of one key by its values and their times.

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;

use crate::alert::Alert;
use crate::alert::AlertState;
use crate::alert::Severity;
use crate::plugin::MAX_STEP_BACK;

/// All severities, the lowest first.
const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// Steps and times of an alarm. Times are in ns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    /// The value of each severity, in the order of [`SEVERITIES`].
    steps: [Option<u64>; SEVERITIES.len()],
    pub(super) resolve_below: Option<u64>,
    pub(super) hold: u64,
    pub(super) cool_down: u64,
}

impl Rule {
    pub(super) fn new(hold: std::time::Duration) -> Rule {
        Rule {
            steps: [None; SEVERITIES.len()],
            resolve_below: None,
            hold: nanos(hold),
            cool_down: 0,
        }
    }

    pub(super) fn set_step(&mut self, severity: Severity, value: u64) {
        self.steps[severity as usize] = Some(value);
    }

    /// The severity of the highest step that the value reaches.
    #[inline]
    pub(super) fn reached(&self, value: u64) -> Option<Severity> {
        let reached =
            |severity: &Severity| self.steps[*severity as usize].is_some_and(|step| value >= step);
        SEVERITIES.into_iter().rev().find(reached)
    }

    /// The value of a step that can be the highest one that a value reaches: it is below the steps of all higher
    /// severities.
    fn step(&self, severity: Severity) -> Option<u64> {
        let (_, higher) = self.steps.split_at(severity as usize + 1);
        let step = self.steps[severity as usize]?;
        higher
            .iter()
            .flatten()
            .all(|other| step < *other)
            .then_some(step)
    }

    /// The lowest value with which an alert keeps this severity: the value of its step, or for the lowest step the value
    /// below which an alert ends.
    fn kept_from(&self, severity: Severity) -> Option<u64> {
        let step = self.step(severity)?;
        let mut lower = SEVERITIES.into_iter().take(severity as usize);
        let is_lowest = lower.all(|other| self.step(other).is_none());
        match self.resolve_below {
            Some(lower) if is_lowest => Some(lower.min(step)),
            _ => Some(step),
        }
    }
}

/// A key with an active alert, or in its cool-down. The saved names are short, because there may be 10,000.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Active {
    /// `None` in the cool-down.
    #[serde(rename = "s")]
    severity: Option<Severity>,
    /// For each severity the last time at which the value was high enough to keep it; in the cool-down, the first is the
    /// time at which the alert was resolved.
    #[serde(rename = "k")]
    kept: [u64; SEVERITIES.len()],
    /// `None` before the first alert, and in the cool-down.
    #[serde(rename = "l")]
    labels: Option<Vec<(String, String)>>,
}

/// What happens to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It has this severity now.
    Firing(Severity),
    /// It ends; it had this severity.
    Resolved(Severity),
}

impl Active {
    pub(super) fn new(severity: Severity, rule: &Rule, value: u64, now: u64) -> Active {
        let mut active = Active {
            severity: Some(severity),
            kept: [0; SEVERITIES.len()],
            labels: None,
        };
        active.keep(rule, value, now);
        active
    }

    pub(super) fn severity(&self) -> Option<Severity> {
        self.severity
    }

    /// Notes the severities that the value keeps.
    fn keep(&mut self, rule: &Rule, value: u64, now: u64) {
        for severity in SEVERITIES {
            if rule.kept_from(severity).is_some_and(|from| value >= from) {
                let kept = &mut self.kept[severity as usize];
                *kept = now.max(*kept);
            }
        }
    }

    /// Bounds times that cannot be of this stream, as in a state of an earlier boot: such an alert would not end.
    fn bound_times(&mut self, now: u64) {
        for kept in &mut self.kept {
            if *kept > now.saturating_add(nanos(MAX_STEP_BACK)) {
                *kept = now;
            }
        }
    }

    /// Sets the value.
    pub(super) fn update(&mut self, rule: &Rule, value: u64, now: u64) -> Option<Change> {
        self.bound_times(now);
        let reached = rule.reached(value);
        let Some(severity) = self.severity else {
            let severity = reached.filter(|_| self.is_forgotten(rule, now))?;
            *self = Active::new(severity, rule, value, now);
            return Some(Change::Firing(severity));
        };
        self.keep(rule, value, now);
        match reached {
            Some(reached) if reached > severity => {
                self.severity = Some(reached);
                Some(Change::Firing(reached))
            }
            _ => self.pass(rule, now),
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, rule: &Rule, now: u64) -> Option<Change> {
        self.bound_times(now);
        let severity = self.severity?;
        let is_kept = |other: &Severity| {
            let kept = self.kept[*other as usize];
            // A value at this very time keeps the severity also without a time to hold.
            let is_recent = now <= kept || now < kept.saturating_add(rule.hold);
            *other <= severity && rule.kept_from(*other).is_some() && is_recent
        };
        let left = SEVERITIES.into_iter().rev().find(is_kept);
        if left == self.severity {
            return None;
        }
        self.severity = left;
        match left {
            Some(left) => Some(Change::Firing(left)),
            None => {
                self.kept[0] = now;
                Some(Change::Resolved(severity))
            }
        }
    }

    /// Is there no alert, and is the cool-down over?
    pub(super) fn is_forgotten(&self, rule: &Rule, now: u64) -> bool {
        self.severity.is_none() && now >= self.kept[0].saturating_add(rule.cool_down)
    }

    /// The alert for a change, with the labels with which it began.
    pub(super) fn alert(
        &mut self,
        name: &str,
        change: Change,
        describe: impl FnOnce(Alert) -> Alert,
    ) -> Alert {
        let (severity, state) = match change {
            Change::Firing(severity) => (severity, AlertState::Firing),
            Change::Resolved(severity) => (severity, AlertState::Resolved),
        };
        let mut alert = Alert::new(severity, name);
        alert.state = state;
        alert.labels = self.labels.clone().unwrap_or_default();
        let mut alert = describe(alert);
        name.clone_into(&mut alert.name);
        alert.severity = severity;
        alert.state = state;
        alert.labels = self.labels.take().unwrap_or(alert.labels);
        if state == AlertState::Firing {
            self.labels = Some(alert.labels.clone());
        }
        alert
    }
}
