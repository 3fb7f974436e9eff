//! Errors of the chain and of the reload of a plugin.

use std::io;

use super::fault_log::FaultReport;

/// Why the chain ended before the end of the stream.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A plugin failed whose action for faults is to stop the host.
    #[error(transparent)]
    Fault(Box<FaultReport>),
    /// The results could not be written. The error is part of the message and not a `source`, because the source would
    /// be printed a second time.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl From<io::Error> for ChainError {
    fn from(error: io::Error) -> ChainError {
        ChainError::Output(error)
    }
}

impl From<FaultReport> for ChainError {
    fn from(fault_report: FaultReport) -> ChainError {
        ChainError::Fault(Box::new(fault_report))
    }
}

impl ChainError {
    /// Returns whether the reader has closed standard output. This is how `| head` ends a run, and not an error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, ChainError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Why a new version does not replace the running one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The new version failed, and would fail again.
    #[error("{0}")]
    NewFailed(String),
    /// The running version failed to save its state, or the chain has ended.
    #[error("{0}")]
    OldFailed(String),
}
