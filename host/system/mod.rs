//! The process and its system: `/proc`, standard streams, threads, privileges, memory, times and text.

pub mod files;
pub mod heap;
pub mod privileges;
pub mod procfs;
pub mod sanitize;
pub mod stdio;
pub mod threads;
pub mod timestamp;
