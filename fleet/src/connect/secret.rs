//! Secrets in files, read once before the process confines itself.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

/// Maximum size of a file with a secret, in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// A file with a secret or with certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {what} in {}: {cause}", path.display())]
pub struct SecretError {
    what: &'static str,
    path: PathBuf,
    cause: SecretCause,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SecretCause {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is empty")]
    Empty,
    #[error("it is larger than {MAX_SIZE} bytes")]
    TooLarge,
    #[error("it is no text in UTF-8")]
    NotText,
    #[error("it has no JWT and seed: expected the file that `nsc generate creds` writes")]
    NoCredentials,
    #[error("it has no seed of a user: expected one line that begins with SU")]
    NoSeed,
    #[error("it has no certificate in PEM")]
    NoCertificate,
    #[error("it has no private key in PEM")]
    NoKey,
}

impl SecretError {
    pub(super) fn new(what: &'static str, path: &Path, cause: SecretCause) -> SecretError {
        SecretError {
            what,
            path: path.to_owned(),
            cause,
        }
    }
}

/// The text of a file, without white space at its ends. `what` is for the error.
pub(super) fn read(what: &'static str, path: &Path) -> Result<String, SecretError> {
    read_text(path, MAX_SIZE).map_err(|cause| SecretError::new(what, path, cause))
}

/// Checks that a file has an item in PEM.
pub(super) fn check_pem(
    what: &'static str,
    path: &Path,
    label: &str,
    cause: SecretCause,
) -> Result<(), SecretError> {
    // Files of certificate authorities may have hundreds of certificates.
    let text = read_text(path, 16 << 20);
    let text = text.map_err(|cause| SecretError::new(what, path, cause))?;
    let has = text
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.contains(label));
    has.then_some(())
        .ok_or_else(|| SecretError::new(what, path, cause))
}

fn read_text(path: &Path, max: u64) -> Result<String, SecretCause> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(SecretCause::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretCause::NotText)?;
    match text.trim() {
        "" => Err(SecretCause::Empty),
        text => Ok(text.to_owned()),
    }
}
