//! The checked settings: the weight of events, and the texts of alerts.

use std::fmt;

use retrans_plugin_sdk::prelude::*;

use crate::key::Key;
use crate::settings::Count;
use crate::settings::Settings;

/// Maximum number of entries over all keys, 16 bytes each: 16 MiB of the memory that a plugin may have. A key
/// may have as many entries as the threshold, and memory for twice as many.
const MAX_ENTRIES: usize = 1 << 20;

/// Checked settings.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) settings: Settings,
    /// The window. A count above its limit has reached the threshold.
    pub(crate) window: SlidingWindow,
    /// Maximum number of entries, over all keys.
    pub(crate) max_entries: usize,
}

impl Rule {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// For a setting that is out of range. The message names it.
    pub(crate) fn new(settings: Settings) -> Result<Rule> {
        let thresholds = 1..=MAX_ENTRIES / 2;
        ensure!(
            thresholds.contains(&(settings.threshold as usize)),
            "threshold: expected from {} to {}",
            thresholds.start(),
            thresholds.end()
        );
        ensure!(!settings.window.is_zero(), "window: expected more than 0s");
        ensure!(
            !settings.key.is_empty(),
            "key: expected at least one word, such as peer"
        );
        ensure!(settings.max_keys > 0, "max_keys: expected at least 1");
        let limit = u64::from(settings.threshold) - 1;
        Ok(Rule {
            window: SlidingWindow::new(settings.window, limit),
            max_entries: MAX_ENTRIES,
            settings,
        })
    }

    #[inline]
    pub(crate) fn key(&self, event: &Event<'_>) -> Key {
        Key::of(event, &self.settings.key)
    }

    /// The number that an event adds to the count.
    #[inline]
    pub(crate) fn weight(&self, event: &Event<'_>) -> u32 {
        match self.settings.count {
            Count::Segments => event.segments().unwrap_or(1).max(1),
            Count::Events => 1,
        }
    }

    /// The alert for a count that has reached the threshold.
    pub(crate) fn firing(&self, key: &Key, count: u64) -> Alert {
        let summary = self.within_window(key, count);
        self.alert(key).summary(summary)
    }

    /// The end of an alert: the count was below the threshold for a whole window.
    pub(crate) fn resolved(&self, key: &Key) -> Alert {
        let threshold = self.within_window(key, self.settings.threshold.into());
        let window = duration::display(self.settings.window);
        let summary = format_args!("fewer than {threshold}, for the last {window}");
        self.alert(key).summary(summary).resolved()
    }

    /// The end of an alert whose key was evicted while the alert was active.
    pub(crate) fn evicted(&self, key: &Key) -> Alert {
        let words = key.in_words(&self.settings.key);
        let summary =
            format_args!("retransmits {words} are no longer counted: there are too many keys");
        self.alert(key).summary(summary).resolved()
    }

    fn alert(&self, key: &Key) -> Alert {
        let alert = Alert::new(self.settings.severity, "retransmit-threshold");
        let labels = key.labels(&self.settings.key);
        let add = |alert: Alert, (name, value)| alert.label(name, value);
        labels.into_iter().fold(alert, add)
    }

    /// Text such as "12 segments retransmitted to 10.0.0.2 within 10s".
    fn within_window(&self, key: &Key, count: u64) -> impl fmt::Display {
        let plural = if count == 1 { "" } else { "s" };
        let what = match self.settings.count {
            Count::Segments => format!("segment{plural} retransmitted"),
            Count::Events => format!("retransmit{plural}"),
        };
        let key = key.in_words(&self.settings.key);
        let window = duration::display(self.settings.window);
        format!("{count} {what} {key} within {window}")
    }
}
