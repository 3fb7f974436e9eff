//! Raises an alert when the retransmits of a key, such as a peer or a process, reach a threshold within a
//! sliding window.
//!
//! The alert fires when the count *reaches* the threshold. It is resolved when the count has been below the
//! threshold for a whole window, and does not fire again until then.
//!
//! Counts and active alerts survive a fault, a new version and new settings, except for changes of `key` and
//! `count`. After a change of `threshold` or `window` the count of a key may be too low until the new window
//! has passed: the state has only the entries that the old settings needed.

mod key;
mod rule;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use retrans_plugin_sdk::prelude::*;

use key::Key;
use rule::Rule;
use state::Watched;

pub use key::KeyPart;
pub use settings::Count;
pub use settings::Settings;
pub use state::State;

/// The plugin.
#[derive(Debug)]
pub struct ThresholdAlert {
    rule: Rule,
    state: State,
    /// Number of entries for which memory is allocated, over all keys.
    entries: usize,
}

impl Plugin for ThresholdAlert {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(ThresholdAlert {
            state: State::new(&settings),
            entries: 0,
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
        let ((fires, grown), evicted) = self.state.keys.touch(key.clone(), now, |watched| {
            let before = watched.count.capacity();
            let fires = watched.add(&rule.window, now, rule.weight(event));
            (fires, watched.count.capacity() - before)
        });
        if let Some(count) = fires {
            out.alert(rule.firing(&key, count));
        }
        self.entries += grown;
        if let Some((key, watched)) = evicted {
            self.evicted(&key, &watched, out);
        }
        while self.is_crowded()
            && let Some((key, watched)) = self.state.keys.pop_least_recent()
        {
            self.evicted(&key, &watched, out);
        }
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let rule = &self.rule;
        let mut entries = 0;
        self.state.keys.retain(|key, watched| {
            if watched.is_over(rule, now) {
                watched.reached_until = None;
                out.alert(rule.resolved(key));
            }
            let keep = watched.is_firing() || watched.count.count(&rule.window, now) > 0;
            entries += if keep { watched.count.capacity() } else { 0 };
            keep
        });
        self.entries = entries;
        Ok(())
    }

    // Does not resolve alerts at the end of the stream: the retransmits may continue.
}

impl Stateful for ThresholdAlert {
    type State = State;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, saved: State) -> Result<()> {
        self.state.restore(saved, &self.rule)?;
        self.entries = 0;
        self.state.keys.retain(|_, watched| {
            self.entries += watched.count.capacity();
            true
        });
        Ok(())
    }
}

impl ThresholdAlert {
    /// Are there too many entries or, after a state with more keys was restored, too many keys?
    #[inline]
    fn is_crowded(&self) -> bool {
        let keys = &self.state.keys;
        keys.len() > keys.capacity() || (self.entries > self.rule.max_entries && keys.len() > 1)
    }

    /// Accounts for a key that was evicted, and resolves its alert.
    fn evicted(&mut self, key: &Key, watched: &Watched, out: &mut Output) {
        self.entries -= watched.count.capacity();
        out.count("keys_evicted", 1);
        if watched.is_firing() {
            out.alert(self.rule.evicted(key));
        }
    }
}

export_plugin!(ThresholdAlert: Stateful);
