//! The recording of a run, live or of a replay: its start, and its effect on the result of the run.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;
use anyhow::bail;

use super::capture_output::capture_output;
use crate::capture::Host;
use crate::capture::RecordError;
use crate::capture::Recorder;
use crate::config::RecordConfig;
use crate::config::RecordFile;
use crate::config::Recorded;
use crate::config::Replay;
use crate::config::SinkConfig;
use crate::observer::Observer;
use crate::stats::OutputFailure;
use crate::stats::RecordingStats;
use crate::system::stdio::StdoutStatus;

/// Begins the recording, if there is one. `host` is the machine of the events; `has_census`: the stream may have a
/// census. Returns the observers of the source.
pub fn begin(
    config: Option<&RecordConfig>,
    host: Option<Host>,
    has_census: bool,
    stdout_status: &StdoutStatus,
) -> Result<Vec<Box<dyn Observer>>, RecordError> {
    let Some(config) = config else {
        return Ok(Vec::new());
    };
    let stdout = || Ok(Box::new(capture_output()?) as Box<dyn io::Write + Send>);
    let recorder = Recorder::begin(config, host, has_census, stdout)?;
    match config {
        RecordConfig::File(_) => stdout_status.set_other_output(),
        // The run ends when the reader of the capture closes the pipe.
        RecordConfig::Stdout => stdout_status.set_used(),
    }
    Ok(vec![Box::new(recorder)])
}

/// Returns whether the recording could not begin because the reader has closed a pipe on standard output.
pub fn has_no_reader(error: &anyhow::Error, stdout_status: &StdoutStatus) -> bool {
    let error = error.downcast_ref::<RecordError>();
    error.is_some_and(RecordError::is_broken_pipe) && stdout_status.is_pipe()
}

/// Returns an error if a capture on standard output ended before the run did: the capture is the purpose of the run.
pub fn result(recorded: Option<RecordingStats>, stdout_status: &StdoutStatus) -> Result<()> {
    match recorded.and_then(|summary| summary.output_failure) {
        None => Ok(()),
        // As with `| head -c 100`, or after Ctrl-C. The ledger counts what is missing.
        Some(OutputFailure::ReaderGone) if stdout_status.ends_run_when_closed() => Ok(()),
        Some(cause) => bail!("the capture on standard output ended before the run: {cause}"),
    }
}

/// Returns an error if any replayed event is missing in the capture, which is the purpose of such a run. This concerns
/// files as well.
pub fn result_of_replay(
    recorded: Option<RecordingStats>,
    stdout_status: &StdoutStatus,
) -> Result<()> {
    let missing = recorded.as_ref().map_or(0, |summary| summary.not_recorded);
    result(recorded, stdout_status)?;
    match missing {
        0 => Ok(()),
        missing => bail!("{missing} events are not in the capture"),
    }
}

/// Refuses a replay that would write to a file that it reads: to record over it would lose what is not written again,
/// and alerts at its end would make it unreadable.
pub fn refuse_inputs(config: &Replay) -> Result<()> {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let refuse = |doing: &str, target: &Path| {
        let target_identity = identity(target);
        let mut inputs = config.inputs.iter().filter_map(Recorded::file);
        match target_identity.is_some() && inputs.any(|input| identity(input) == target_identity) {
            true => bail!(
                "cannot {doing} to {}: it is the file that is replayed; choose another name",
                target.display()
            ),
            false => Ok(()),
        }
    };
    if let Some(RecordConfig::File(RecordFile { file, .. })) = &config.record {
        refuse("record", file)?;
    }
    let mut sinks = config.chain.sinks.iter();
    sinks.try_for_each(|sink| match sink {
        SinkConfig::AlertsFile(file) => refuse("write alerts", file),
    })
}
