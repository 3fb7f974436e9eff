//! A plugin at work: its instance, the calls into it and out of it, what they may use, and how they fail.

pub mod bad_answer;
pub mod contract;
pub mod cpu;
pub mod fault;
pub mod files;
pub mod instance;
pub mod logs;
pub mod meter;
pub mod staged;
pub mod store;
