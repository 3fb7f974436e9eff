//! Where events come from. A source knows nothing of plugins.

pub mod clock;
pub mod preflight;
pub mod probe;
pub mod ring;
