//! What plugins and the host say: active alerts, and the last lines.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::text::clean;

/// Maximum number of active alerts that are listed. Further ones are counted.
const MAX_ALERTS: usize = 1_000;

/// Maximum number of lines.
const MAX_LINES: usize = 1_000;

/// Severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Information.
    Info,
    /// Should be looked at.
    Warning,
    /// Needs action at once.
    Critical,
}

impl Severity {
    /// The word, as in a line of text.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Critical => "CRITICAL",
        }
    }
}

/// A new state of an alert. Its texts may be any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Time of day.
    pub wall_time: Duration,
    /// The plugin that raised it.
    pub plugin: String,
    /// Name.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Whether its condition has ended.
    pub is_resolved: bool,
    /// Description in one sentence.
    pub summary: String,
    /// Labels. With the plugin and the name, they tell an alert from others.
    pub labels: Vec<(String, String)>,
}

/// An alert whose condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// Severity.
    pub severity: Severity,
    /// When it fired first.
    pub since: Duration,
    /// Name, description, plugin and labels, clean.
    pub text: String,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A message of the log, or a line of a plugin.
    Log,
    /// An alert that fired.
    Fired(Severity),
    /// An alert that was resolved.
    Resolved,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub origin: Origin,
    /// The text, clean.
    pub text: String,
}

/// Active alerts, and the last lines.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    active: LinkedHashMap<u64, Active, RandomState>,
    /// Hashes the identity of alerts, whose texts can have any length.
    identities: RandomState,
    /// Alerts for which there was no room.
    not_listed: u64,
    lines: VecDeque<Line>,
}

impl Messages {
    /// Notes the new state of an alert, and adds a line.
    pub fn alert(&mut self, alert: &Alert) {
        let mut labels: Vec<_> = alert.labels.iter().collect();
        labels.sort();
        let identity = (&alert.plugin, &alert.name, labels);
        let identity = self.identities.hash_one(identity);
        let text = describe(alert);
        let (word, origin) = match alert.is_resolved {
            true => ("RESOLVED", Origin::Resolved),
            false => (alert.severity.word(), Origin::Fired(alert.severity)),
        };
        let time = super::text::clock(alert.wall_time);
        self.push(Line {
            origin,
            text: format!("{time} {word} {text}"),
        });
        if alert.is_resolved {
            self.active.remove(&identity);
            return;
        }
        let since = self.active.get(&identity).map(|active| active.since);
        if since.is_none() && self.active.len() >= MAX_ALERTS {
            self.not_listed += 1;
            return;
        }
        let active = Active {
            severity: alert.severity,
            since: since.unwrap_or(alert.wall_time),
            text,
        };
        self.active.insert(identity, active);
    }

    /// Adds lines of text, which may be any text.
    pub fn log(&mut self, text: &str) {
        // What is beyond would make room at once.
        let lines: Vec<&str> = text.lines().rev().take(MAX_LINES).collect();
        for line in lines.into_iter().rev() {
            self.push(Line {
                origin: Origin::Log,
                text: clean(line),
            });
        }
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() >= MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The alerts whose condition holds: those of the highest severity first, of these the one that fired last.
    pub fn active(&self) -> Vec<&Active> {
        let mut active: Vec<_> = self.active.values().rev().collect();
        active.sort_by_key(|active| std::cmp::Reverse(active.severity));
        active
    }

    /// Number of alerts whose condition holds.
    pub fn active_count(&self) -> usize {
        self.active.len()
    }

    /// Number of alerts that fired and are not listed, because there was no room.
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// The last lines, the oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> + ExactSizeIterator {
        self.lines.iter()
    }
}

/// The alert in one line, without its time and severity.
fn describe(alert: &Alert) -> String {
    use std::fmt::Write as _;

    let mut text = alert.name.clone();
    if !alert.summary.is_empty() {
        let _ = write!(text, ": {}", alert.summary);
    }
    let _ = write!(text, " [{}", alert.plugin);
    for (number, (key, value)) in alert.labels.iter().enumerate() {
        let comma = if number == 0 { "; " } else { ", " };
        let _ = write!(text, "{comma}{key}={value}");
    }
    text.push(']');
    clean(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, severity: Severity, seconds: u64) -> Alert {
        Alert {
            wall_time: Duration::from_secs(seconds),
            plugin: "rule".to_owned(),
            name: name.to_owned(),
            severity,
            is_resolved: false,
            summary: "5\x1b[2J".to_owned(),
            labels: vec![("b".into(), "2".into()), ("a".into(), "1".into())],
        }
    }

    fn active(messages: &Messages) -> Vec<(u64, &str)> {
        let active = messages.active().into_iter();
        active
            .map(|active| (active.since.as_secs(), active.text.as_str()))
            .collect()
    }

    #[test]
    fn an_alert_is_active_until_it_is_resolved() {
        let mut messages = Messages::default();
        messages.alert(&alert("one", Severity::Info, 1));
        messages.alert(&alert("two", Severity::Critical, 2));
        messages.alert(&alert("three", Severity::Info, 3));
        let mut again = alert("one", Severity::Info, 9);
        again.labels.reverse();
        messages.alert(&again);
        assert_eq!(
            active(&messages),
            [
                (2, "two: 5�[2J [rule; b=2, a=1]"),
                (1, "one: 5�[2J [rule; a=1, b=2]"),
                (3, "three: 5�[2J [rule; b=2, a=1]"),
            ]
        );
        messages.alert(&Alert {
            is_resolved: true,
            ..again
        });
        assert_eq!(messages.active_count(), 2);
        let last = messages.lines().next_back().map(|line| line.text.as_str());
        assert_eq!(last, Some("00:00:09 RESOLVED one: 5�[2J [rule; a=1, b=2]"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut messages = Messages::default();
        for number in 0..5_000 {
            let name = format!("{number} {}", "x".repeat(10_000));
            messages.alert(&alert(&name, Severity::Warning, number));
        }
        messages.log(&"y\n".repeat(100_000));
        messages.log("one\ntwo\x1b[8m\n");
        assert_eq!(messages.active_count(), MAX_ALERTS);
        assert_eq!(messages.not_listed(), 4_000);
        let lines: Vec<_> = messages.lines().map(|line| line.text.as_str()).collect();
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[MAX_LINES - 3..], ["y", "one", "two�[8m"]);
        assert!(
            messages
                .active()
                .iter()
                .all(|active| active.text.len() < 600)
        );
    }
}
