//! Certificates, made by openssl.

use std::path::PathBuf;
use std::process::Command;

/// An authority, and a certificate of it for a server on 127.0.0.1.
pub struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    /// Makes them.
    pub fn new() -> Certificates {
        let certificates = Certificates {
            directory: tempfile::tempdir().expect("a directory"),
        };
        let curve = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ];
        let authority = [
            "req", "-x509", "-subj", "/CN=Test", "-keyout", "ca.key", "-out", "ca.pem",
        ];
        certificates.openssl(&[&authority[..], &curve[..]].concat());
        let server = [
            "req",
            "-x509",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-subj",
            "/CN=server",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=CA:FALSE",
        ];
        certificates.openssl(&[&server[..], &curve[..]].concat());
        certificates
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The certificate of the server.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    /// The private key of the server.
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("server.key")
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command
            .args(arguments)
            .current_dir(self.directory.path())
            .output();
        let output = output.unwrap_or_else(|error| {
            panic!("cannot start openssl: {error}; scripts/setup.sh installs it (Debian's package openssl)")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {errors}");
    }
}
