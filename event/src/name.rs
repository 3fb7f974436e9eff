//! Short text: names of processes, of algorithms and of containers.

use core::fmt;
use core::str::FromStr;

use crate::numbers::UnknownName;

/// A name of at most 16 bytes, such as `cubic`. The order is that of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name {
    bytes: [u8; Name::MAX],
}

impl Name {
    pub(crate) const EXPECTED: &'static str = "a name of at most 16 bytes";

    /// Maximum length of a name in bytes.
    pub const MAX: usize = 16;

    /// The name up to the first NUL. Bytes that are not UTF-8 become `?`, because a process may give itself
    /// any name. The kernel cuts names: the bytes of a character that is cut off at the end are kept.
    pub fn from_bytes(bytes: [u8; Name::MAX]) -> Name {
        let mut name = Name { bytes };
        let length = name.as_bytes().len();
        name.bytes[length..].fill(0);
        let mut text = &mut name.bytes[..length];
        while let Err(error) = core::str::from_utf8(text)
            && let Some(invalid) = error.error_len()
        {
            let (wrong, rest) = text[error.valid_up_to()..].split_at_mut(invalid);
            wrong.fill(b'?');
            text = rest;
        }
        name
    }

    /// The bytes, padded with NULs as in the record.
    pub fn to_bytes(self) -> [u8; Name::MAX] {
        self.bytes
    }

    fn as_bytes(&self) -> &[u8] {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        &self.bytes[..end.unwrap_or(Name::MAX)]
    }

    /// The text, without a character that is cut off at the end.
    pub fn as_str(&self) -> &str {
        let bytes = self.as_bytes();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for Name {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if text.len() > Name::MAX || text.contains('\0') {
            return Err(UnknownName {
                expected: Self::EXPECTED,
            });
        }
        let mut bytes = [0; Name::MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Name { bytes })
    }
}
