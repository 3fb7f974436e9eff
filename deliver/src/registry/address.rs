//! The address of a plugin in a registry.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::http::uri::Authority;

use super::digest::Digest;

/// What an address begins with.
const SCHEME: &str = "oci://";

/// Maximum length of a name, and of a tag, as the specification has them.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// `oci://REGISTRY/NAME[:TAG|@sha256:…]`: a plugin in a registry. Without a tag, it is `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    registry: Authority,
    name: String,
    version: Version,
}

/// Which version of a plugin it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    /// The one that has this name now.
    Tag(String),
    /// The one with this manifest.
    Digest(Digest),
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has another beginning.
    #[error("expected oci://REGISTRY/NAME[:TAG], as in oci://ghcr.io/example/slow-peers:1.2")]
    Scheme,
    /// It does not begin with a registry.
    #[error(
        "expected a registry before the first /: a name with a dot or a port, or localhost, as in \
         oci://ghcr.io/example/slow-peers:1.2"
    )]
    Registry,
    /// The name has a form that registries do not have.
    #[error(
        "expected a name of parts between /, each of small letters, digits and single . _ - between them, as in \
         example/slow-peers"
    )]
    Name,
    /// The tag has a form that registries do not have.
    #[error(
        "expected a tag after the name: letters, digits, . _ - of at most {MAX_TAG} characters, as in :1.2"
    )]
    Tag,
    /// The digest is not a SHA-256.
    #[error("expected @sha256: and 64 hexadecimal digits after the name")]
    Digest,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let rest = text.strip_prefix(SCHEME).ok_or(AddressError::Scheme)?;
        let (registry, rest) = rest.split_once('/').ok_or(AddressError::Registry)?;
        if registry.contains('@') || registry != "localhost" && !registry.contains(['.', ':']) {
            return Err(AddressError::Registry);
        }
        let registry: Authority = registry.parse().map_err(|_| AddressError::Registry)?;
        let after_host = &registry.as_str()[registry.host().len()..];
        if registry.host().is_empty() || !after_host.is_empty() && registry.port_u16().is_none() {
            return Err(AddressError::Registry);
        }
        let (name, version) = match (rest.split_once('@'), rest.split_once(':')) {
            (Some((name, digest)), _) => {
                let digest = Digest::parse(digest).ok_or(AddressError::Digest)?;
                (name, Version::Digest(digest))
            }
            (None, Some((name, tag))) if is_tag(tag) => (name, Version::Tag(tag.to_owned())),
            (None, Some(_)) => return Err(AddressError::Tag),
            (None, None) => (rest, Version::Tag("latest".to_owned())),
        };
        match name.len() <= MAX_NAME && name.split('/').all(is_part) {
            true => Ok(Address {
                registry,
                name: name.to_owned(),
                version,
            }),
            false => Err(AddressError::Name),
        }
    }
}

/// Whether a text is a part of a name: small letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_part(part: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let mut separators = part.split(is_plain);
    let is_separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    part.starts_with(is_plain) && part.ends_with(is_plain) && separators.all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    (1..=MAX_TAG).contains(&tag.len())
        && tag.chars().all(is_allowed)
        && !tag.starts_with(['.', '-'])
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.name)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl Address {
    /// The registry, with its port.
    pub fn registry(&self) -> &str {
        self.registry.as_str()
    }

    /// The name, without the registry.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Tag or digest, as requests have it.
    pub(super) fn version(&self) -> String {
        match &self.version {
            Version::Tag(tag) => tag.clone(),
            Version::Digest(digest) => digest.to_string(),
        }
    }

    /// The digest of the manifest, if the address has one.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.version {
            Version::Tag(_) => None,
            Version::Digest(digest) => Some(digest),
        }
    }

    /// The address of the manifest with this digest, which never changes.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Address {
        Address {
            version: Version::Digest(digest),
            ..self.clone()
        }
    }

    /// A name for the plugin's file: the last part of its name, and `.wasm`.
    pub fn file_name(&self) -> String {
        let last = self.name.rsplit('/').next().unwrap_or(&self.name);
        format!("{last}.wasm")
    }

    /// Whether the registry is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.registry.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn an_address_has_a_registry_a_name_and_a_tag_or_a_digest() {
        for (text, registry, file, is_loopback) in [
            (
                "oci://ghcr.io/a/slow-peers:1.2",
                "ghcr.io",
                "slow-peers.wasm",
                false,
            ),
            (
                "oci://localhost:5000/peers:latest",
                "localhost:5000",
                "peers.wasm",
                true,
            ),
            (
                "oci://127.0.0.1:5000/a/b__c/d.e:X_1",
                "127.0.0.1:5000",
                "d.e.wasm",
                true,
            ),
            ("oci://[::1]:5000/a--b:1", "[::1]:5000", "a--b.wasm", true),
            ("oci://localhost/peers:1", "localhost", "peers.wasm", true),
            (
                "oci://127.0.0.1.example.org/a:1",
                "127.0.0.1.example.org",
                "a.wasm",
                false,
            ),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
            assert_eq!(address.registry(), registry);
            assert_eq!(address.file_name(), file);
            assert_eq!(address.is_loopback(), is_loopback);
            assert_eq!(address.digest(), None);
        }
        let latest: Address = "oci://ghcr.io/a/b".parse().expect("an address");
        assert_eq!(latest.to_string(), "oci://ghcr.io/a/b:latest");
        let digest = Digest::parse(DIGEST).expect("a digest");
        let pinned = latest.pinned(digest.clone());
        assert_eq!(pinned.to_string(), format!("oci://ghcr.io/a/b@{DIGEST}"));
        assert_eq!(pinned.digest(), Some(&digest));
        assert_eq!(pinned.to_string().parse(), Ok(pinned));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Address>().expect_err(text);
        for text in ["", "ghcr.io/a/b", "https://ghcr.io/a/b", "a.wasm"] {
            assert_eq!(refused(text), AddressError::Scheme, "{text}");
        }
        for text in [
            "oci://",
            "oci://peers",
            "oci://a/peers:1",
            "oci:///a",
            "oci://ghcr.io",
            "oci://ghcr.io:/a",
            "oci://ghcr.io:99999/a",
            "oci://user@ghcr.io/a",
            "oci://ghcr io/a",
        ] {
            assert_eq!(refused(text), AddressError::Registry, "{text}");
        }
        for text in [
            "oci://ghcr.io/",
            "oci://ghcr.io/A/b",
            "oci://ghcr.io/a b",
            "oci://ghcr.io/a/../b",
            "oci://ghcr.io/a//b",
            "oci://ghcr.io/a/",
            "oci://ghcr.io/a..b",
            "oci://ghcr.io/-a",
            "oci://ghcr.io/a?b",
            &format!("oci://ghcr.io/{}", "a".repeat(256)),
        ] {
            assert_eq!(refused(text), AddressError::Name, "{text}");
        }
        for text in [
            "oci://ghcr.io/a:",
            "oci://ghcr.io/a:b:c",
            "oci://ghcr.io/a:.b",
            "oci://ghcr.io/a:b/c",
        ] {
            assert_eq!(refused(text), AddressError::Tag, "{text}");
        }
        for text in [
            "oci://ghcr.io/a@",
            "oci://ghcr.io/a@sha256:12",
            "oci://ghcr.io/a@sha512:12",
        ] {
            assert_eq!(refused(text), AddressError::Digest, "{text}");
        }
    }
}
