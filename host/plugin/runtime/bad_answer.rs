//! What a plugin can get wrong in a call.

use crate::stream::labels::BadColumn;

/// An answer, or something said during a call, that does not fit the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// More than a call may say.
    #[error("more than {0} bytes said in one call")]
    TooMuch(usize),
    /// Changes that are out of order, or name an event that the call does not have.
    #[error("change: event {0} is out of order, or not one of this call's {1} events")]
    ChangeEvent(u32, u32),
    /// Changed records of another size.
    #[error("change: {events} events of {record_size} bytes each, but {bytes} bytes")]
    ChangeSize {
        /// Number of events.
        events: usize,
        /// Bytes of each record.
        record_size: u32,
        /// Bytes given.
        bytes: usize,
    },
    /// A change of an event that the plugin drops.
    #[error("change: event {0} is changed, but not kept")]
    ChangeDropped(u32),
    /// A label column that does not fit.
    #[error("annotate: {0}")]
    Label(#[from] BadColumn),
    /// More label columns than a call may add.
    #[error("annotate: more than {0} times in one call")]
    Columns(usize),
    /// A key that is too long.
    #[error("annotate: a key has more than {0} bytes")]
    LabelKey(usize),
    /// Longer labels than a plugin may put on the events of a batch.
    #[error("annotate: more than {0} bytes of labels on a batch")]
    LabelBytes(usize),
    /// More alerts than a call may raise or resolve.
    #[error("emit: more than {0} times in one call")]
    Alerts(usize),
    /// An alert without a name.
    #[error("emit: the alert has no name")]
    AlertName,
    /// An alert about an event that the call does not have.
    #[error("emit: event {0} is not one of this call's {1} events")]
    AlertEvent(u32, u32),
    /// Output that stops within a line.
    #[error("write: the last line has no line feed")]
    HalfLine,
    /// Output that is not text.
    #[error("write: not UTF-8 at byte {0}")]
    NotText(usize),
    /// A counter without a name, or with one that is not readable.
    #[error("count: {0}")]
    Metric(&'static str),
    /// More counting than a call may do.
    #[error("count: more than {0} times in one call")]
    Counts(usize),
    /// Too few or too many bits in the answer.
    #[error("keep: {bytes} bytes of bits for {count} events, expected {expected}")]
    KeepSize {
        /// Bytes given.
        bytes: usize,
        /// Events of the call.
        count: u32,
        /// Bytes expected.
        expected: usize,
    },
    /// Bits that stand for no event.
    #[error("keep: bits are set beyond the last of {0} events")]
    KeepBeyond(u32),
}
