//! What a plugin may do beyond the contract, because the operator said so.

use std::path::PathBuf;

/// Powers of one plugin; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Powers {
    /// Names of environment variables that it sees.
    pub env: Vec<String>,
    /// Directories that it may read from, in `configure` alone.
    pub read: Vec<PathBuf>,
}
