//! Raises an alert when too large a share of the segments to a peer, a network or a service is sent again.
//!
//! It needs a census: a live run makes one for it, and a capture has one if it was recorded with one.
//!
//! The ratio of a key is that of the segments that were sent again to all segments that were sent within the window. The
//! alert fires when the ratio reaches `percent`, or `baseline` times the usual ratio of the key. It is resolved when the
//! ratio is below `resolve_percent` (of an alert by the baseline, below the same part of its threshold), or when fewer
//! than half of `min_segments` were sent within the window.
//!
//! The usual ratio is an average in which a ratio weighs half as much after `history`, of the ratios at which no alert
//! fired. It counts as 0.01 % at least.
//!
//! Sums, usual ratios and active alerts survive a fault, a new version and new settings, except for changes of `key`,
//! `prefix4` and `prefix6`.

mod key;
mod rule;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use retrans_plugin_sdk::prelude::*;

use key::Key;
use rule::Judgement;
use rule::Rule;

pub use key::KeyPart;
pub use settings::Settings;
pub use state::State;

/// The time of the stream without a census after which a warning is logged.
const MAX_WAIT: Duration = Duration::from_secs(360);

/// A time that is earlier than that of the last census by more than this is of the stream of another boot.
const ANOTHER_STREAM: Duration = Duration::from_secs(60);

/// The plugin.
#[derive(Debug)]
pub struct RatioAlert {
    rule: Rule,
    state: State,
    /// The first tick; `None` after the first census, or after the warning that there is none.
    waiting_since: Option<Duration>,
    is_waiting: bool,
    evicted: u64,
}

impl Plugin for RatioAlert {
    type Settings = Settings;
    const CENSUS: CensusUse = CensusUse::Required;

    fn new(settings: Settings) -> Result<Self> {
        let rule = Rule::new(settings)?;
        Ok(RatioAlert {
            state: State::new(&rule),
            rule,
            waiting_since: None,
            is_waiting: true,
            evicted: 0,
        })
    }

    fn on_event(&mut self, _: &mut Event<'_>, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }

    fn on_census(&mut self, census: &Census, out: &mut Output) -> Result<()> {
        self.is_waiting = false;
        let mut keys: BTreeSet<Key> = self.state.active().into_iter().collect();
        let mut without_key = 0_u64;
        for row in census.rows() {
            if row.is_overflow {
                without_key = without_key.saturating_add(row.segments);
                continue;
            }
            let key = self.rule.parts.key(row);
            self.state.add(key, row);
            keys.insert(key);
        }
        if without_key > 0 {
            out.count("segments_without_a_row", without_key);
        }
        let evicted = self.state.evicted();
        if evicted > self.evicted {
            out.count("keys_evicted", evicted - self.evicted);
            self.evicted = evicted;
        }
        let now = census.time();
        self.state.remove_idle(now);
        for key in keys {
            self.judge(key, now, census.is_complete(), out);
        }
        self.state.last = Some((now, census.interval()));
        Ok(())
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.warn_without_census(now);
        // Where nothing is sent at all, no census comes.
        let Some((last, interval)) = self.state.last else {
            return Ok(());
        };
        if now.saturating_add(ANOTHER_STREAM) < last {
            // Otherwise its alerts would stay until this stream is as old.
            self.state.last = Some((now, interval));
            return Ok(());
        }
        // The interval may be from a saved state, and the window may be of any length.
        let silence = self.rule.window.saturating_add(interval.saturating_mul(2));
        if now.saturating_sub(last) < silence {
            return Ok(());
        }
        for key in self.state.active() {
            self.resolve(&key, "nothing was sent since".to_owned(), out);
        }
        Ok(())
    }

    // Does not resolve alerts at the end of the stream: the condition may continue.
}

impl RatioAlert {
    /// Judges a key at the end of a census, and learns from it.
    fn judge(&mut self, key: Key, now: Duration, is_complete: bool, out: &mut Output) {
        let (rule, state) = (&self.rule, &mut self.state);
        let counted = state.counted(&key, now);
        let usual = state.usual(&key, rule, now);
        let active = state.severity(&key);
        let judgement = match rule.judge(counted, usual) {
            // What is left of a critical alert below `percent` is a warning.
            Judgement::Between if active == Some(Severity::Critical) => {
                Judgement::Firing(Severity::Warning)
            }
            judgement => judgement,
        };
        match judgement {
            Judgement::Firing(severity) if active != Some(severity) => {
                if state.activate(key, severity, now) {
                    let summary = rule.summary(&key, counted, usual, is_complete);
                    out.alert(rule.alert(&key, severity, summary));
                } else {
                    out.count("alerts_suppressed", 1);
                }
            }
            Judgement::Firing(_) => {}
            Judgement::Between | Judgement::Unknown if active.is_some() => {}
            judgement => {
                if counted.sent >= rule.min_segments && rule.has_baseline() {
                    state.learn(key, rule, counted.ratio(), now);
                }
                if judgement == Judgement::Low && active.is_some() {
                    let summary = rule.summary(&key, counted, usual, is_complete);
                    self.resolve(&key, summary, out);
                }
            }
        }
    }

    fn resolve(&mut self, key: &Key, summary: String, out: &mut Output) {
        if let Some(severity) = self.state.severity(key) {
            self.state.deactivate(key);
            out.alert(self.rule.alert(key, severity, summary).resolved());
        }
    }

    /// Logs once that no census comes.
    fn warn_without_census(&mut self, now: Duration) {
        if !self.is_waiting {
            return;
        }
        let since = *self.waiting_since.get_or_insert(now);
        if now.saturating_sub(since) >= MAX_WAIT {
            self.is_waiting = false;
            log::warn!(
                "no census has come in {MAX_WAIT:?}: nothing is sent, or the capture was recorded without one; record \
                 with --census 10s"
            );
        }
    }
}

impl Stateful for RatioAlert {
    type State = State;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, saved: State) -> Result<()> {
        ensure!(
            saved.parts == self.rule.parts,
            "the saved state has other keys: key, prefix4 or prefix6 has changed"
        );
        self.state.restore(saved, &self.rule);
        self.evicted = self.state.evicted();
        Ok(())
    }
}

export_plugin!(RatioAlert: Stateful);
