//! The JSON form (feature `serde`), in both directions, driven by the table of fields.
//!
//! Unknown is absent. Where the number is the kernel's, both its name and, under the key with
//! `_number` appended, the number itself are written; a reader goes by the number.

mod read;
mod write;

use crate::format::Format;

/// What is appended to the key of a name to make the key of its number.
const NUMBER: &str = "_number";

/// Are both a name and the kernel's number in the JSON form?
fn has_number(format: Format) -> bool {
    matches!(
        format,
        Format::State | Format::CaState | Format::Timer | Format::TcpFlags | Format::SendError
    )
}

/// Where an object is within another, as in "last" for "owner.last" within "owner": the path that
/// is left, or `None` if it is not within it.
fn within<'a>(outer: &str, path: &'a str) -> Option<&'a str> {
    let rest = match outer {
        "" => path,
        outer => path.strip_prefix(outer)?.strip_prefix('.')?,
    };
    (!rest.is_empty()).then_some(rest)
}
