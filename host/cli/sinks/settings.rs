//! Reads the values of a sink's keys.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use retrans_deliver::Retry;
use retrans_deliver::http::Auth;
use retrans_deliver::http::ClientCertificate;
use retrans_deliver::http::Options;

use super::SinkError;
use super::SinkOptions;
use crate::system::sandbox;

/// Maximum size of a template in bytes.
const MAX_TEMPLATE: u64 = 64 << 10;

impl SinkOptions {
    /// The error of a value that is none, or that is missing.
    pub(super) fn expected(&self, key: &'static str, expected: &'static str) -> SinkError {
        SinkError::Value {
            sink: self.name.clone(),
            key,
            expected,
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.value(key).map(str::to_owned)
    }

    /// A file.
    pub(super) fn file(&self, key: &'static str) -> Option<PathBuf> {
        self.value(key).map(PathBuf::from)
    }

    /// All files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let named = self.settings.iter();
        let named = named.filter(|(key, _)| key.ends_with("-file"));
        named.map(|(_, file)| PathBuf::from(file))
    }

    /// The contents of a file.
    pub(super) fn contents(&self, key: &'static str) -> Result<Option<String>, SinkError> {
        let Some(file) = self.file(key) else {
            return Ok(None);
        };
        let read = || {
            let mut text = String::new();
            let opened = File::open(&file)?;
            opened.take(MAX_TEMPLATE + 1).read_to_string(&mut text)?;
            match text.len() as u64 > MAX_TEMPLATE {
                true => Err(io::Error::other(format!(
                    "it has more than {MAX_TEMPLATE} bytes"
                ))),
                false => Ok(text),
            }
        };
        read().map(Some).map_err(|error| SinkError::File {
            sink: self.name.clone(),
            key,
            cause: sandbox::explained(&file, error).to_string(),
            file: file.clone(),
        })
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Result<bool, SinkError> {
        match self.value(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(self.expected(key, "true or false")),
        }
    }

    /// Sets a time, if there is a value.
    pub(super) fn set_time(&self, key: &'static str, time: &mut Duration) -> Result<(), SinkError> {
        let Some(text) = self.value(key) else {
            return Ok(());
        };
        let parsed: Option<SignedDuration> = text.parse().ok();
        let parsed = parsed.and_then(|time| Duration::try_from(time).ok());
        *time = parsed.ok_or_else(|| self.expected(key, "a time such as 30s, 5m or 1h30m"))?;
        Ok(())
    }

    /// Sets when a receiver that failed is tried again.
    pub(super) fn set_retry(&self, retry: &mut Retry) -> Result<(), SinkError> {
        self.set_time("retry", &mut retry.first)?;
        self.set_time("retry-max", &mut retry.max)
    }

    /// Sets how requests are made.
    pub(super) fn set_http(&self, http: &mut Options) -> Result<(), SinkError> {
        self.set_time("timeout", &mut http.timeout)?;
        self.set_time("connect-timeout", &mut http.connect_timeout)?;
        let (token, user, password) = (
            self.file("token-file"),
            self.text("user"),
            self.file("password-file"),
        );
        match (token, user, password) {
            (None, None, None) => {}
            (Some(token_file), None, None) => http.auth = Some(Auth::Bearer { token_file }),
            (None, Some(user), Some(password_file)) => {
                http.auth = Some(Auth::Basic {
                    user,
                    password_file,
                });
            }
            (Some(_), ..) => {
                let keys = "token-file or user with password-file";
                return Err(SinkError::Both(self.name.clone(), keys));
            }
            (None, Some(_), None) => {
                return Err(self.expected("user", "a password-file beside it"));
            }
            (None, None, Some(_)) => {
                return Err(self.expected("password-file", "a user beside it"));
            }
        }
        if let Some(file) = self.file("ca-file") {
            http.ca_file = Some(file);
        }
        match (self.file("cert-file"), self.file("key-file")) {
            (None, None) => {}
            (Some(certificate_file), Some(key_file)) => {
                http.client_certificate = Some(ClientCertificate {
                    certificate_file,
                    key_file,
                });
            }
            (Some(_), None) => return Err(self.expected("cert-file", "a key-file beside it")),
            (None, Some(_)) => return Err(self.expected("key-file", "a cert-file beside it")),
        }
        Ok(())
    }
}
