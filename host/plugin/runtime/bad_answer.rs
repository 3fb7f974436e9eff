//! Violations of the contract by a plugin.

use crate::stream::labels::BadColumn;

/// An answer, or an argument of a host function, that does not fit the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// More output than one call may have, in bytes.
    #[error("more than {0} bytes of output in one call")]
    TooMuchOutput(usize),
    /// Changes whose event numbers are not ascending, or not numbers of this call's events.
    #[error("change: event {0} is out of order, or not one of this call's {1} events")]
    ChangeEvent(u32, u32),
    /// Changed records of a wrong size in total.
    #[error("change: {events} events of {record_size} bytes each, but {bytes} bytes")]
    ChangeSize {
        /// Number of changed events.
        events: usize,
        /// Size of each record in bytes.
        record_size: u32,
        /// Size of the passed records in bytes.
        bytes: usize,
    },
    /// A change of an event that the plugin does not keep.
    #[error("change: event {0} is changed, but not kept")]
    ChangeDropped(u32),
    /// A malformed label column.
    #[error("annotate: {0}")]
    Label(#[from] BadColumn),
    /// More label columns than one call may add.
    #[error("annotate: more than {0} times in one call")]
    Columns(usize),
    /// A label key that is too long, with the maximum in bytes.
    #[error("annotate: a key has more than {0} bytes")]
    LabelKey(usize),
    /// More bytes of labels than a plugin may put on the events of a batch.
    #[error("annotate: more than {0} bytes of labels on a batch")]
    LabelBytes(usize),
    /// More alerts than one call may raise or resolve.
    #[error("emit: more than {0} times in one call")]
    Alerts(usize),
    /// An alert without a name.
    #[error("emit: the alert has no name")]
    AlertName,
    /// An alert about an event that is not one of this call's events.
    #[error("emit: event {0} is not one of this call's {1} events")]
    AlertEvent(u32, u32),
    /// Printed output that ends within a line.
    #[error("write: the last line has no line feed")]
    IncompleteLine,
    /// Printed output that is not UTF-8, with the offset of the first invalid byte.
    #[error("write: not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// A metric without a name, with an invalid one, or with a value that is no finite number; and the function.
    #[error("{0}: {1}")]
    Metric(&'static str, &'static str),
    /// More counters, gauges and observations than one call may have.
    #[error("{0}: more than {1} times in one call")]
    Counts(&'static str, usize),
    /// An answer with too few or too many bits.
    #[error("keep: {bytes} bytes of bits for {count} events, expected {expected}")]
    KeepSize {
        /// Size of the bits in bytes.
        bytes: usize,
        /// Number of the call's events.
        count: u32,
        /// Expected size in bytes.
        expected: usize,
    },
    /// Bits that are set beyond the last event.
    #[error("keep: bits are set beyond the last of {0} events")]
    KeepBeyond(u32),
}
