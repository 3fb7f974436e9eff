//! Secrets in files: read at the start, and again whenever they are used, so that a token that is renewed is used.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

/// Maximum size of a file with a secret, in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// A secret in a file.
pub(crate) struct Secret {
    path: PathBuf,
    /// As it was last read.
    text: String,
    /// The file cannot be read any more, and the log says so.
    is_stale: bool,
}

/// The file with a secret cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the secret in {}: {cause}", path.display())]
pub struct SecretError {
    path: PathBuf,
    cause: SecretCause,
}

#[derive(Debug, thiserror::Error)]
enum SecretCause {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is empty")]
    Empty,
    #[error("it is larger than {MAX_SIZE} bytes")]
    TooLarge,
    #[error("it is no text in UTF-8")]
    NotText,
    #[error("it has control characters in it")]
    Control,
}

impl Secret {
    /// Reads the secret.
    pub(crate) fn open(path: &Path) -> Result<Secret, SecretError> {
        let text = read(path).map_err(|cause| SecretError {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Secret {
            path: path.to_owned(),
            text,
            is_stale: false,
        })
    }

    /// The secret, without white space at its ends. It may have several lines. If the file can no longer be read, it is
    /// the secret as it was last read.
    pub(crate) fn text(&mut self) -> &str {
        match read(&self.path) {
            Ok(text) => {
                self.text = text;
                self.is_stale = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_stale, true) {
                    tracing::warn!(
                        "cannot read the secret in {} again: {error}; its last text stays in use",
                        self.path.display()
                    );
                }
            }
        }
        &self.text
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn read(path: &Path) -> Result<String, SecretCause> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(SecretCause::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretCause::NotText)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(SecretCause::Empty);
    }
    if text
        .chars()
        .any(|char| char.is_control() && char != '\n' && char != '\r')
    {
        return Err(SecretCause::Control);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_renewed_is_used_and_one_that_is_gone_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        std::fs::write(&path, "first\n").expect("a file");
        let mut secret = Secret::open(&path).expect("a secret");
        assert_eq!(secret.text(), "first");
        std::fs::write(&path, "second\n").expect("a file");
        assert_eq!(secret.text(), "second");
        std::fs::remove_file(&path).expect("a file");
        assert_eq!(secret.text(), "second");
    }

    #[test]
    fn a_file_without_a_secret_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("a file");
            let error = Secret::open(&path).err().expect("an error").to_string();
            assert!(error.contains("/token: "), "{error}");
            error
        };
        assert!(error(b" \n").ends_with("it is empty"));
        assert!(error(b"\xff").ends_with("it is no text in UTF-8"));
        assert!(error(b"a\0b").ends_with("it has control characters in it"));
        assert!(error(&vec![b'x'; 65_537]).ends_with("it is larger than 65536 bytes"));
        std::fs::remove_file(&path).expect("a file");
        let error = Secret::open(&path).err().expect("an error").to_string();
        assert!(error.contains("No such file"), "{error}");
    }
}
