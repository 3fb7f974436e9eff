//! What is recorded, and in which files.

use std::path::PathBuf;
use std::time::Duration;

/// Destination of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordConfig {
    /// Standard output.
    Stdout,
    /// A file.
    File(RecordFile),
}

/// The file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// Its path.
    pub file: PathBuf,
    /// When a new file is started.
    pub rotate: Rotate,
    /// Number of older files that a rotation keeps.
    pub keep: u32,
    /// What becomes of a file that exists when the run begins. A rotation moves captures in any case.
    pub existing: ExistingFile,
}

/// What becomes of a file that has the name of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingFile {
    /// It stays, and nothing is recorded.
    Refuse,
    /// A capture is moved aside; nothing is recorded if it is another file.
    MoveAside,
    /// It is overwritten.
    Replace,
}

/// When a new capture file is started; by default never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotate {
    /// Once the file has this number of bytes.
    pub bytes: Option<u64>,
    /// Once the file has this age.
    pub age: Option<Duration>,
}
