//! Why a plugin cannot be got, or put, in one line.

use hyper::StatusCode;

use super::artifact::NotAPlugin;
use super::digest::Digest;
use crate::http::TlsError;

/// Why a plugin cannot be got from a registry, or put there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The system does not let a client work.
    #[error("cannot start requests: {0}")]
    Setup(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file with credentials cannot be used.
    #[error("cannot read the logins in {0}: {1}")]
    Logins(String, String),
    /// There is no connection, or it ended.
    #[error("cannot reach {0}: {1}")]
    Away(String, String),
    /// It took too long.
    #[error("{0} did not answer within {1} s; try again later")]
    Slow(String, u64),
    /// It has no such thing.
    #[error(
        "the registry has no {0}: check the address, and that it is public or that you are logged in"
    )]
    NotFound(String),
    /// It wants another user, or does not allow that to this one.
    #[error(
        "{registry} refuses access to {what} ({status}): `docker login {registry}` stores a user who has it"
    )]
    Refused {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// Its answer.
        status: StatusCode,
    },
    /// A login would be sent where it must not be.
    #[error("the registry wants a login at {0}, which is not https: nothing was sent")]
    LoginInClear(String),
    /// A redirect leads to where none may lead.
    #[error("{0} leads to {1}, which is not followed")]
    Redirect(String, String),
    /// It answers something else.
    #[error("{0} answers {1}: {2}")]
    Answer(String, StatusCode, String),
    /// It answers something that the specification does not have.
    #[error("{0} answers something that no registry does: {1}")]
    NoRegistry(String, &'static str),
    /// What came is not what was asked for.
    #[error(
        "the registry sent something else than {what}: {found}, expected {expected}; nothing was kept"
    )]
    OtherBytes {
        /// What was asked for.
        what: String,
        /// The digest of what came.
        found: Digest,
        /// The one that was asked for.
        expected: Digest,
    },
    /// What is there is no plugin.
    #[error("{0} is not a plugin: {1}")]
    NotAPlugin(String, NotAPlugin),
    /// Something is too large.
    #[error("{what} has {size} bytes, more than the {max} that are allowed")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        size: u64,
        /// Its maximum.
        max: u64,
    },
    /// More came than was announced, or than is allowed.
    #[error("{0} sent more than {1} bytes for {2}; nothing was kept")]
    TooMuch(String, u64, String),
}
