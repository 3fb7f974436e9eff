//! The state of all keys, and its conversion to other settings.

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json;

use crate::key::Key;
use crate::key::KeyPart;
use crate::rule::Rule;
use crate::settings::Count;
use crate::settings::Settings;

/// Events may be older than others by up to 1 s, and by more while the host is behind. After a step back by more than this,
/// and than the window, a count of the SDK begins anew.
const MAX_LATE: Duration = Duration::from_secs(60);

/// The state that survives a fault, a new version and new settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub struct State {
    /// The setting `key` with which the state was counted.
    key: OneOrMany<KeyPart>,
    /// The setting `count` with which the state was counted.
    count: Count,
    pub(crate) keys: LruMap<Key, Watched>,
}

/// The state of one key. The saved names are short, because it may be saved 65,536 times a second.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Watched {
    #[serde(rename = "c")]
    pub(crate) count: WindowCount,
    /// `Some` while the alert is active: the time at which the count falls, or fell, below the threshold.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(crate) reached_until: Option<Duration>,
}

impl State {
    pub(crate) fn new(settings: &Settings) -> State {
        State {
            key: settings.key.clone(),
            count: settings.count,
            keys: LruMap::new(settings.max_keys as usize),
        }
    }

    /// Restores a saved state, possibly under other settings. Where `max_keys` is smaller than before, the
    /// caller must evict the keys that are too many.
    ///
    /// # Errors
    ///
    /// Where the settings `key` or `count` differ from those of the state.
    pub(crate) fn restore(&mut self, saved: State, rule: &Rule) -> Result<()> {
        ensure!(
            same_parts(&saved.key, &self.key),
            "key: the saved state is counted by {}, the setting is {}",
            json(&saved.key)?,
            json(&self.key)?
        );
        ensure!(
            saved.count == self.count,
            "count: the saved state counts {}, the setting is {}",
            json(&saved.count)?,
            json(&self.count)?
        );
        let max_keys = self.keys.capacity();
        self.keys = saved.keys;
        self.keys.set_capacity(max_keys);
        self.keys.retain(|_, watched| {
            watched.change_window(&rule.window);
            true
        });
        Ok(())
    }
}

impl Watched {
    /// Adds a retransmit. Returns the count if it makes the alert fire.
    #[inline]
    pub(crate) fn add(
        &mut self,
        window: &SlidingWindow,
        now: Duration,
        weight: u32,
    ) -> Option<u64> {
        let latest = self.count.latest();
        let count = self.count.add(window, now, weight);
        if self.count.latest() < latest {
            // The count has begun anew in the stream of another boot: the threshold is no longer reached.
            self.reached_until = self.reached_until.map(|until| until.min(now));
        }
        let reached_until = self.count.above_limit_until(window)?;
        let was_firing = self.reached_until.replace(reached_until).is_some();
        (!was_firing).then_some(count)
    }

    /// Is the alert active?
    pub(crate) fn is_firing(&self) -> bool {
        self.reached_until.is_some()
    }

    /// Is the alert active, and was the count below the threshold for a whole window?
    pub(crate) fn is_over(&mut self, rule: &Rule, now: Duration) -> bool {
        let window = rule.settings.window;
        let Some(until) = &mut self.reached_until else {
            return false;
        };
        // The count falls at most a window after its latest time, which is that of another boot then: the alert would not
        // end, and the count begins anew.
        let latest = now.saturating_add(window).saturating_add(MAX_LATE);
        if *until > latest.saturating_add(window) {
            self.count.count(&rule.window, now);
            *until = now;
        }
        now >= until.saturating_add(window)
    }

    /// Changes to another threshold or window. An active alert stays active, and ends by the new settings:
    /// where it would not have fired under them, the count is below the threshold from now on at the latest.
    /// An alert that would have fired under them fires at the next retransmit.
    fn change_window(&mut self, window: &SlidingWindow) {
        self.count.change_window(window);
        if let Some(until) = &mut self.reached_until {
            let above = self.count.above_limit_until(window);
            *until = above.unwrap_or((*until).min(self.count.latest()));
        }
    }
}

/// Do these parts give the same keys? Their order changes only the text of alerts.
fn same_parts(one: &[KeyPart], other: &[KeyPart]) -> bool {
    let within = |one: &[KeyPart], other: &[KeyPart]| one.iter().all(|part| other.contains(part));
    within(one, other) && within(other, one)
}

/// A setting in the form that users write.
fn json(setting: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(setting)?)
}
