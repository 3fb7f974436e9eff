//! Which servers are trusted, and the certificate of this client.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject as _;

use super::Options;

/// The certificate of this client, for servers that ask for one. The files are read at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// File with the certificate, and those between it and the authority, in PEM.
    pub certificate_file: PathBuf,
    /// File with its private key, in PEM.
    pub key_file: PathBuf,
}

/// Files for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} in {}: {cause}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// The system has no certificates of authorities.
    #[error(
        "this system has no certificates of authorities ({0}): install the package ca-certificates, or set a file with \
         the authority of the receiver"
    )]
    NoAuthorities(String),
    /// Certificate and key of this client do not fit each other.
    #[error("the certificate in {} cannot be used: {cause}", path.display())]
    ClientCertificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: rustls::Error,
    },
    /// The library refused its own defaults.
    #[error("cannot set up TLS: {0}")]
    Setup(rustls::Error),
}

/// Reads the files. Without `is_used`, for a receiver without TLS, no file is read and no server is trusted.
pub(crate) fn config(options: &Options, is_used: bool) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    if !is_used {
        let builder = builder.with_root_certificates(RootCertStore::empty());
        return Ok(builder.with_no_client_auth());
    }
    let authorities = match &options.ca_file {
        Some(path) => authorities_of(path)?,
        None => authorities_of_system()?,
    };
    let builder = builder.with_root_certificates(authorities);
    let Some(client) = &options.client_certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let path = &client.certificate_file;
    let chain = certificates(path)?;
    let key = PrivateKeyDer::from_pem_file(&client.key_file)
        .map_err(|error| unreadable("a private key", &client.key_file, error))?;
    let config = builder.with_client_auth_cert(chain, key);
    config.map_err(|cause| TlsError::ClientCertificate {
        path: path.clone(),
        cause,
    })
}

fn authorities_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| TlsError::File {
            what: "the certificates of authorities",
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
    }
    Ok(store)
}

fn authorities_of_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // A system may have old ones that rustls does not take.
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let errors = if errors.is_empty() {
            "none found".to_owned()
        } else {
            errors.join("; ")
        };
        return Err(TlsError::NoAuthorities(errors));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error| unreadable("certificates", path, error);
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(unreadable(pem::Error::NoItemsFound)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(what: &'static str, path: &Path, error: pem::Error) -> TlsError {
    let cause = match error {
        pem::Error::NoItemsFound => "there is none in PEM in it".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    TlsError::File {
        what,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(ca_file: &Path) -> String {
        let options = Options {
            ca_file: Some(ca_file.to_owned()),
            ..Options::default()
        };
        config(&options, true).expect_err("an error").to_string()
    }

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "no certificate").expect("a file");
        let path = file.path().display().to_string();
        let expected = format!("cannot read certificates in {path}: there is none in PEM in it");
        assert_eq!(error(file.path()), expected);
        let error = error(Path::new("/nowhere/ca.pem"));
        assert!(error.contains("/nowhere/ca.pem: No such file"), "{error}");
    }

    #[test]
    fn without_tls_no_file_is_read() {
        let options = Options {
            ca_file: Some(PathBuf::from("/nowhere/ca.pem")),
            ..Options::default()
        };
        assert!(config(&options, false).is_ok());
    }
}
