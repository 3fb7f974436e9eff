//! The description of one field of the record.

use crate::format::Format;
use crate::presence::PresenceBit;

/// The description of one field of the record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Field {
    /// Name, the same as in C and in `layout()`.
    pub name: &'static str,
    /// Offset in bytes from the start of the record.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
    /// How to read the bytes.
    pub format: Format,
    /// Position of the presence bit, counted from the start of the record (byte × 8 + bit), in one of the
    /// [`PRESENCE_WORDS`](crate::PRESENCE_WORDS); `None`: every record has the field.
    pub presence_bit: Option<u32>,
    /// Place in the JSON form: the object ("" for the top level, "a.b" for the object `b` within
    /// the object `a`) and the key. A field without a key is not in the JSON form.
    pub json: (&'static str, &'static str),
    /// Number of that object: comparing the names of 71 objects took a third of the time of writing a
    /// line.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "for the JSON form"))]
    pub(crate) object: u8,
    /// The key with "_number" appended.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "for the JSON form"))]
    pub(crate) number_key: &'static str,
    /// Source of the value: kernel fields, or the host.
    pub source: &'static str,
    /// First kernel version that has the field, such as "5.8".
    pub since: &'static str,
    /// Meaning and unit.
    pub doc: &'static str,
}

impl Field {
    /// Returns whether the host alone sets the field: the probe knows nothing of it.
    pub fn is_of_host(&self) -> bool {
        self.source.starts_with("host")
    }

    /// The presence bit; `None`: every record has the field.
    pub(crate) const fn bit(&self) -> Option<PresenceBit> {
        match self.presence_bit {
            Some(position) => Some(PresenceBit::at(position)),
            None => None,
        }
    }
}
