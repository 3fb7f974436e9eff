//! Recording beside the chain, live or in a replay: how it begins, what it means for the run, how it is told.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use anyhow::bail;

use super::capture_output;
use crate::capture::Broken;
use crate::capture::Host;
use crate::capture::RecordError;
use crate::capture::Recording;
use crate::capture::Summary;
use crate::config::Record;
use crate::config::RecordFile;
use crate::system::stdio::Outlet;

/// Begins to record events of a machine, where that is asked for.
pub fn begin(
    config: Option<&Record>,
    host: Option<Host>,
    outlet: &Outlet,
) -> Result<Option<Recording>, RecordError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let stdout = || Ok(Box::new(capture_output()?) as Box<dyn io::Write + Send>);
    let recording = Recording::begin(config, host, stdout)?;
    match config {
        Record::File(_) => outlet.set_other_work(),
        // Its reader is the run's.
        Record::Stdout => outlet.set_used(),
    }
    Ok(Some(recording))
}

/// A capture on standard output is what a run is for: where it has ended before the run did, that is an
/// error.
pub fn result(recorded: Option<Summary>, outlet: &Outlet) -> Result<()> {
    match recorded.and_then(|summary| summary.broken) {
        None => Ok(()),
        // As `| head -c 100` ends, after Ctrl-C: the ledger says what is missing.
        Some(Broken::ReaderGone) if outlet.ends_with_reader() => Ok(()),
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
pub fn refuse_inputs(config: Option<&Record>, inputs: &[PathBuf]) -> Result<()> {
    let Some(Record::File(RecordFile { file, .. })) = config else {
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
