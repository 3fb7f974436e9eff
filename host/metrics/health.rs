//! Whether the run works, and whether it does all that it is for.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::stats::Stats;

/// Time for which the chain may take no item while one waits. A call of a plugin and the search for the event on which
/// it fails are shorter by far.
const MAX_STALL: Duration = Duration::from_secs(30);

const STARTING: u8 = 0;
const RUNNING: u8 = 1;
const ENDING: u8 = 2;

/// How far the run is.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

impl Phase {
    /// The source records, and all plugins run.
    pub fn begin(&self) {
        let begun = Ordering::Relaxed;
        // A source may have ended before.
        let _ = self.0.compare_exchange(STARTING, RUNNING, begun, begun);
    }

    /// The source has ended.
    pub fn end(&self) {
        self.0.store(ENDING, Ordering::Relaxed);
    }

    /// Returns whether the run has begun and has not ended; why not otherwise.
    pub fn is_running(&self) -> Result<(), String> {
        match self.0.load(Ordering::Relaxed) {
            STARTING => Err("the run is starting: plugins are prepared".to_owned()),
            ENDING => Err("the run is ending: the chain processes what is left".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Returns whether the chain takes what it is offered, by the time for which it has not; why not otherwise.
pub fn alive(stalled: Option<Duration>) -> Result<(), String> {
    match stalled {
        Some(time) if time > MAX_STALL => Err(format!(
            "the chain has taken nothing for {} s: a plugin, or the reader of standard output, holds it up",
            time.as_secs()
        )),
        _ => Ok(()),
    }
}

/// Returns whether no plugin is left out; which one otherwise.
pub fn plugins_run(stats: &Stats) -> Result<(), String> {
    let mut usage = stats.chain.usage.iter();
    match usage.find(|usage| usage.is_in_quarantine) {
        None => Ok(()),
        Some(usage) => Err(format!(
            "the plugin {} is in quarantine: it failed too often, and events pass without it",
            usage.plugin
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counters::PluginUsage;

    #[test]
    fn a_run_begins_once_and_ends() {
        let phase = Phase::default();
        let starting = phase.is_running().expect_err("not yet");
        assert!(starting.contains("starting"), "{starting}");
        phase.begin();
        assert_eq!(phase.is_running(), Ok(()));
        phase.end();
        phase.begin();
        let ending = phase.is_running().expect_err("no more");
        assert!(ending.contains("ending"), "{ending}");
    }

    #[test]
    fn a_chain_that_takes_nothing_for_long_is_not_alive() {
        assert_eq!(alive(None), Ok(()));
        assert_eq!(alive(Some(MAX_STALL)), Ok(()));
        let error = alive(Some(Duration::from_secs(31))).expect_err("too long");
        assert!(error.starts_with("the chain has taken nothing for 31 s"));
    }

    #[test]
    fn a_plugin_in_quarantine_is_named() {
        let mut stats = Stats::default();
        let usage = |plugin: &str| PluginUsage {
            plugin: plugin.to_owned(),
            ..PluginUsage::default()
        };
        stats.chain.usage = vec![usage("a"), usage("b")];
        assert_eq!(plugins_run(&stats), Ok(()));
        stats.chain.usage[1].is_in_quarantine = true;
        let error = plugins_run(&stats).expect_err("one is left out");
        assert!(error.starts_with("the plugin b is in quarantine"));
    }
}
