//! What a plugin returns.

/// What a plugin returns: an error says what went wrong, and why.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
