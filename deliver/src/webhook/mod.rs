//! Delivers each alert as a request to a webhook, with a body of JSON or of a template, and a signature.

mod body;
mod queue;
mod signature;
mod template;

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderName;
use hyper::header::HeaderValue;

pub use template::TemplateError;

use self::body::Body;
use self::body::Host;
use self::queue::Delivery;
use self::queue::Queue;
use self::queue::Rules;
use self::template::Template;
use crate::http::Options;
use crate::http::SecretError;
use crate::http::UrlError;
use crate::http::client::Client;
use crate::http::client::ClientError;
use crate::http::client::Post;
use crate::http::secret::Secret;
use crate::http::url::Url;
use crate::moment::Moment;
use crate::outlets::courier::Compose;
use crate::outlets::courier::Route;
use crate::retry::Backoff;
use crate::retry::Retry;
use crate::retry::TimeError;

/// The header with the identifier of a delivery, which is the same for each attempt.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in the log and in names of counters.
    pub name: String,
    /// Where the URL is. It may be a secret, and is not shown.
    pub url: UrlSource,
    /// Name of this host in bodies.
    pub instance: String,
    /// The URL that a person follows from an alert, such as that of a dashboard.
    pub external_url: Option<String>,
    /// The text of a template for the body. `None`: the body of this crate.
    pub template: Option<String>,
    /// Value of `Content-Type`. If it contains `json`, the results of a template must be JSON.
    pub content_type: String,
    /// File with the keys of the signature, one a line. `None`: no signature.
    pub key_file: Option<PathBuf>,
    /// Time within which an alert that is raised again is delivered only once. Zero: it is delivered each time.
    pub again_after: Duration,
    /// Time after which a delivery is given up.
    pub max_age: Duration,
    /// When a receiver that failed is tried again.
    pub retry: Retry,
    /// How requests are made.
    pub http: Options,
}

/// Where the URL of a webhook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// The URL itself.
    Text(String),
    /// A file with it, which is read at the start.
    File(PathBuf),
}

impl Config {
    /// A webhook with the usual times: raised again within a minute, given up after an hour.
    pub fn new(url: UrlSource, instance: impl Into<String>) -> Config {
        Config {
            name: "webhook".to_owned(),
            url,
            instance: instance.into(),
            external_url: None,
            template: None,
            content_type: "application/json".to_owned(),
            key_file: None,
            again_after: Duration::from_secs(60),
            max_age: Duration::from_secs(3_600),
            retry: Retry::default(),
            http: Options::default(),
        }
    }
}

/// A webhook cannot be used. The message does not contain its URL.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Its URL is invalid.
    #[error("the URL of the webhook cannot be used: {0}")]
    Url(UrlError),
    /// The file with its URL, or with its keys, cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Its template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Its type of content cannot be sent.
    #[error("the content type {0:?} cannot be sent: expected one such as application/json")]
    ContentType(String),
    /// A time is too short.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Requests to it cannot be made.
    #[error("requests to the webhook {receiver} cannot be made: {error}")]
    Client {
        /// Host and port.
        receiver: String,
        /// The cause.
        error: ClientError,
    },
}

/// Reads the files, and tries the template.
pub(crate) fn prepare(config: &Config) -> Result<(Queue, Route<Delivery>), ConfigError> {
    config.retry.check()?;
    TimeError::unless(
        "the time after which a delivery is given up",
        config.max_age,
        Duration::from_secs(1),
    )?;
    let url = match &config.url {
        UrlSource::Text(text) => Url::parse(text),
        UrlSource::File(path) => Url::parse(Secret::open(path)?.text()),
    };
    let url = url.map_err(ConfigError::Url)?;
    let host = Host {
        instance: config.instance.clone(),
        external_url: config.external_url.clone(),
    };
    let is_json = config.content_type.to_ascii_lowercase().contains("json");
    let template = config.template.clone();
    let template = template
        .map(|source| Template::new(source, is_json, &host))
        .transpose()?;
    let content_type = HeaderValue::from_str(&config.content_type);
    let key = config.key_file.as_deref().map(Secret::open).transpose()?;
    let name = format!("{} {}", config.name, url.authority());
    let composer = Composer {
        host,
        template,
        content_type: content_type
            .map_err(|_| ConfigError::ContentType(config.content_type.clone()))?,
        key,
    };
    let client = Client::new(url.clone(), &config.http).map_err(|error| ConfigError::Client {
        receiver: url.authority().to_owned(),
        error,
    })?;
    let rules = Rules {
        again_after: config.again_after,
        max_age: config.max_age,
    };
    let queue = Queue::new(name.clone(), rules, Backoff::new(config.retry, None));
    let route = Route {
        name,
        client,
        compose: Box::new(composer),
    };
    Ok((queue, route))
}

/// Makes requests of deliveries.
struct Composer {
    host: Host,
    template: Option<Template>,
    content_type: HeaderValue,
    key: Option<Secret>,
}

impl Compose<Delivery> for Composer {
    fn compose(&mut self, delivery: Delivery, now: Moment) -> Result<Post, String> {
        let Delivery {
            id, alert, raised, ..
        } = &delivery;
        let body = Body::new(alert, *raised, id, &self.host);
        let body = match &self.template {
            Some(template) => template.body(&body)?.into_bytes(),
            None => serde_json::to_vec(&body).map_err(|error| error.to_string())?,
        };
        let mut headers = Vec::new();
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.push((IDEMPOTENCY_KEY, id));
        }
        if let Some(key) = &mut self.key {
            let value = signature::value(key.text(), now.wall.as_secs(), &body);
            let value = value.ok_or_else(|| "the signature cannot be made".to_owned())?;
            headers.push((signature::HEADER, value));
        }
        Ok(Post {
            body,
            content_type: self.content_type.clone(),
            headers,
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        let key = self.key.iter();
        key.map(|key| key.path().to_owned()).collect()
    }
}
