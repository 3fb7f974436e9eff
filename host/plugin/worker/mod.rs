//! What is done to a plugin in a process of its own, because it may use up memory or time: compilation, and the
//! footprint check.

pub mod compile;
pub mod confinement;
pub mod footprint;
