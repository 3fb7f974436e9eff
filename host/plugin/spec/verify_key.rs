//! The public keys of minisign, one of which must have signed a plugin.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::PublicKey;

/// What minisign writes before a comment, in the first line of keys and signatures.
pub const COMMENT: &str = "untrusted comment: ";

/// Size of the bytes of a key: two that name the algorithm, its number, and the point of Ed25519.
const KEY_SIZE: usize = 2 + 8 + 32;

/// The number of a key: a signature has that of the key that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// Reads the number from the bytes of a key or of a signature, where it follows the two of the algorithm.
    pub(crate) fn within(bytes: &[u8]) -> Option<KeyId> {
        Some(KeyId(bytes.get(2..10)?.try_into().ok()?))
    }
}

/// Writes hexadecimal digits without zeros before them, as minisign does.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyKey {
    /// Its number.
    pub id: KeyId,
    /// The file that it is from; `None`: the operator has given the key itself.
    pub file: Option<PathBuf>,
    /// Its line of Base64.
    line: String,
    pub(crate) key: PublicKey,
}

/// Writes the key as the operator has named it.
impl fmt::Display for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => file.display().fmt(f),
            None => f.write_str(&self.line),
        }
    }
}

/// The text has no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// It is a secret key.
    #[error(
        "it is a secret key, which only signs: give the public one, minisign.pub, and keep this one to yourself"
    )]
    Secret,
    /// It is a signature.
    #[error("it is a signature: give the public key of its author, such as minisign.pub")]
    Signature,
    /// It is something else.
    #[error(
        "not a public key of minisign: expected a file such as minisign.pub, with a comment and 56 characters of \
         Base64 that begin with RW"
    )]
    Other,
}

impl VerifyKey {
    /// Reads a key without a comment, as in `minisign -P`: 56 characters of Base64. `None`: the text is none.
    pub fn of_line(line: &str) -> Option<VerifyKey> {
        let bytes = STANDARD.decode(line).ok();
        let bytes = bytes.filter(|bytes| bytes.len() == KEY_SIZE)?;
        Some(VerifyKey {
            id: KeyId::within(&bytes)?,
            file: None,
            key: PublicKey::from_base64(line).ok()?,
            line: line.to_owned(),
        })
    }

    /// Reads the contents of a file: a comment and the key, or the key alone.
    ///
    /// # Errors
    ///
    /// If they are something else, which the error names if it is a mistake that is likely.
    pub fn of_file(file: &Path, text: &str) -> Result<VerifyKey, ParseKeyError> {
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let key = match lines.as_slice() {
            [line] => VerifyKey::of_line(line),
            [comment, line] if comment.starts_with(COMMENT) => VerifyKey::of_line(line),
            _ => None,
        };
        key.map(|key| VerifyKey {
            file: Some(file.to_owned()),
            ..key
        })
        .ok_or(match lines.as_slice() {
            // The bytes of a secret key that is encrypted name scrypt.
            [_, line] if line.starts_with("RWRTY0I") => ParseKeyError::Secret,
            [_, line] if line.len() > 200 => ParseKeyError::Secret,
            [_, _, trusted, ..] if trusted.starts_with("trusted comment: ") => {
                ParseKeyError::Signature
            }
            _ => ParseKeyError::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of minisign's own documentation.
    const LINE: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn of_file(text: &str) -> Result<VerifyKey, ParseKeyError> {
        VerifyKey::of_file(Path::new("a.pub"), text)
    }

    #[test]
    fn a_key_has_the_number_that_minisign_prints() {
        let key = VerifyKey::of_line(LINE).expect("a key");
        assert_eq!(key.id.to_string(), "E7620F1842B4E81F");
        assert_eq!(key.to_string(), LINE);
        let comment = "untrusted comment: minisign public key E7620F1842B4E81F";
        for text in [
            format!("{comment}\n{LINE}\n"),
            format!("{comment}\r\n{LINE}\r\n"),
            format!("{LINE}\n"),
        ] {
            let key = of_file(&text).expect("a key");
            assert_eq!(key.id.to_string(), "E7620F1842B4E81F", "{text}");
            assert_eq!(key.to_string(), "a.pub");
        }
    }

    #[test]
    fn what_is_no_key_is_named_where_it_is_known() {
        let signature = "untrusted comment: a\nRUQf6A==\ntrusted comment: b\nQtKM\n";
        let secret = format!("untrusted comment: a\nRWRTY0Iy{}\n", "A".repeat(204));
        let cases = [
            (signature, ParseKeyError::Signature),
            (&secret, ParseKeyError::Secret),
            ("", ParseKeyError::Other),
            ("untrusted comment: a\n", ParseKeyError::Other),
            (&LINE[..55], ParseKeyError::Other),
            (&LINE.replace("RWQ", "AAA"), ParseKeyError::Other),
            (&format!("{LINE}\n{LINE}\n"), ParseKeyError::Other),
            ("-----BEGIN PUBLIC KEY-----\nMCow\n", ParseKeyError::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(of_file(text), Err(expected), "{text}");
        }
        assert_eq!(VerifyKey::of_line("ops.pub"), None);
    }
}
