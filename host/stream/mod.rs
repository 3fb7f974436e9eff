//! The data that the source passes to the chain, and the chain to the sinks: batches of events with their labels, marks
//! of time between them, and the alerts of plugins.

pub mod alert;
pub mod batch;
pub mod census;
pub mod clock;
pub mod collect;
pub mod labels;
pub mod moment;
