//! What flows from the source through the chain to the sinks: batches of events with their labels, marks of time
//! between them, and the alerts that plugins raise.

pub mod alert;
pub mod batch;
pub mod labels;
