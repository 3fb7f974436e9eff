//! The fields of the record and the names of their numbers, in the form that all generators use.

use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::Format;
use retrans_event::number_names;

/// A field, and what SDKs call it.
pub struct Described {
    /// The name of its accessor in snake case, the same as in Rust: `srtt` for `srtt_us`.
    pub accessor: &'static str,
    /// The field.
    pub field: &'static Field,
    /// Whether the host restores it: plugins need no way to set it.
    pub is_of_host: bool,
}

/// Fields that the host restores after a call.
const RESTORED: &[&str] = &[
    "size",
    "cpu",
    "sequence",
    "cpu_sequence",
    "boot_time_ns",
    "wall_time_ns",
];

/// All fields in the order of the JSON form.
pub fn all() -> impl Iterator<Item = Described> {
    FIELDS.iter().map(|field| Described {
        accessor: accessor(field.name),
        field,
        is_of_host: RESTORED.contains(&field.name),
    })
}

/// Types of the languages have units, so that names need none.
fn accessor(name: &'static str) -> &'static str {
    match name {
        "boot_time_ns" => "time",
        "origin" => "tracepoint",
        _ => name.trim_end_matches("_ns").trim_end_matches("_us"),
    }
}

/// Numbers that have names.
pub struct Enumeration {
    /// Its name in camel case, the same as in Rust.
    pub name: &'static str,
    /// What it is: a sentence of documentation.
    pub doc: &'static str,
    /// The format of its fields.
    pub format: Format,
    /// Numbers and names, as the JSON form has them. Those of `TcpFlags` are bits, which may be set together.
    pub values: Vec<(i32, &'static str)>,
    /// What the JSON form has for a number without a name, N: "other(N)".
    pub other: &'static str,
}

/// All enumerations.
pub fn enumerations() -> Vec<Enumeration> {
    let other = "other(N)";
    let described = [
        ("Kind", "Cause of a retransmit.", Format::Kind, other),
        (
            "Tracepoint",
            "The tracepoint that reported the event.",
            Format::Tracepoint,
            other,
        ),
        (
            "TcpState",
            "State of the connection.",
            Format::TcpState,
            other,
        ),
        (
            "CaState",
            "State of congestion control.",
            Format::CaState,
            other,
        ),
        ("Timer", "The pending timer.", Format::Timer, other),
        (
            "OwnerStatus",
            "Status of a socket's owner.",
            Format::OwnerStatus,
            other,
        ),
        (
            "SendError",
            "Return value of the attempt to send: 0, a negative errno, or a positive verdict of the queueing discipline.",
            Format::SendError,
            "error(N)",
        ),
        (
            "TcpFlags",
            "Flags of the segment's TCP header, as bits.",
            Format::TcpFlags,
            "",
        ),
    ];
    let enumerations = described.into_iter().map(|(name, doc, format, other)| {
        let of_format = number_names().filter(|named| named.format == format);
        Enumeration {
            name,
            doc,
            format,
            values: of_format.map(|named| (named.number, named.name)).collect(),
            other,
        }
    });
    enumerations.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_have_the_names_of_the_rust_sdk() {
        let table = include_str!("../../../event/src/fields.rs");
        for described in all() {
            // `sent` is derived in Rust, where the field's accessor has another name.
            let accessor = match described.accessor {
                "sent" => "sent_if_known",
                accessor => accessor,
            };
            let line = format!(
                "{}, {accessor}, set_{}:",
                described.field.name, described.accessor
            );
            assert!(table.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_number_with_a_name_is_in_an_enumeration() {
        let values = enumerations()
            .iter()
            .map(|numbers| numbers.values.len())
            .sum::<usize>();
        assert_eq!(values, number_names().count());
    }

    #[test]
    fn names_of_accessors_differ() {
        let mut names: Vec<_> = all().map(|described| described.accessor).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
