//! The statistics of a recording.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::system::sanitize::word;

/// Counters of a recording. [`Display`](fmt::Display) writes them as a line of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingStats {
    /// Path of the file; `-` for standard output.
    pub file: PathBuf,
    /// Events that were recorded, over all files of the run.
    pub events: u64,
    /// Events that were written, also to files that were deleted later. For metrics: it never decreases.
    pub written: u64,
    /// Events that are in no file, because writing failed or their file was deleted.
    pub not_recorded: u64,
    /// Bytes of all files of the run that were not deleted.
    pub bytes: u64,
    /// Number of files that were begun.
    pub files: u64,
    /// Why a capture on standard output ended before the run; `None` if it did not.
    pub output_failure: Option<OutputFailure>,
}

/// Why a capture on standard output ended before the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputFailure {
    /// Standard output is a pipe or a socket whose other end was closed.
    #[error("its reader has gone")]
    ReaderGone,
    /// The run was ending, and the reader did not read the rest before writes were cancelled.
    #[error("its reader did not take the rest in time")]
    Timeout,
    /// Any other error.
    #[error("{0}")]
    Failed(String),
}

impl From<&io::Error> for OutputFailure {
    fn from(error: &io::Error) -> OutputFailure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => OutputFailure::ReaderGone,
            io::ErrorKind::TimedOut => OutputFailure::Timeout,
            _ => OutputFailure::Failed(error.to_string()),
        }
    }
}

impl fmt::Display for RecordingStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordingStats {
            file,
            events,
            written: _,
            not_recorded,
            bytes,
            files,
            output_failure: _,
        } = self;
        writeln!(
            f,
            "ledger: capture {} events={events} not_recorded={not_recorded} bytes={bytes} \
             files={files}",
            word(&file.to_string_lossy())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_one_word_of_the_ledger() {
        let summary = RecordingStats {
            file: PathBuf::from("day=1/a b\n.rtc"),
            ..RecordingStats::default()
        };
        let line =
            r"ledger: capture day=1/a\u{20}b\u{a}.rtc events=0 not_recorded=0 bytes=0 files=0";
        assert_eq!(summary.to_string(), format!("{line}\n"));
    }
}
