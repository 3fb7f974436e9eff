//! Sends a request, and says what became of it.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as Inner;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

use super::AuthError;
use super::Options;
use super::TlsError;
use super::auth::Authorization;
use super::tls;
use super::url::Url;
use crate::moment::Moment;
use crate::retry::Outcome;
use crate::retry::TimeError;
use crate::text;

/// Maximum size of an answer that is read, in bytes. The connection of a longer one is closed.
const MAX_ANSWER: usize = 16 << 10;

/// Time after which a connection that is not used is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A client for one receiver, with at most one connection that waits for the next request.
pub(crate) struct Client {
    url: Url,
    inner: Inner<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    authorization: Option<Authorization>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Value of `Content-Type`.
    pub(crate) content_type: HeaderValue,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The time for which the receiver asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// The start of the body; all of it, if it is not longer than 16 KiB.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What its status means. The body is taken for text.
    pub(crate) fn outcome(&self) -> Outcome {
        let excerpt = text::quoted(&String::from_utf8_lossy(&self.body));
        Outcome::of_answer(self.status, self.retry_after, &excerpt)
    }
}

/// A client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The authorisation cannot be used.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// A time is too short.
    #[error(transparent)]
    Time(#[from] TimeError),
}

impl Client {
    /// Reads the files that the options name. Makes no connection, and needs no runtime.
    pub(crate) fn new(url: Url, options: &Options) -> Result<Client, ClientError> {
        let shortest = Duration::from_millis(1);
        TimeError::unless("the longest time for a request", options.timeout, shortest)?;
        TimeError::unless(
            "the longest time for a connection",
            options.connect_timeout,
            shortest,
        )?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(options.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(options, url.is_https())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let inner = Inner::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .build(connector);
        let authorization = options.auth.as_ref().map(Authorization::open).transpose()?;
        Ok(Client {
            url,
            inner,
            timeout: options.timeout,
            authorization,
        })
    }

    /// The file that is read again for each request.
    pub(crate) fn secret_file(&self) -> Option<PathBuf> {
        let authorization = self.authorization.as_ref()?;
        Some(authorization.path().to_owned())
    }

    /// Sends a request, and waits for the answer. `now` is the time, for an answer that names one. Without an answer,
    /// the request may be made again later.
    pub(crate) async fn post(&mut self, post: Post, now: Moment) -> Result<Answer, Outcome> {
        let request = match self.request(post) {
            Ok(request) => request,
            Err(why) => return Err(later(why)),
        };
        let deadline = Instant::now() + self.timeout;
        let answer = match tokio::time::timeout_at(deadline, self.inner.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(later(cause(&error))),
            Err(_) => {
                return Err(later(format!(
                    "it did not answer within {:?}",
                    self.timeout
                )));
            }
        };
        let status = answer.status();
        let retry_after = retry_after(answer.headers(), now);
        // The status says it all, also if the rest does not come.
        let body = tokio::time::timeout_at(deadline, begin(answer)).await;
        Ok(Answer {
            status,
            retry_after,
            body: body.unwrap_or_default(),
        })
    }

    fn request(&mut self, post: Post) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(Bytes::from(post.body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.uri().clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, post.content_type);
        let agent = concat!(
            "retrans-host (retrans-deliver ",
            env!("CARGO_PKG_VERSION"),
            ")"
        );
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.extend(post.headers);
        if let Some(authorization) = &mut self.authorization {
            let header = authorization.header().ok_or_else(|| {
                let path = authorization.path().display();
                format!("the secret in {path} cannot be sent: expected one line of ASCII")
            })?;
            headers.insert(header::AUTHORIZATION, header);
        }
        Ok(request)
    }
}

fn later(why: String) -> Outcome {
    Outcome::Later {
        why,
        retry_after: None,
    }
}

/// The causes of an error, from the outer to the inner one. The outermost says no more than the others.
pub(crate) fn cause(error: &hyper_util::client::legacy::Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some repeat their source.
        if causes
            .last()
            .is_none_or(|last: &String| !last.contains(&cause))
        {
            causes.push(cause);
        }
        source = error.source();
    }
    if causes.is_empty() {
        causes.push(error.to_string());
    }
    let cause = text::quoted(&causes.join(": "));
    if cause.contains("UnknownIssuer") {
        return format!("{cause}; its authority is not trusted here: set a file with it");
    }
    cause
}

/// The start of the body.
async fn begin(mut answer: Response<Incoming>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection is used again only if its answer was read to the end.
    while bytes.len() < MAX_ANSWER {
        let Some(Ok(frame)) = answer.frame().await else {
            break;
        };
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data[..data.len().min(MAX_ANSWER)]);
        }
    }
    bytes
}

/// The time for which the header `Retry-After` asks: a number of seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Moment) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    let date = Duration::try_from(date.as_duration()).ok()?;
    Some(date.saturating_sub(now.wall))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        retry_after(&headers, Moment::at(0))
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            asked("Fri, 15 Jan 2027 08:01:30 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(asked("Fri, 15 Jan 2027 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), Moment::at(0)), None);
    }
}
