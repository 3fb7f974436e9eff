//! The rule of an alert, from the settings.

use retrans_plugin_sdk::prelude::*;

use crate::key::Key;
use crate::key::KeyPart;
use crate::key::Parts;
use crate::settings::Settings;

/// Buckets of the window. A row counts for at least the window without one of them.
pub(crate) const BUCKETS: u32 = 60;

/// The least usual ratio: that of a key without retransmits is 0, and no multiple of it would be reached.
const MIN_USUAL: f64 = 0.000_1;

/// The part of a ratio by which it may miss a limit: 0.07 / 100.0 is a little more than 7 / 10,000.
const ROUNDING: f64 = 1e-12;

/// A key is judged by its baseline after this part of `history`.
const PART_OF_HISTORY: u32 = 6;

/// The settings, checked. Ratios are from 0 to 1.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) parts: Parts,
    pub(crate) window: Duration,
    pub(crate) min_segments: u64,
    pub(crate) history: Duration,
    ratio: f64,
    critical: Option<f64>,
    /// Of the ratio at which an alert fires, the part below which it is resolved.
    resolve_part: f64,
    baseline: Option<f64>,
}

/// The segments of a key within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) sent: u64,
    pub(crate) again: u64,
}

impl Counted {
    pub(crate) fn ratio(self) -> f64 {
        self.again as f64 / self.sent.max(1) as f64
    }
}

/// What the rule says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The alert has this severity.
    Firing(Severity),
    /// The ratio is below that of an alert, but not low: an alert that fires stays, as a warning, and none begins.
    Between,
    /// Too few segments to judge, but not much too few: an alert that fires stays as it is, and none begins.
    Unknown,
    /// There is no alert.
    Low,
}

impl Rule {
    pub(crate) fn new(settings: Settings) -> Result<Rule> {
        let Settings {
            percent,
            critical,
            resolve_percent,
            window,
            min_segments,
            key,
            prefix4,
            prefix6,
            baseline,
            history,
        } = settings;
        let is_percentage = |value: f64| value > 0.0 && value <= 100.0;
        ensure!(
            is_percentage(percent),
            "percent: expected more than 0, and 100 at most"
        );
        ensure!(!window.is_zero(), "window: expected more than 0 s");
        ensure!(!history.is_zero(), "history: expected more than 0 s");
        ensure!(min_segments > 0, "min_segments: expected at least 1");
        ensure!(prefix4 <= 32, "prefix4: expected 32 at most");
        ensure!(prefix6 <= 128, "prefix6: expected 128 at most");
        if let Some(critical) = critical {
            ensure!(
                is_percentage(critical) && critical >= percent,
                "critical: expected percent ({percent}) at least, and 100 at most"
            );
        }
        let resolve = resolve_percent.unwrap_or(percent / 2.0);
        ensure!(
            (0.0..=percent).contains(&resolve),
            "resolve_percent: expected 0 at least, and percent ({percent}) at most"
        );
        if let Some(baseline) = baseline {
            ensure!(
                baseline.is_finite() && baseline > 1.0,
                "baseline: expected more than 1"
            );
        }
        let parts: Vec<KeyPart> = key.iter().copied().collect();
        ensure!(!parts.is_empty(), "key: expected at least one part");
        Ok(Rule {
            parts: Parts {
                parts,
                prefix4,
                prefix6,
            },
            window,
            min_segments,
            history,
            ratio: percent / 100.0,
            critical: critical.map(|critical| critical / 100.0),
            resolve_part: resolve / percent,
            baseline,
        })
    }

    /// Whether a key is judged by its usual ratio.
    pub(crate) fn has_baseline(&self) -> bool {
        self.baseline.is_some()
    }

    /// The time after which the usual ratio is known well enough.
    pub(crate) fn learning_time(&self) -> Duration {
        self.history / PART_OF_HISTORY
    }

    /// Judges a key. `usual` is its usual ratio, if that is known.
    pub(crate) fn judge(&self, counted: Counted, usual: Option<f64>) -> Judgement {
        if counted.sent < self.min_segments {
            // Not at once, so that traffic about the minimum does not make an alert come and go.
            return match counted.sent < self.min_segments.div_ceil(2) {
                true => Judgement::Low,
                false => Judgement::Unknown,
            };
        }
        let ratio = counted.ratio();
        let by_baseline = self.baseline.zip(usual);
        let by_baseline = by_baseline.map(|(factor, usual)| factor * usual.max(MIN_USUAL));
        let fires_at = self.ratio.min(by_baseline.unwrap_or(f64::INFINITY));
        let reaches = |limit: f64| ratio >= limit * (1.0 - ROUNDING);
        match self.critical {
            Some(critical) if reaches(critical) => Judgement::Firing(Severity::Critical),
            _ if reaches(fires_at) => Judgement::Firing(Severity::Warning),
            _ if reaches(fires_at * self.resolve_part) && ratio > 0.0 => Judgement::Between,
            _ => Judgement::Low,
        }
    }

    /// The alert of a key.
    pub(crate) fn alert(&self, key: &Key, severity: Severity, summary: String) -> Alert {
        key.label(Alert::new(severity, "retransmit-ratio"))
            .summary(summary)
    }

    /// What an alert says, also at its end: there may be too few segments for a percentage then, or none.
    pub(crate) fn summary(
        &self,
        key: &Key,
        counted: Counted,
        usual: Option<f64>,
        is_complete: bool,
    ) -> String {
        let Counted { sent, again } = counted;
        let usual = match usual.filter(|_| self.has_baseline()) {
            Some(usual) => format!(", usually {} %", self::percent(usual)),
            None => String::new(),
        };
        let incomplete = match is_complete {
            true => "",
            false => "; the census is incomplete",
        };
        let window = self.window;
        if sent < self.min_segments {
            return format!("too few segments {key} to judge: {sent} in {window:?}{incomplete}");
        }
        let percent = percent(counted.ratio());
        format!(
            "{percent} % of the segments {key} were sent again: {again} of {sent} in {window:?}{usual}{incomplete}"
        )
    }
}

/// A ratio as a percentage with up to two digits after the point, more where it is small.
pub(crate) fn percent(ratio: f64) -> String {
    let percent = 100.0 * ratio;
    let text = match percent < 0.1 {
        true => format!("{percent:.4}"),
        false => format!("{percent:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
