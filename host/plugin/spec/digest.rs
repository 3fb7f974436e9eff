//! The SHA-256 of a plugin's file. It identifies the file that runs, and can restrict which file may run.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use sha2::Sha256;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

/// Writes 64 hexadecimal digits, as `sha256sum` does.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the 64 hexadecimal digits that sha256sum prints")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Digest, ParseDigestError> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|char| char.to_digit(16).map(|digit| digit as u8))
            .collect();
        let digits = digits
            .filter(|digits| digits.len() == 64)
            .ok_or(ParseDigestError)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        // printf abc | sha256sum
        let printed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), printed);
        assert_eq!(printed.parse(), Ok(digest));
        assert_eq!(printed.to_uppercase().parse(), Ok(digest));
        for wrong in [
            "",
            "ba78",
            &printed.replace('a', "g"),
            &format!("{printed}00"),
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(ParseDigestError), "{wrong}");
        }
    }
}
