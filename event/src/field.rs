//! What is known about one field of the record.

use crate::format::Format;
use crate::presence::PresenceBit;

/// What is known about one field of the record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Field {
    /// Name, the same in C.
    pub name: &'static str,
    /// Bytes from the start of the record.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// How the bytes are to be read.
    pub format: Format,
    /// Position of the presence bit, counted from the start of the record (byte × 8 + bit), in one of the
    /// [`PRESENCE_WORDS`](crate::PRESENCE_WORDS); `None`: every record has the field.
    pub presence_bit: Option<u32>,
    /// Where the JSON form has it: the object ("" for the top level, "a.b" for the object `b` within
    /// the object `a`) and the key. A field without a key is not in the JSON form.
    pub json: (&'static str, &'static str),
    /// The same object as a number: comparing the names of 71 fields took a third of the time of
    /// writing a line.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "for the JSON form"))]
    pub(crate) object: u8,
    /// The key with "_number" appended.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "for the JSON form"))]
    pub(crate) number_key: &'static str,
    /// Where it comes from: a kernel field, or the host.
    pub source: &'static str,
    /// The first kernel that has it.
    pub since: &'static str,
    /// What it means.
    pub doc: &'static str,
}

impl Field {
    pub(crate) const fn bit(&self) -> Option<PresenceBit> {
        match self.presence_bit {
            Some(position) => Some(PresenceBit::at(position)),
            None => None,
        }
    }
}
