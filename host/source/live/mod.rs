//! The live source: the probe in the kernel, the ring that it fills, and the events that are made of its records.

pub mod attach;
pub mod intake;
pub mod preflight;
pub mod probe;
mod programs;
mod ring;
mod stream;
