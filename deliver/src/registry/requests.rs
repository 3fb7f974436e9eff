//! Requests to a registry: redirects are followed, logins are made, and every time and size is limited.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::Uri;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

use super::address::Address;
use super::challenge;
use super::challenge::Challenge;
use super::credentials::Credentials;
use super::error::RegistryError;
use crate::http::Options;
use crate::http::client::cause;
use crate::http::tls;
use crate::text::quoted;

/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the start of an answer, and between two parts of it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Redirects that are followed, one after the other: registries have one, to where they keep layers.
const MAX_REDIRECTS: usize = 5;

/// Maximum size in bytes of an answer that is no part of a plugin: a token, or an error.
const MAX_ANSWER: u64 = 64 << 10;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// The path below that of the registry, or a whole URL.
    pub(super) target: String,
    /// What is asked for, in words.
    pub(super) what: String,
    /// The media type of the answer, if that matters.
    pub(super) accept: Option<&'static str>,
    /// The body and its media type.
    pub(super) body: Option<(&'static str, Bytes)>,
    /// Maximum size of the answer in bytes.
    pub(super) max_size: u64,
}

/// An answer that tells of success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The header `Location`.
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Makes requests to one registry.
pub(super) struct Requests {
    inner: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Scheme and authority of the registry.
    base: Uri,
    credentials: Option<Credentials>,
    /// What a token must allow, if the registry does not say it.
    scope: String,
    /// The header that was accepted last.
    authorization: Option<HeaderValue>,
}

/// The errors of registries, as the specification has them.
#[derive(Debug, Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Debug, Deserialize)]
struct OneError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Requests {
    /// Reads logins and certificates. `actions` is what a token must allow, such as `pull`.
    pub(super) fn new(
        address: &Address,
        plain_http: bool,
        actions: &str,
    ) -> Result<Requests, RegistryError> {
        let registry = address.registry();
        let scheme = if plain_http { "http" } else { "https" };
        let base: Uri = format!("{scheme}://{registry}/")
            .parse()
            .map_err(|error| RegistryError::Setup(format!("{registry}: {error}")))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(&Options::default(), !plain_http)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        // A password is not sent in clear, but to this machine.
        let credentials = match plain_http && !address.is_loopback() {
            true => None,
            false => Credentials::find(registry)?,
        };
        Ok(Requests {
            inner: Client::builder(TokioExecutor::new()).build(connector),
            base,
            credentials,
            scope: format!("repository:{}:{actions}", address.name()),
            authorization: None,
        })
    }

    /// Makes a request, with a login if the registry wants one. `progress` is told how many bytes of the answer
    /// have come.
    pub(super) async fn send(
        &mut self,
        ask: &Ask,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Answer, RegistryError> {
        let mut answer = self.follow(ask).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.log_in(&answer).await? {
            answer = self.follow(ask).await?;
        }
        let status = answer.status();
        let location = text_of(&answer, header::LOCATION);
        let registry = self.name();
        if status.is_success() {
            let body = body(answer, &registry, &ask.what, ask.max_size, progress).await?;
            return Ok(Answer {
                status,
                location,
                body,
            });
        }
        let what = ask.what.clone();
        match status {
            StatusCode::NOT_FOUND => Err(RegistryError::NotFound(what)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RegistryError::Refused {
                registry,
                what,
                status,
            }),
            status => {
                let body = body(answer, &registry, &what, MAX_ANSWER, &mut |_| {}).await;
                let reason = reason(&body.unwrap_or_default());
                Err(RegistryError::Answer(registry, status, reason))
            }
        }
    }

    /// Makes a request, and follows redirects of its answer. Only the registry itself gets the login, and nothing that
    /// was asked for with TLS is asked for without.
    async fn follow(&self, ask: &Ask) -> Result<Response<Incoming>, RegistryError> {
        let mut uri = self.resolve(&self.base, &ask.target)?;
        for _ in 0..=MAX_REDIRECTS {
            let authorization = self.authorization.as_ref();
            let authorization = authorization.filter(|_| self.is_registry(&uri));
            let answer = self.once(ask, &uri, authorization).await?;
            let location = text_of(&answer, header::LOCATION);
            let location = location.filter(|_| {
                answer.status().is_redirection() && matches!(ask.method, Method::GET | Method::HEAD)
            });
            let Some(location) = location else {
                return Ok(answer);
            };
            uri = self.resolve(&uri, &location)?;
        }
        let to = format!("more than {MAX_REDIRECTS} other places");
        Err(RegistryError::Redirect(self.name(), to))
    }

    /// Makes one request.
    async fn once(
        &self,
        ask: &Ask,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, RegistryError> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        let agent = concat!("retrans-host/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        if let Some(accept) = ask.accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        match &ask.body {
            Some((media_type, bytes)) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
                *request.body_mut() = Full::new(bytes.clone());
            }
            // Some registries want to be told that there is none.
            None if ask.method == Method::POST => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            None => {}
        }
        let place = quoted(uri.authority().map_or("", |authority| authority.as_str()));
        // The body of the request takes its time as well; the caller limits it.
        let limit = match ask.body {
            Some(_) => Duration::MAX,
            None => CONNECT_TIMEOUT + READ_TIMEOUT,
        };
        match timeout(limit, self.inner.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RegistryError::Away(place, advised(cause(&error)))),
            Err(_) => Err(RegistryError::Slow(place, limit.as_secs())),
        }
    }

    /// Gets what a registry asks for. Returns whether there is something new to send.
    async fn log_in(&mut self, answer: &Response<Incoming>) -> Result<bool, RegistryError> {
        let challenge = text_of(answer, header::WWW_AUTHENTICATE);
        let basic = self.credentials.as_ref().and_then(Credentials::header);
        let new = match challenge.as_deref().and_then(Challenge::parse) {
            None => None,
            Some(Challenge::Basic) => basic,
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => {
                let scope = scope.as_deref().unwrap_or(&self.scope);
                Some(
                    self.token(&realm, service.as_deref(), scope, basic.as_ref())
                        .await?,
                )
            }
        };
        let is_new = new.is_some() && new != self.authorization;
        self.authorization = new;
        Ok(is_new)
    }

    /// Gets a token, as the header that sends it.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        basic: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let unfit = |why| RegistryError::NoRegistry(self.name(), why);
        let uri = challenge::token_uri(realm, service, scope)
            .ok_or_else(|| unfit("a login at a place that is no URL"))?;
        let is_plain = self.base.scheme() == uri.scheme();
        if uri.scheme_str() != Some("https") && !is_plain {
            return Err(RegistryError::LoginInClear(quoted(realm)));
        }
        let ask = Ask {
            method: Method::GET,
            target: String::new(),
            what: "a token".to_owned(),
            accept: None,
            body: None,
            max_size: MAX_ANSWER,
        };
        // A registry without TLS could lead a password to any place.
        let is_safe = uri.scheme_str() == Some("https") || uri.host() == self.base.host();
        let answer = self.once(&ask, &uri, basic.filter(|_| is_safe)).await?;
        let place = quoted(uri.authority().map_or("", |authority| authority.as_str()));
        let status = answer.status();
        if !status.is_success() {
            return Err(RegistryError::Refused {
                registry: self.name(),
                what: "a token".to_owned(),
                status,
            });
        }
        let body = body(answer, &place, &ask.what, MAX_ANSWER, &mut |_| {}).await?;
        let token = challenge::token(&body).ok_or_else(|| unfit("a login without a token"))?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| unfit("a token with characters that no header has"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The URL that a path or a URL stands for, seen from another one.
    fn resolve(&self, from: &Uri, target: &str) -> Result<Uri, RegistryError> {
        let refused = || RegistryError::Redirect(self.name(), quoted(target));
        let authority = from.authority().map_or("", |authority| authority.as_str());
        let scheme = from.scheme_str().unwrap_or_default();
        let whole = match target.starts_with('/') && !target.starts_with("//") {
            true => format!("{scheme}://{authority}{target}"),
            false => target.to_owned(),
        };
        let uri: Uri = whole.parse().map_err(|_| refused())?;
        let is_allowed = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => scheme == "http",
            _ => false,
        };
        let has_user = uri
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'));
        match is_allowed && !has_user {
            true => Ok(uri),
            false => Err(refused()),
        }
    }

    fn is_registry(&self, uri: &Uri) -> bool {
        (uri.scheme(), uri.authority()) == (self.base.scheme(), self.base.authority())
    }

    /// The registry, for messages.
    fn name(&self) -> String {
        quoted(
            self.base
                .authority()
                .map_or("", |authority| authority.as_str()),
        )
    }
}

