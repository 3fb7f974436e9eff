//! How a run shows itself while it lasts: as lines on the standard streams, or on the whole terminal.

use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use indicatif::ProgressBar;

use crate::capture;
use crate::config::Verbosity;
use crate::observer::Observer;
use crate::pipeline::Handlers;
use crate::pipeline::Outputs;
use crate::pipeline::stop::Signals;
use crate::pipeline::stop::Stop;
use crate::source::replay::ReplayError;
use crate::system::progress;
use crate::system::stdio::print_status;

/// What the source of a run knows of it.
pub struct Stream<'a> {
    /// The machine of the events, if it is known.
    pub host: Option<&'a capture::Host>,
    /// Whether there may be a census.
    pub has_census: bool,
    /// The progress of a replay.
    pub progress: Option<&'a ProgressBar>,
}

/// Shows a run. The methods are called in this order.
pub trait Presentation {
    /// Registers handlers of signals.
    fn signals(&self) -> Result<(Signals, Handlers)>;

    /// Directories in which it writes files.
    fn written_directories(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Where the chain's results go beside the configured sinks.
    fn outputs(&self) -> Outputs {
        Outputs::default()
    }

    /// The progress bar of a replay.
    fn progress(&self, verbosity: Verbosity) -> ProgressBar {
        progress::on_terminal(verbosity >= Verbosity::Normal)
    }

    /// What sees the stream beside the chain.
    fn observers(&self, _stream: &Stream<'_>) -> Vec<Box<dyn Observer>> {
        Vec::new()
    }

    /// Begins to show the run, which begins now. `line` says what it does.
    fn begin(&mut self, line: &str, verbosity: Verbosity, stop: &Stop) -> Result<()>;

    /// Tells that the replay cannot go on. The error is printed once the run has ended.
    fn failed(&mut self, _error: &ReplayError) {}

    /// Returns when the run may end, after all recorded events were sent.
    fn hold(&mut self, _stop: &Stop) {}

    /// Ends what is shown.
    ///
    /// # Errors
    ///
    /// If it could not be shown.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    /// Returns whether the ledger and times are printed at the end.
    fn prints_ledger(&self, verbosity: Verbosity) -> bool {
        verbosity >= Verbosity::Normal
    }
}

/// Lines on the standard streams.
pub struct Lines;

impl Presentation for Lines {
    fn signals(&self) -> Result<(Signals, Handlers)> {
        let signals = Signals::listen().context("cannot listen for signals")?;
        Ok((signals, Handlers::listen()?))
    }

    fn begin(&mut self, line: &str, verbosity: Verbosity, _stop: &Stop) -> Result<()> {
        if verbosity >= Verbosity::Normal && !line.is_empty() {
            print_status(line);
        }
        Ok(())
    }
}
