//! Replaying: recorded events go through the chain.

use std::io;
use std::io::IsTerminal as _;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use super::chain::conduct;
use super::chain::prepare;
use super::say;
use crate::config::Replay;
use crate::config::Verbosity;
use crate::ledger::Origin;
use crate::source::replay;
use crate::stdio;
use crate::stop::Stop;

/// Replays the files, or as much of them as is wanted.
pub fn replay(config: &Replay) -> Result<()> {
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let Some(chain) = prepare(&config.chain, &stop)? else {
        return Ok(());
    };
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration);
    }
    let talks = config.chain.verbosity >= Verbosity::Normal;
    let progress = progress(talks);
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

/// A bar on a terminal; where results go to the same terminal, it would only be in their way.
fn progress(talks: bool) -> ProgressBar {
    let shown = talks && stdio::is_terminal() && !io::stdout().is_terminal();
    let target = match shown {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("{bar:40} {percent}% {bytes} of {total_bytes}, {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
