//! Heads of frames: what an agent says once about many frames, kept in the broker under its digest.

use std::fmt;
use std::str::FromStr;

use sha2::Digest;
use sha2::Sha256;

/// Number of bytes of a digest.
const DIGEST_BYTES: usize = 16;

/// The digest of a head: the first 16 bytes of its SHA-256. As a text: 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeadDigest([u8; DIGEST_BYTES]);

impl HeadDigest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> HeadDigest {
        let full = Sha256::digest(bytes);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&full[..DIGEST_BYTES]);
        HeadDigest(digest)
    }
}

impl fmt::Display for HeadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HeadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadDigest({self})")
    }
}

/// A text that is no digest of a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest of a head: expected 32 lowercase hexadecimal digits")]
pub struct BadHeadDigest(String);

impl FromStr for HeadDigest {
    type Err = BadHeadDigest;

    fn from_str(text: &str) -> Result<HeadDigest, BadHeadDigest> {
        let bad = || BadHeadDigest(text.chars().take(64).collect());
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if text.len() != 2 * DIGEST_BYTES || !text.as_bytes().iter().all(is_digit) {
            return Err(bad());
        }
        let mut digest = [0; DIGEST_BYTES];
        for (byte, at) in digest.iter_mut().zip((0..text.len()).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| bad())?;
        }
        Ok(HeadDigest(digest))
    }
}

/// A head whose content has been checked against its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    digest: HeadDigest,
    bytes: Vec<u8>,
}

impl Head {
    /// The head of these bytes.
    pub fn new(bytes: Vec<u8>) -> Head {
        Head {
            digest: HeadDigest::of(&bytes),
            bytes,
        }
    }

    /// Its digest.
    pub fn digest(&self) -> HeadDigest {
        self.digest
    }

    /// Its content, as the agent wrote it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest = HeadDigest::of(b"head");
        assert_eq!(digest.to_string().len(), 32);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        // The first half of `printf '' | sha256sum`.
        assert_eq!(
            HeadDigest::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb924"
        );
    }

    #[test]
    fn other_texts_are_no_digests() {
        for bad in [
            "",
            "e3b0c44298fc1c149afbf4c8996fb92",
            "e3b0c44298fc1c149afbf4c8996fb9244",
            "E3B0C44298FC1C149AFBF4C8996FB924",
            "+3b0c44298fc1c149afbf4c8996fb924",
            "ääääääääääääääää",
        ] {
            assert!(bad.parse::<HeadDigest>().is_err(), "{bad}");
        }
    }
}
