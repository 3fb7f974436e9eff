//! Running plugins: instances, calls in both directions, limits, and faults.

pub mod bad_answer;
pub mod beneath;
pub mod census_parts;
pub mod contract;
pub mod cpu_clock;
pub mod exports;
pub mod fault;
pub mod files_read;
pub mod granted_files;
pub mod instance;
pub mod limiters;
pub mod logs;
pub mod outcome;
pub mod samples;
pub mod staged_effects;
pub mod store;
