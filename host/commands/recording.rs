//! Recording beside the chain, live or in a replay: how it begins, what it means for the run, and its result.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use anyhow::bail;

use super::capture_output;
use crate::capture::Host;
use crate::capture::OutputFailure;
use crate::capture::RecordError;
use crate::capture::Recorder;
use crate::capture::Summary;
use crate::config::RecordConfig;
use crate::config::RecordFile;
use crate::source::observer::Observer;
use crate::system::stdio::Outlet;

/// Begins to record events of a machine, where that is asked for: the observers of the source.
pub fn begin(
    config: Option<&RecordConfig>,
    host: Option<Host>,
    outlet: &Outlet,
) -> Result<Vec<Box<dyn Observer>>, RecordError> {
    let Some(config) = config else {
        return Ok(Vec::new());
    };
    let stdout = || Ok(Box::new(capture_output()?) as Box<dyn io::Write + Send>);
    let recorder = Recorder::begin(config, host, stdout)?;
    match config {
        RecordConfig::File(_) => outlet.set_other_work(),
        // Its reader is the run's.
        RecordConfig::Stdout => outlet.set_used(),
    }
    Ok(vec![Box::new(recorder)])
}

/// Was no recording begun because the reader of standard output has gone?
pub fn has_no_reader(error: &anyhow::Error, outlet: &Outlet) -> bool {
    let error = error.downcast_ref::<RecordError>();
    error.is_some_and(RecordError::is_broken_pipe) && outlet.is_pipe()
}

/// A capture on standard output is what a run is for: where it has ended before the run did, that is an
/// error.
pub fn result(recorded: Option<Summary>, outlet: &Outlet) -> Result<()> {
    match recorded.and_then(|summary| summary.output_failure) {
        None => Ok(()),
        // As `| head -c 100` ends, after Ctrl-C: the ledger says what is missing.
        Some(OutputFailure::ReaderGone) if outlet.ends_with_reader() => Ok(()),
        Some(why) => bail!("the capture on standard output ended before the run: {why}"),
    }
}

/// What a recording means for a replay. An event that is not in the capture is a failure, in a file as well:
/// the capture is what the run is for.
pub fn result_of_replay(recorded: Option<Summary>, outlet: &Outlet) -> Result<()> {
    let missing = recorded.as_ref().map_or(0, |summary| summary.not_recorded);
    result(recorded, outlet)?;
    match missing {
        0 => Ok(()),
        missing => bail!("{missing} events are not in the capture"),
    }
}

/// Refuses to record to a file that is replayed: what is not written again would be lost.
pub fn refuse_inputs(config: Option<&RecordConfig>, inputs: &[PathBuf]) -> Result<()> {
    let Some(RecordConfig::File(RecordFile { file, .. })) = config else {
        return Ok(());
    };
    let identity = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.dev(), about.ino()))
    };
    let Some(target) = identity(file) else {
        return Ok(());
    };
    match inputs.iter().any(|input| identity(input) == Some(target)) {
        true => bail!(
            "cannot record to {}: it is the file that is replayed; give another name",
            file.display()
        ),
        false => Ok(()),
    }
}
