//! Something that was recorded, and is read again.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use super::Observe;

/// Something that was recorded, and is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// What the hosts of a fleet have published.
    Fleet(Box<Observe>),
}

impl Recorded {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Recorded::File(file) => Some(file),
            Recorded::Fleet(_) => None,
        }
    }
}

/// The path, or the addresses without passwords.
impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recorded::File(file) => file.display().fmt(f),
            Recorded::Fleet(fleet) => f.write_str(&fleet.broker.servers()),
        }
    }
}
