//! The fields of the record and the names of their numbers, in the form that all generators use.

use retrans_event::CaState;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::Format;
use retrans_event::Kind;
use retrans_event::OwnerStatus;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;

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
    /// What it is: the beginning of a sentence of documentation.
    pub doc: &'static str,
    /// The format of its fields.
    pub format: Format,
    /// Numbers and names, as the JSON form has them. Those of [`TcpFlags`] are bits, which may be set together.
    pub values: Vec<(i64, &'static str)>,
    /// What the JSON form has for a number without a name, N: "other(N)".
    pub other: &'static str,
}

/// All enumerations.
pub fn enumerations() -> Vec<Enumeration> {
    macro_rules! numbers {
        ($of:ident, $doc:literal) => {
            Enumeration {
                name: stringify!($of),
                doc: $doc,
                format: Format::$of,
                values: $of::ALL
                    .iter()
                    .filter_map(|value| Some((value.number().into(), value.name()?)))
                    .collect(),
                other: "other(N)",
            }
        };
    }
    vec![
        numbers!(Kind, "Cause of a retransmit."),
        numbers!(Tracepoint, "The tracepoint that reported the event."),
        numbers!(TcpState, "State of the connection."),
        numbers!(CaState, "State of congestion control."),
        numbers!(Timer, "The pending timer."),
        numbers!(OwnerStatus, "Status of a socket's owner."),
        Enumeration {
            name: "SendError",
            doc: "Return value of the attempt to send: 0, a negative errno, or a positive verdict of the queueing discipline.",
            format: Format::SendError,
            values: SendError::NAMES
                .iter()
                .map(|(number, name)| ((*number).into(), *name))
                .collect(),
            other: "error(N)",
        },
        Enumeration {
            name: "TcpFlags",
            doc: "Flags of the segment's TCP header, as bits.",
            format: Format::TcpFlags,
            values: TcpFlags::NAMES
                .iter()
                .map(|(bit, name)| ((*bit).into(), *name))
                .collect(),
            other: "",
        },
    ]
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
    fn names_of_accessors_differ() {
        let mut names: Vec<_> = all().map(|described| described.accessor).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
