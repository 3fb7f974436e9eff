//! The live source: the probe in the kernel, the ring buffer that it fills, and the events in its records.

pub mod intake;
pub mod kernel_filters;
pub mod left_out;
pub mod members;
mod pace;
pub mod preflight;
pub mod probe;
mod programs;
mod ring;
mod ring_event;
mod stream;
