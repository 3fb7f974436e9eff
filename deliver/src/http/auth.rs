//! What requests are authorised with.

use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;

use super::secret::Secret;
use super::secret::SecretError;

/// What requests are authorised with. Files are read at the start, and again for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer {
        /// File with the token.
        token_file: PathBuf,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// Name of the user, without a colon.
        user: String,
        /// File with the password.
        password_file: PathBuf,
    },
}

/// The authorisation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A file cannot be used.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The token or the password has several lines, or characters that no header has.
    #[error("the secret in {} cannot be sent: expected one line of ASCII", .0.display())]
    Secrecy(PathBuf),
    /// The name of the user has a colon, which would end it.
    #[error("the user {0:?} has a colon in it, which the Basic scheme cannot send")]
    User(String),
}

/// The authorisation, with its files read.
pub(crate) struct Authorization {
    /// `None`: a bearer token.
    user: Option<String>,
    secret: Secret,
}

impl Authorization {
    /// Reads the files.
    pub(crate) fn open(auth: &Auth) -> Result<Authorization, AuthError> {
        let (user, path) = match auth {
            Auth::Bearer { token_file } => (None, token_file),
            Auth::Basic { user, .. } if user.contains(':') => {
                return Err(AuthError::User(user.clone()));
            }
            Auth::Basic {
                user,
                password_file,
            } => (Some(user.clone()), password_file),
        };
        let mut authorization = Authorization {
            user,
            secret: Secret::open(path)?,
        };
        match authorization.header() {
            Some(_) => Ok(authorization),
            None => Err(AuthError::Secrecy(path.clone())),
        }
    }

    /// The value of the header. `None`: the file has changed to one that cannot be sent.
    pub(crate) fn header(&mut self) -> Option<HeaderValue> {
        let text = self.secret.text();
        let value = match &self.user {
            _ if text.contains(['\n', '\r']) => return None,
            Some(user) => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{text}"))),
            None if !text.is_ascii() => return None,
            None => format!("Bearer {text}"),
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.secret.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        file
    }

    fn bearer(file: &tempfile::NamedTempFile) -> Auth {
        Auth::Bearer {
            token_file: file.path().to_owned(),
        }
    }

    #[test]
    fn a_token_and_a_password_become_headers_that_are_not_shown() {
        let file = file("open sesame\n");
        let mut authorization = Authorization::open(&bearer(&file)).expect("a token");
        let header = authorization.header().expect("a header");
        assert_eq!(header, "Bearer open sesame");
        assert!(!format!("{header:?}").contains("sesame"));
        let auth = Auth::Basic {
            user: "Aladdin".to_owned(),
            password_file: file.path().to_owned(),
        };
        let mut authorization = Authorization::open(&auth).expect("a password");
        // The example of RFC 7617.
        let header = authorization.header().expect("a header");
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_no_header_can_carry_is_refused() {
        for text in ["two\nlines", "höher"] {
            let file = file(text);
            let error = Authorization::open(&bearer(&file)).err().expect("an error");
            assert!(matches!(error, AuthError::Secrecy(_)), "{error}");
        }
        let auth = Auth::Basic {
            user: "a:b".to_owned(),
            password_file: PathBuf::from("/nowhere"),
        };
        let error = Authorization::open(&auth)
            .err()
            .expect("an error")
            .to_string();
        assert!(error.starts_with("the user \"a:b\" has a colon"), "{error}");
    }
}
