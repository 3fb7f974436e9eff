//! What is remembered of the keys, and how it goes over to other settings.

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json;

use crate::key::Key;
use crate::key::KeyPart;
use crate::rule::Rule;
use crate::settings::Count;
use crate::settings::Settings;

/// What survives a fault, a new version and new settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub struct State {
    /// The setting: what the keys are.
    key: OneOrMany<KeyPart>,
    /// The setting: what the counts are.
    count: Count,
    pub(crate) keys: LruMap<Key, Watched>,
}

/// What is remembered of one key. Its names are short, because it may be saved 65,536 times a second.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Watched {
    #[serde(rename = "c")]
    pub(crate) count: WindowCount,
    /// While the alert is firing: when the count falls below the threshold, or fell.
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

    /// Goes on with what was remembered, perhaps with other settings. Where there are fewer keys than
    /// before, there are too many until somebody takes them out.
    ///
    /// # Errors
    ///
    /// Where it is about other keys, or counts of something else.
    pub(crate) fn restore(&mut self, saved: State, rule: &Rule) -> Result<()> {
        ensure!(
            same_parts(&saved.key, &self.key),
            "key: the state is counted by {}, the setting is {}",
            json(&saved.key)?,
            json(&self.key)?
        );
        ensure!(
            saved.count == self.count,
            "count: the state counts {}, the setting is {}",
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
    /// Counts what was sent again. Returns the count where that makes the alert fire.
    #[inline]
    pub(crate) fn add(
        &mut self,
        window: &SlidingWindow,
        now: Duration,
        weight: u32,
    ) -> Option<u64> {
        let count = self.count.add(window, now, weight);
        let reached_until = self.count.above_limit_until(window)?;
        let was_firing = self.reached_until.replace(reached_until).is_some();
        (!was_firing).then_some(count)
    }

    pub(crate) fn is_firing(&self) -> bool {
        self.reached_until.is_some()
    }

    /// Is the alert firing, and was the count below the threshold for a whole window?
    pub(crate) fn is_over(&self, rule: &Rule, now: Duration) -> bool {
        self.reached_until
            .is_some_and(|until| now >= until.saturating_add(rule.settings.window))
    }

    /// Goes over to another threshold or window. An alert that is firing goes on doing so, and ends by
    /// the new ones: where it would not have fired, the count is below the threshold from now on at
    /// the latest. One that would have fires at the next retransmit.
    fn change_window(&mut self, window: &SlidingWindow) {
        self.count.change_window(window);
        if let Some(until) = &mut self.reached_until {
            let above = self.count.above_limit_until(window);
            *until = above.unwrap_or((*until).min(self.count.latest()));
        }
    }
}

/// Are keys of these parts the same ones? Their order says only how alerts are written.
fn same_parts(one: &[KeyPart], other: &[KeyPart]) -> bool {
    let within = |one: &[KeyPart], other: &[KeyPart]| one.iter().all(|part| other.contains(part));
    within(one, other) && within(other, one)
}

/// A setting as users write it.
fn json(setting: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(setting)?)
}
