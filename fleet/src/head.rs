//! Heads of frames: what a consumer needs to read the frames that name it.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use sha2::Sha256;

/// The digest of a head: the first 16 bytes of its SHA-256. Its text is in lowercase hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeadDigest(pub [u8; 16]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest of a head: expected 32 hexadecimal digits in lowercase")]
pub struct BadDigest(String);

impl HeadDigest {
    /// The digest of this head.
    pub fn of(head: &[u8]) -> HeadDigest {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(head)[..16]);
        HeadDigest(digest)
    }
}

impl fmt::Display for HeadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for HeadDigest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<HeadDigest, BadDigest> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let number = (text.len() == 32 && text.bytes().all(is_digit))
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten();
        let number = number.ok_or_else(|| BadDigest(text.to_owned()))?;
        Ok(HeadDigest(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = HeadDigest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in [
            "",
            "BA7816BF8F01CFEA414140DE5DAE2223",
            "+a7816bf8f01cfea414140de5dae2223",
        ] {
            assert!(bad.parse::<HeadDigest>().is_err(), "{bad}");
        }
    }
}