fn text_of(answer: &Response<Incoming>, name: header::HeaderName) -> Option<String> {
    let value = answer.headers().get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// Reads a body, of a limited size.
async fn body(
    mut answer: Response<Incoming>,
    place: &str,
    what: &str,
    max_size: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    loop {
        let frame = timeout(READ_TIMEOUT, answer.frame()).await;
        let slow = |_| RegistryError::Slow(place.to_owned(), READ_TIMEOUT.as_secs());
        let Some(frame) = frame.map_err(slow)? else {
            return Ok(bytes);
        };
        let broken = |error: hyper::Error| {
            let why = format!(
                "{}, after {} bytes of {what}",
                quoted(&error.to_string()),
                bytes.len()
            );
            RegistryError::Away(place.to_owned(), why)
        };
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            let length = (bytes.len() + data.len()) as u64;
            if length > max_size {
                let (place, what) = (place.to_owned(), what.to_owned());
                return Err(RegistryError::TooMuch(place, max_size, what));
            }
            bytes.extend_from_slice(&data);
            progress(length);
        }
    }
}

/// What a registry says about its refusal.
fn reason(body: &[u8]) -> String {
    let errors: Option<Errors> = serde_json::from_slice(body).ok();
    let first = errors.and_then(|errors| errors.errors.into_iter().next());
    match first {
        Some(OneError { code, message }) => quoted(&format!("{code} {message}")),
        None => quoted(&String::from_utf8_lossy(body)),
    }
}

/// The cause of a failed connection, and what to do.
fn advised(cause: String) -> String {
    // There is no option for a file with authorities.
    let cause = cause.replace("set a file with it", "SSL_CERT_FILE names a file with it");
    match cause.contains("InvalidContentType") || cause.contains("corrupt message") {
        true => format!("{cause}; it may speak HTTP without TLS, for which there is --plain-http"),
        false => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_and_why_it_is_away_are_one_line_with_what_to_do() {
        let errors = br#"{"errors":[{"code":"DENIED","message":"no\n such"},{"code":"B"}]}"#;
        assert_eq!(reason(errors), "DENIED no  such");
        assert_eq!(reason(b"<html>\n"), "<html>");
        let untrusted = "UnknownIssuer; its authority is not trusted here: set a file with it";
        let advice =
            "UnknownIssuer; its authority is not trusted here: SSL_CERT_FILE names a file with it";
        assert_eq!(advised(untrusted.to_owned()), advice);
        let plain = advised("received corrupt message of type InvalidContentType".to_owned());
        assert!(
            plain.ends_with("for which there is --plain-http"),
            "{plain}"
        );
        assert_eq!(
            advised("Connection refused".to_owned()),
            "Connection refused"
        );
    }
}
