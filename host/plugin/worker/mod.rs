//! Child processes that compile plugins and run the footprint check, because a plugin can make either use up memory or
//! CPU time. Also checks that this system allows compiled plugins to run.

pub mod compile;
pub mod compiler;
pub mod confinement;
pub mod footprint;
pub mod helper;
pub mod job;
