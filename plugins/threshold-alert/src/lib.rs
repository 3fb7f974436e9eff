//! Alerts when something, such as a peer or a process, retransmits too much within a sliding window.
//!
//! The alert fires when the count *reaches* the threshold, and is resolved when the count has
//! stayed below it for a whole window. Until then it does not fire again.

mod key;
mod rule;
mod settings;
#[cfg(test)]
mod tests;

use retrans_plugin_sdk::prelude::*;

use key::Key;
use rule::Rule;

pub use key::KeyPart;
pub use settings::Count;
pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct ThresholdAlert {
    rule: Rule,
    keys: RecentMap<Key, Watched>,
    /// Times that there is memory for, over all keys.
    times: usize,
}

/// What is remembered of one key.
#[derive(Debug, Default)]
struct Watched {
    count: SlidingCount,
    /// While the alert is firing: when the count falls below the threshold, or fell.
    reached_until: Option<Duration>,
}

impl Plugin for ThresholdAlert {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(ThresholdAlert {
            keys: RecentMap::new(settings.max_keys as usize),
            times: 0,
            rule: Rule::new(settings)?,
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        if !event.sent() {
            return Ok(Verdict::Keep);
        }
        let rule = &self.rule;
        let key = rule.key(event);
        let now = event.time();
        let ((fires, grown), evicted) = self.keys.touch(key, now, |watched| {
            let before = watched.count.capacity();
            let fires = watched.add(&rule.window, now, rule.weight(event));
            (fires, watched.count.capacity() - before)
        });
        if let Some(count) = fires {
            out.alert(rule.firing(&key, count));
        }
        self.times += grown;
        if let Some((key, watched)) = evicted {
            self.forget(&key, &watched, out);
        }
        while self.times > self.rule.most_times
            && self.keys.len() > 1
            && let Some((key, watched)) = self.keys.pop_oldest()
        {
            self.forget(&key, &watched, out);
        }
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let rule = &self.rule;
        let mut times = 0;
        self.keys.retain(|key, watched| {
            if watched.is_over(rule, now) {
                watched.reached_until = None;
                out.alert(rule.resolved(key));
            }
            let keep = watched.is_firing() || watched.count.count(&rule.window, now) > 0;
            times += if keep { watched.count.capacity() } else { 0 };
            keep
        });
        self.times = times;
        Ok(())
    }

    // Nothing is resolved at the end of the stream: that is not the end of the trouble.
}

impl ThresholdAlert {
    /// A key had to make room.
    fn forget(&mut self, key: &Key, watched: &Watched, out: &mut Output) {
        self.times -= watched.count.capacity();
        out.count("keys_evicted", 1);
        if watched.is_firing() {
            out.alert(self.rule.evicted(key));
        }
    }
}

impl Watched {
    /// Counts what was sent again. Returns the count where that makes the alert fire.
    #[inline]
    fn add(&mut self, window: &SlidingWindow, now: Duration, weight: u32) -> Option<u64> {
        let count = self.count.add(window, now, weight);
        let reached_until = self.count.above_limit_until(window)?;
        let was_firing = self.reached_until.replace(reached_until).is_some();
        (!was_firing).then_some(count)
    }

    fn is_firing(&self) -> bool {
        self.reached_until.is_some()
    }

    /// Is the alert firing, and was the count below the threshold for a whole window?
    fn is_over(&self, rule: &Rule, now: Duration) -> bool {
        self.reached_until
            .is_some_and(|until| now >= until.saturating_add(rule.settings.window))
    }
}

export_plugin!(ThresholdAlert);
