//! Checks the signature of a plugin: the file `FILE.minisig` beside it, as minisign writes it.
//!
//! The signature is checked over the bytes that are then hashed and compiled, which are read once.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::Signature;
use serde::Serialize;
use serde::Serializer;

use super::regular_file;
use super::regular_file::OpenError;
use crate::plugin::spec::Spec;
use crate::plugin::spec::digest::Digest;
use crate::plugin::spec::origin::Origin;
use crate::plugin::spec::verify_key::COMMENT;
use crate::plugin::spec::verify_key::KeyId;
use crate::plugin::spec::verify_key::VerifyKey;
use crate::system::sandbox;
use crate::system::sanitize::joined;

/// Maximum size of a signature in bytes. minisign's own comments have at most 8 KiB.
pub const MAX_SIZE: u64 = 16 << 10;

/// Size of the bytes in the second line: two that name the algorithm, the number of the key, and the signature.
const SIGNATURE_SIZE: usize = 2 + 8 + 64;

/// Number of characters of the last line, the signature of the trusted comment: 64 bytes as Base64.
const LAST_LINE: usize = 88;

/// A signature that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The key that made it.
    #[serde(serialize_with = "as_text")]
    pub key: KeyId,
    /// What its author says in it, on one line without control characters.
    pub comment: String,
}

fn as_text<S: Serializer>(key: &KeyId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// Writes key and comment.
impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: {}", self.key, self.comment)
    }
}

/// Why a plugin's signature is refused.
#[derive(Debug, thiserror::Error)]
#[error("signature {}: {cause}", path.display())]
pub struct SignatureError {
    /// The file of the signature.
    pub path: PathBuf,
    /// The cause.
    pub cause: Refused,
}

/// Why a signature is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error(
        "there is no such file, and the plugin needs it: `minisign -S -m {}` makes it, with the author's key",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(io::Error),
    /// It is a pipe, a socket or a device.
    #[error("cannot read it: not a regular file")]
    NotRegular,
    /// It is something else, or has more than [`MAX_SIZE`] bytes.
    #[error(
        "not a signature of minisign, which has four lines, of which the first begins with \"untrusted comment: \""
    )]
    NotASignature,
    /// The end is missing.
    #[error("it is cut short: a signature of minisign has four lines; get it again")]
    CutShort,
    /// A line is not what it must be.
    #[error("it is damaged: line {0} is not what minisign writes; get it again")]
    Damaged(usize),
    /// It signs the file itself, not its hash.
    #[error(
        "a legacy signature, as `minisign -l` and old versions make it, which is not accepted: sign the file again \
         with minisign 0.11 or later"
    )]
    Legacy,
    /// It was made with another key.
    #[error("made with key {found}, expected {}", any_of(expected))]
    OtherKey {
        /// The key that made it.
        found: KeyId,
        /// The keys that the operator trusts.
        expected: Vec<KeyId>,
    },
    /// It was made with the right key, for other bytes.
    #[error(
        "made with key {0}, but not for these bytes: the plugin and its signature are not of one version, or one of \
         them was changed; get both again"
    )]
    OtherBytes(KeyId),
}

/// Names keys, as in "key A or B".
fn any_of(keys: &[KeyId]) -> String {
    let keys: Vec<_> = keys.iter().map(KeyId::to_string).collect();
    format!("key {}", keys.join(" or "))
}

/// The file of a plugin's signature.
pub fn path(plugin: &Path) -> PathBuf {
    let mut name = OsString::from(plugin);
    name.push(".minisig");
    PathBuf::from(name)
}

/// Where the signature of a plugin is, if it must have one: if keys are given, and it is not bundled.
pub fn needed(spec: &Spec) -> Option<PathBuf> {
    match &spec.origin {
        Origin::File(file) if !spec.keys.is_empty() => Some(path(file)),
        Origin::File(_) | Origin::Bundled(_) => None,
    }
}

/// Checks that one of the plugin's keys has signed these bytes. `None`: no signature is needed.
pub(crate) fn check(spec: &Spec, bytes: &[u8]) -> Result<Option<Signed>, SignatureError> {
    let (Origin::File(file), Some(path)) = (&spec.origin, needed(spec)) else {
        return Ok(None);
    };
    let signed = match read(&path) {
        Ok(signature) => verify(&spec.keys, bytes, &signature),
        Err(Refused::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Refused::Missing(file.clone()))
        }
        Err(refused) => Err(refused),
    };
    signed
        .map(Some)
        .map_err(|cause| SignatureError { path, cause })
}

/// The digest of a plugin's signature now. `None`: none is needed, or it cannot be read.
pub(crate) fn digest(spec: &Spec) -> Option<Digest> {
    let signature = read(&needed(spec)?).ok()?;
    Some(Digest::of(&signature))
}

