//! Running plugins: instances, calls in both directions, limits, and faults.

pub mod bad_answer;
pub mod contract;
pub mod cpu;
pub mod exports;
pub mod fault;
pub mod files;
pub mod instance;
pub mod logs;
pub mod meter;
pub mod outcome;
pub mod staged;
pub mod store;
