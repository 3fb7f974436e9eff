//! SHA-256, as registries write it.

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;

/// What registries write before the digits.
const PREFIX: &str = "sha256:";

/// The SHA-256 of something in a registry. Displayed as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let digits = Sha256::digest(bytes);
        Digest(digits.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads `sha256:` and 64 hexadecimal digits. `None`: the text is something else, such as another kind of digest.
    pub fn parse(text: &str) -> Option<Digest> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digest = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_digest.then(|| Digest(digits.to_ascii_lowercase()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        // printf abc | sha256sum
        let printed = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), printed);
        assert_eq!(Digest::parse(printed), Some(digest));
        for wrong in [
            "",
            "sha256:",
            &printed[..70],
            &printed.replace("sha256", "sha512"),
            &printed.replace('a', "g"),
            &format!("{printed}0"),
            &printed[7..],
        ] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
