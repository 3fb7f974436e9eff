//! Requests over HTTP/1.1: no redirect is followed, no proxy is taken from the environment, and every time and size is
//! limited.

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod secret;
pub(crate) mod tls;
pub(crate) mod url;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

pub use auth::Auth;
pub use auth::AuthError;
pub use client::ClientError;
pub use secret::SecretError;
pub use tls::ClientCertificate;
pub use tls::TlsError;
pub use url::UrlError;

/// Checks that a text is a URL of HTTP or HTTPS.
///
/// # Errors
///
/// If it is none. The error does not contain the text.
pub fn check_url(text: &str) -> Result<(), UrlError> {
    url::Url::parse(text).map(drop)
}

/// How requests to a receiver are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Longest time for a request, with its answer.
    pub timeout: Duration,
    /// Longest time for a connection, without TLS.
    pub connect_timeout: Duration,
    /// What the requests are authorised with.
    pub auth: Option<Auth>,
    /// File with the certificates of authorities, in PEM. By default those of the system are trusted: of the files of
    /// the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR`, as with OpenSSL, or of the usual places.
    pub ca_file: Option<PathBuf>,
    /// The certificate of this client.
    pub client_certificate: Option<ClientCertificate>,
}

impl Default for Options {
    /// 10 s, 5 s to connect, no authorisation, the authorities of the system.
    fn default() -> Options {
        Options {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            auth: None,
            ca_file: None,
            client_certificate: None,
        }
    }
}

impl Options {
    /// The files that are read when a receiver is prepared, and not again.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let mut files = Vec::new();
        files.extend(self.ca_file.as_deref());
        if let Some(client) = &self.client_certificate {
            files.extend([client.certificate_file.as_path(), &client.key_file]);
        }
        files
    }
}
