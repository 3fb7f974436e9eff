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
        Format::TcpState | Format::CaState | Format::Timer | Format::TcpFlags | Format::SendError
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed;

    use super::read::Value;
    use crate::event::Event;
    use crate::field::Field;
    use crate::fields::FIELDS;
    use crate::presence::PresenceBit;

    /// A made-up byte behind the second presence word, whose first bit it has.
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
