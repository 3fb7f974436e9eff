//! URLs of receivers.

use hyper::Uri;

/// A URL of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url(Uri);

/// A text is no URL of a receiver. The text itself is not part of the message: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL.
    #[error("it is no URL ({0}): expected one such as https://host:port/path")]
    Malformed(String),
    /// It has no scheme.
    #[error("the URL has no scheme: expected http:// or https:// before the host")]
    NoScheme,
    /// It has another scheme.
    #[error("the URL has the scheme {0}: expected http or https")]
    Scheme(String),
    /// It has no host.
    #[error("the URL has no host: expected one such as https://host:port/path")]
    NoHost,
    /// Its port is invalid.
    #[error("the port of the URL is invalid: expected 1 to 65535")]
    Port,
    /// It has a user or a password.
    #[error(
        "the URL has a user or a password in it: remove it, and set them as an option, with the password in a file"
    )]
    UserInfo,
    /// It has a fragment, which no request has.
    #[error("the URL has a fragment: remove `#` and what follows it")]
    Fragment,
}

impl Url {
    /// Reads a URL of HTTP or HTTPS.
    pub(crate) fn parse(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        if text.find("://").is_none_or(|end| end == 0) {
            return Err(UrlError::NoScheme);
        }
        let uri: Uri = text.parse().map_err(|error| malformed(&error))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(other) => return Err(UrlError::Scheme(other.to_owned())),
            None => return Err(UrlError::NoScheme),
        }
        let authority = uri.authority().ok_or(UrlError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        if authority.host().is_empty() {
            return Err(UrlError::NoHost);
        }
        let after_host = &authority.as_str()[authority.host().len()..];
        if !after_host.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(UrlError::Port);
        }
        Ok(Url(uri))
    }

    /// The URL with a path below its own. A query is left out.
    pub(crate) fn join(&self, path: &str) -> Result<Url, UrlError> {
        let base = self.0.path().trim_end_matches('/');
        let joined = Uri::builder()
            .scheme(self.0.scheme_str().unwrap_or_default())
            .authority(self.authority())
            .path_and_query(format!("{base}{path}"))
            .build();
        joined.map(Url).map_err(|error| malformed(&error))
    }

    /// For requests.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.0
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// The path, without the `/` of an empty one.
    pub(crate) fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// Returns whether the connection is encrypted.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

fn malformed(error: &dyn std::error::Error) -> UrlError {
    UrlError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_http_and_https_are_read() {
        for text in [
            "http://localhost",
            "http://localhost:9093/",
            "https://[::1]:9093/alertmanager",
            "HTTPS://hooks.example.com/services/T0/B0/x?y=z",
            " http://127.0.0.1:1 \n",
        ] {
            assert!(Url::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_url_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", UrlError::NoScheme),
            ("localhost:9093", UrlError::NoScheme),
            ("/api/v2", UrlError::NoScheme),
            ("://x", UrlError::NoScheme),
            ("ftp://localhost", UrlError::Scheme("ftp".to_owned())),
            ("http://user:word@localhost", UrlError::UserInfo),
            ("http://user@localhost", UrlError::UserInfo),
            ("http://localhost:0", UrlError::Port),
            ("http://localhost:99999", UrlError::Port),
            ("http://localhost:", UrlError::Port),
            ("http://localhost/#top", UrlError::Fragment),
        ] {
            assert_eq!(Url::parse(text), Err(expected), "{text}");
        }
        for text in [
            "http://",
            "http:///path",
            "http://a b/",
            "http://localhost/a b",
            "http://[::1",
        ] {
            let error = Url::parse(text).expect_err(text);
            assert!(
                matches!(error, UrlError::Malformed(_) | UrlError::NoHost),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn a_path_is_put_below_that_of_the_url() {
        for (base, expected) in [
            ("http://a:1", "http://a:1/api/v2/alerts"),
            ("http://a:1/", "http://a:1/api/v2/alerts"),
            ("https://a/am/", "https://a/am/api/v2/alerts"),
        ] {
            let url = Url::parse(base)
                .expect("a URL")
                .join("/api/v2/alerts")
                .expect("a URL");
            assert_eq!(url.uri().to_string(), expected);
        }
    }
}
