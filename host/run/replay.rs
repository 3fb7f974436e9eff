//! Replaying: recorded events go through the chain.

use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;

use super::bar;
use super::chain::conduct;
use super::chain::prepare;
use super::say;
use crate::config::Replay;
use crate::config::Verbosity;
use crate::ledger::Origin;
use crate::source::replay;
use crate::stop::Stop;

/// Replays the files, or as much of them as is wanted.
pub fn replay(config: &Replay) -> Result<()> {
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let Some(chain) = prepare(&config.chain, &stop)? else {
        return Ok(());
    };
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration)
            .context("cannot measure --duration")?;
    }
    let talks = config.chain.verbosity >= Verbosity::Normal;
    let progress = bar::on_terminal(talks);
    let begun = Instant::now();
    let source = |channel: &_| {
        let books = replay::run(config, channel, &stop, &progress);
        progress.finish_and_clear();
        Ok(books?)
    };
    let Some((ended, books)) = conduct(chain, &stop, source)? else {
        return Ok(());
    };
    if talks {
        ended.tell(Origin::Replay(books));
        let seconds = begun.elapsed().as_secs_f64();
        let rate = books.delivered as f64 / seconds;
        say(&format!(
            "replayed {} events in {seconds:.2} s ({rate:.0} events/s)",
            books.delivered
        ));
    }
    ended.result()
}
