//! The user and the password of a registry, as `docker login`, `podman login` and `oras login` store them.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use serde::Deserialize;

use super::error::RegistryError;

/// Where Docker's registry has its entry.
const DOCKER: (&str, &str) = ("docker.io", "index.docker.io");

/// What is read of the file.
#[derive(Debug, Deserialize)]
struct Logins {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

/// The entry of a registry.
#[derive(Debug, Deserialize)]
struct Login {
    /// `USER:PASSWORD` in Base64. Absent if another program has it.
    auth: Option<String>,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    /// In Base64.
    pair: String,
}

/// Never the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Finds those for a registry, in the file `$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json` or
    /// `~/.docker/config.json`. `None`: there are none. Programs that keep passwords (`credsStore`) are not asked.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be used.
    pub(super) fn find(registry: &str) -> Result<Option<Credentials>, RegistryError> {
        let Some(file) = file() else {
            return Ok(None);
        };
        read(&file, registry)
            .map_err(|cause| RegistryError::Logins(file.display().to_string(), cause))
    }

    /// The header that sends them.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Basic {}", self.pair)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn file() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return Some(file.into());
    }
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let directory = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    Some(directory?.join("config.json"))
}

fn read(file: &Path, registry: &str) -> Result<Option<Credentials>, String> {
    match fs::read_to_string(file) {
        Ok(text) => within(&text, registry),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn within(text: &str, registry: &str) -> Result<Option<Credentials>, String> {
    // The message of the library may quote what is in the file.
    let logins: Logins = serde_json::from_str(text)
        .map_err(|error| format!("line {} is not what `docker login` writes", error.line()))?;
    let registry = match registry == DOCKER.0 {
        true => DOCKER.1,
        false => registry,
    };
    // A key may be a URL, as in https://index.docker.io/v1/.
    let is_of_registry = |key: &str| {
        let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
        rest.split('/').next() == Some(registry)
    };
    let mut logins = logins.auths.into_iter();
    let pair = logins.find_map(|(key, login)| login.auth.filter(|_| is_of_registry(&key)));
    let Some(pair) = pair else {
        return Ok(None);
    };
    let decoded = BASE64_STANDARD.decode(&pair).ok();
    match decoded.is_some_and(|pair| pair.contains(&b':')) {
        true => Ok(Some(Credentials { pair })),
        false => Err(format!(
            "the entry of {registry} is not what `docker login` writes"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf 'operator:se:cret' | base64
    const PAIR: &str = "b3BlcmF0b3I6c2U6Y3JldA==";

    #[test]
    fn a_login_of_docker_is_found_by_its_registry() {
        let text = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "PAIR"},
            "ghcr.io": {},
            "localhost:5000": {"auth": "PAIR", "email": "a@example.org"}
        }, "credsStore": "pass"}"#;
        let text = text.replace("PAIR", PAIR);
        let pair = PAIR.to_owned();
        let found = Some(Credentials { pair });
        assert_eq!(within(&text, "localhost:5000"), Ok(found.clone()));
        assert_eq!(within(&text, "docker.io"), Ok(found.clone()));
        for other in ["ghcr.io", "localhost", "localhost:50001", "example.org"] {
            assert_eq!(within(&text, other), Ok(None), "{other}");
        }
        assert_eq!(within("{}", "ghcr.io"), Ok(None));
        let header = found.and_then(|found| found.header()).expect("a header");
        assert_eq!(header, &format!("Basic {PAIR}"));
        assert!(header.is_sensitive());
    }

    #[test]
    fn a_file_that_is_no_such_file_is_an_error_without_its_contents() {
        for text in [
            "",
            "5",
            r#"{"auths": {"a": {"auth": 5}}}"#,
            r#"{"auths": {"a": {"auth": "secret"}}}"#,
        ] {
            let error = within(text, "a").expect_err(text);
            assert!(
                error.ends_with("is not what `docker login` writes"),
                "{error}"
            );
        }
    }
}
