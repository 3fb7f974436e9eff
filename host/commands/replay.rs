//! Replaying: recorded events go through the chain, and into another capture where that is asked for.

use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;

use super::progress;
use super::recording;
use crate::config::Replay;
use crate::config::Verbosity;
use crate::pipeline::conduct;
use crate::pipeline::prepare;
use crate::pipeline::stop::Stop;
use crate::source::replay;
use crate::source::replay::Books;
use crate::source::replay::Input;
use crate::stats::Board;
use crate::stats::ledger::Origin;
use crate::system::stdio::print_status;

/// Replays the files, or as much of them as is wanted.
pub fn replay(config: &Replay) -> Result<()> {
    recording::refuse_inputs(config.record.as_ref(), &config.files)?;
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let board = Board::default();
    let Some(chain) = prepare(&config.chain, &stop, &board)? else {
        return Ok(());
    };
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration)
            .context("cannot measure --duration")?;
    }
    let talks = config.chain.verbosity >= Verbosity::Normal;
    let progress = progress::on_terminal(talks);
    let begun = Instant::now();
    let source = |channel: &_| {
        let inputs = match replay::open(&config.files, &stop, &progress)? {
            Some(inputs) => inputs,
            // The run is to end before anything was read. The ledger says so; no capture is begun.
            None => return Ok(Some(Books::default())),
        };
        if config.record.is_some() && !replay::are_of_one_boot(&inputs) {
            tracing::warn!(
                "events of several boots, or of unknown ones, go into one capture: --speed will wait for \
                 the time between them"
            );
        }
        let host = inputs.iter().find_map(Input::host).cloned();
        let recording = match recording::begin(config.record.as_ref(), host, stop.outlet()) {
            // The reader has gone before the first byte, as in `--record - | true`.
            Err(error) if error.is_broken_pipe() && stop.outlet().is_pipe() => return Ok(None),
            begun => begun?,
        };
        let books = replay::run(config, inputs, recording, channel, &stop, &board);
        progress.finish_and_clear();
        Ok(Some(books?))
    };
    let Some((ended, Some(books))) = conduct(chain, &stop, source)? else {
        return Ok(());
    };
    let Books { replay, recorded } = books;
    if talks {
        ended.tell(Origin::Replay(replay), recorded.clone());
        let seconds = begun.elapsed().as_secs_f64();
        let (events, rate) = (replay.delivered, replay.delivered as f64 / seconds);
        print_status(&format!(
            "replayed {events} events in {seconds:.2} s ({rate:.0} events/s)"
        ));
    }
    ended.result()?;
    recording::result_of_replay(recorded, stop.outlet())
}
