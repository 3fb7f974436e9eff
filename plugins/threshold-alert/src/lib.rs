//! Alerts when something, such as a peer or a process, retransmits too much within a sliding window.
//!
//! The alert fires when the count *reaches* the threshold, and is resolved when the count has
//! stayed below it for a whole window. Until then it does not fire again.
//!
//! Counts and firing alerts survive a fault, a new version and new settings, other than `key` and
//! `count`. After a change of `threshold` or `window` the count of a key may be too low, until the new
//! window is over: nothing was remembered that the old ones had no need of.

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
    /// Times that there is memory for, over all keys.
    times: usize,
}

impl Plugin for ThresholdAlert {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(ThresholdAlert {
            state: State::new(&settings),
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
        let ((fires, grown), evicted) = self.state.keys.touch(key, now, |watched| {
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
        while self.is_crowded()
            && let Some((key, watched)) = self.state.keys.pop_least_recent()
        {
            self.forget(&key, &watched, out);
        }
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let rule = &self.rule;
        let mut times = 0;
        self.state.keys.retain(|key, watched| {
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

impl Stateful for ThresholdAlert {
    type State = State;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, saved: State) -> Result<()> {
        self.state.restore(saved, &self.rule)?;
        self.times = 0;
        self.state.keys.retain(|_, watched| {
            self.times += watched.count.capacity();
            true
        });
        Ok(())
    }
}

impl ThresholdAlert {
    /// Is there too little room, for times or, after another plugin's state was taken over, for keys?
    #[inline]
    fn is_crowded(&self) -> bool {
        let keys = &self.state.keys;
        keys.len() > keys.capacity() || (self.times > self.rule.most_times && keys.len() > 1)
    }

    /// A key had to make room.
    fn forget(&mut self, key: &Key, watched: &Watched, out: &mut Output) {
        self.times -= watched.count.capacity();
        out.count("keys_evicted", 1);
        if watched.is_firing() {
            out.alert(self.rule.evicted(key));
        }
    }
}

export_plugin!(ThresholdAlert: Stateful);
