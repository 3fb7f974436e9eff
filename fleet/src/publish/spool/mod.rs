//! The frames that the broker has not acknowledged: one log in segments, in memory or in a directory.

mod directory;
mod entry;
mod log;
mod recovery;
mod segment;
mod sending;
#[cfg(test)]
mod tests;

pub use directory::SpoolError;
pub(super) use log::Spool;
pub(super) use sending::Outgoing;

use std::path::PathBuf;

/// How many frames are kept while the broker is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// A directory for this publisher alone, where frames outlive the process. It is created if it is missing. `None`:
    /// frames are kept in memory.
    pub directory: Option<PathBuf>,
    /// Size in bytes above which the oldest frames are dropped.
    pub max_bytes: u64,
}

impl Default for SpoolConfig {
    /// 64 MiB in memory.
    fn default() -> SpoolConfig {
        SpoolConfig {
            directory: None,
            max_bytes: 64 << 20,
        }
    }
}
