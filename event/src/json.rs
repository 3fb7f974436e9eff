//! The JSON form (feature `serde`), in both directions, driven by the table of fields.
//!
//! Unknown is absent. Where the number is the kernel's, both its name and, under the key with
//! `_number` appended, the number itself are written; a reader goes by the number.

mod read;
mod write;

use crate::fields::Format;

/// What is appended to the key of a name to make the key of its number.
const NUMBER: &str = "_number";

/// Are both a name and the kernel's number in the JSON form?
fn has_number(format: Format) -> bool {
    matches!(
        format,
        Format::State | Format::CaState | Format::Timer | Format::TcpFlags | Format::SendError
    )
}
