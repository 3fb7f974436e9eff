//! The JSON form (feature `serde`), in both directions, driven by the table of fields.
//!
//! An unknown field has no key. A number of the kernel is written twice: its name under the field's
//! key, and the number under that key with `_number` appended. Readers prefer the number.

mod line;
mod path;
mod read;
mod time;
mod write;

pub use line::LineWriter;
pub use line::UnknownPath;
pub use path::FieldPath;
pub use path::FieldValue;
pub(crate) use time::nanoseconds;
pub(crate) use time::timestamp;

use crate::format::Format;

/// Suffix that makes the key of a number from the key of its name.
const NUMBER: &str = "_number";

/// Does the JSON form have the kernel's number beside the name?
fn has_number(format: Format) -> bool {
    matches!(
        format,
        Format::TcpState | Format::CaState | Format::Timer | Format::TcpFlags | Format::SendError
    )
}

/// The path of an object relative to an outer one, as in "last" for "owner.last" within "owner"; `None`
/// where it is not within it.
fn within<'a>(outer: &str, path: &'a str) -> Option<&'a str> {
    let rest = match outer {
        "" => path,
        outer => path.strip_prefix(outer)?.strip_prefix('.')?,
    };
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed;

    use super::read::Value;
    use crate::event::Event;
    use crate::field::Field;
    use crate::fields::FIELDS;
    use crate::presence::PresenceBit;

    /// A made-up field of one byte behind the second presence word, with the first bit of that word.
    fn field() -> Field {
        Field {
            name: "made_up",
            offset: 384,
            size: 1,
            presence_bit: Some(PresenceBit::number(64).position()),
            ..*FIELDS
                .iter()
                .find(|field| field.name == "sacked")
                .expect("a byte")
        }
    }

    #[test]
    fn a_field_of_the_second_presence_word_is_written_and_read() {
        let field = std::boxed::Box::leak(std::boxed::Box::new(field()));
        for length in [376, 380, 384, 385, 392] {
            let mut bytes = [0; 392];
            let event = Event::new_mut(&mut bytes[..length]).expect("it is long enough");
            assert!(!event.shows(field));
            let value = Value {
                event: &mut *event,
                field,
                is_number: false,
            };
            value
                .deserialize(&mut serde_json::Deserializer::from_str("7"))
                .expect("a number");
            let is_there = length > 384;
            assert_eq!(event.shows(field), is_there, "{length}");
            let changed = if is_there { [1, 7] } else { [0, 0] };
            assert_eq!([bytes[376], bytes[384]], changed, "{length}");
        }
    }
}
