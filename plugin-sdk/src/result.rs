//! The result type of plugins.

/// The result type of plugins. An error says what failed, with the chain of its causes.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