/// Reads a signature, or the start of it.
fn read(path: &Path) -> Result<Vec<u8>, Refused> {
    let failed = |error| Refused::Io(sandbox::explained(path, error));
    let file = regular_file::open(path).map_err(|error| match error {
        OpenError::NotRegular => Refused::NotRegular,
        OpenError::Io(error) => failed(error),
    })?;
    let mut bytes = Vec::new();
    let mut file = file.take(MAX_SIZE + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Checks that one of the keys has signed these bytes, with a signature that minisign has written.
///
/// # Errors
///
/// If none of them has.
pub fn verify(keys: &[VerifyKey], bytes: &[u8], signature: &[u8]) -> Result<Signed, Refused> {
    let text = std::str::from_utf8(signature)
        .ok()
        .filter(|text| text.starts_with(COMMENT) && text.len() as u64 <= MAX_SIZE)
        .ok_or(Refused::NotASignature)?;
    let lines: Vec<&str> = text.lines().collect();
    let [_, line, trusted, last, ..] = lines.as_slice() else {
        return Err(Refused::CutShort);
    };
    let head = STANDARD.decode(line).unwrap_or_default();
    let found = match (head.len(), head.get(..2), KeyId::within(&head)) {
        (SIGNATURE_SIZE, Some(b"Ed"), _) => return Err(Refused::Legacy),
        (SIGNATURE_SIZE, Some(b"ED"), Some(found)) => found,
        _ => return Err(Refused::Damaged(2)),
    };
    if !trusted.starts_with("trusted comment: ") {
        return Err(Refused::Damaged(3));
    }
    if last.len() < LAST_LINE {
        return Err(Refused::CutShort);
    }
    let signature = Signature::decode(text).map_err(|_| Refused::Damaged(4))?;
    let mut same = keys.iter().filter(|key| key.id == found).peekable();
    if same.peek().is_none() {
        let expected = keys.iter().map(|key| key.id).collect();
        return Err(Refused::OtherKey { found, expected });
    }
    // No legacy signatures: a signature does not cover its own kind, so the kind could be changed.
    match same.any(|key| key.key.verify(bytes, &signature, false).is_ok()) {
        true => Ok(Signed {
            key: found,
            comment: joined(signature.trusted_comment()),
        }),
        false => Err(Refused::OtherBytes(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and signature of the file "test" in the documentation of minisign-verify.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
";
    const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==
";

    fn checked(bytes: &[u8], signature: &str) -> Result<Signed, String> {
        let keys = [VerifyKey::of_line(KEY).expect("a key")];
        verify(&keys, bytes, signature.as_bytes()).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_signature_fits_its_bytes_and_no_others() {
        let signed = checked(b"test", SIGNATURE).expect("it fits");
        assert_eq!(signed.key.to_string(), "E7620F1842B4E81F");
        assert_eq!(
            signed.to_string(),
            "key E7620F1842B4E81F: timestamp:1556193335 file:test"
        );
        for bytes in [&b"Test"[..], b"tes", b"test\n", b""] {
            let refused = checked(bytes, SIGNATURE).expect_err("other bytes");
            assert!(refused.contains("not for these bytes"), "{refused}");
        }
        let changed = SIGNATURE.replace("1556193335", "1556193336");
        let refused = checked(b"test", &changed).expect_err("another comment");
        assert!(refused.contains("not for these bytes"), "{refused}");
    }

    #[test]
    fn legacy_signatures_are_refused() {
        let refused = checked(b"test", LEGACY).expect_err("legacy");
        assert!(refused.contains("a legacy signature"), "{refused}");
        // The signature does not cover the bytes that tell its kind.
        let disguised = LEGACY.replace("RWQf6L", "RUQf6L");
        let refused = checked(b"test", &disguised).expect_err("legacy");
        assert!(refused.contains("not for these bytes"), "{refused}");
    }

    #[test]
    fn every_cut_is_refused_and_no_text_makes_it_panic() {
        // Without its last line break it is whole.
        for length in 0..SIGNATURE.len() - 1 {
            let refused = checked(b"test", &SIGNATURE[..length]);
            let refused = refused.expect_err("cut short");
            let expected = match length {
                0..19 => "not a signature",
                _ => "cut short",
            };
            assert!(refused.contains(expected), "{length}: {refused}");
        }
        assert!(checked(b"test", SIGNATURE.trim_end()).is_ok());
        for index in 0..SIGNATURE.len() {
            let mut changed = SIGNATURE.to_owned().into_bytes();
            changed[index] = changed[index].wrapping_add(1);
            let keys = [VerifyKey::of_line(KEY).expect("a key")];
            let is_in_comment = (19..53).contains(&index);
            let is_accepted = verify(&keys, b"test", &changed).is_ok();
            assert!(
                !is_accepted || is_in_comment || index == SIGNATURE.len() - 1,
                "{index}"
            );
        }
        let huge = format!("{SIGNATURE}{}", "a".repeat(MAX_SIZE as usize));
        let refused = checked(b"test", &huge).expect_err("too large");
        assert!(refused.contains("not a signature"), "{refused}");
    }

    #[test]
    fn the_signature_is_beside_the_plugin() {
        let beside = path(Path::new("/etc/plugins/a.wasm"));
        assert_eq!(beside, Path::new("/etc/plugins/a.wasm.minisig"));
    }
}
