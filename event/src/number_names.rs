//! The names of all numbers that have one, for those that read records without the accessors of this crate.

use crate::format::Format;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::OwnerStatus;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

/// A number with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberName {
    /// The format of the fields that have it.
    pub format: Format,
    /// The number; for [`Format::TcpFlags`] a bit.
    pub number: i32,
    /// The name, as the JSON form has it.
    pub name: &'static str,
}

/// All numbers with a name; those of one format are next to each other.
pub fn number_names() -> impl Iterator<Item = NumberName> {
    macro_rules! all {
        ($numbers:ident) => {
            $numbers::ALL.iter().filter_map(|value| {
                Some(NumberName {
                    format: Format::$numbers,
                    number: value.number().into(),
                    name: value.name()?,
                })
            })
        };
    }
    let errors = SendError::NAMES.iter().map(|(number, name)| NumberName {
        format: Format::SendError,
        number: *number,
        name,
    });
    let flags = TcpFlags::NAMES.iter().map(|(bit, name)| NumberName {
        format: Format::TcpFlags,
        number: i32::from(*bit),
        name,
    });
    all!(Kind)
        .chain(all!(Tracepoint))
        .chain(all!(TcpState))
        .chain(all!(CaState))
        .chain(all!(Timer))
        .chain(all!(OwnerStatus))
        .chain(errors)
        .chain(flags)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;
    use crate::FIELDS;

    #[test]
    fn a_number_of_a_format_has_one_name() {
        let numbers = number_names().map(|named| (named.format.name(), named.number));
        let all: Vec<_> = numbers.collect();
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(all.len(), 7 + 2 + 12 + 5 + 7 + 5 + 15 + 9);
    }

    #[test]
    fn every_format_with_names_is_that_of_a_field() {
        for named in number_names() {
            let is_used = FIELDS.iter().any(|field| field.format == named.format);
            assert!(is_used, "{named:?}");
        }
    }
}
