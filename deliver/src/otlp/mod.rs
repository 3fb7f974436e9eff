//! Sends events and alerts as log records, and metrics, to collectors of OTLP: protobuf over HTTP.

mod answer;
pub mod environment;
mod logs;
mod metrics;
mod proto;
mod record;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::CONTENT_ENCODING;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use prost::Message;

pub use metrics::Distribution;
pub use metrics::Metric;
pub use metrics::Metrics;
pub use metrics::Point;
pub use metrics::Values;

pub(crate) use self::logs::Batch;
pub(crate) use self::logs::Logs;
pub(crate) use self::metrics::Latest;
pub(crate) use self::record::Item;
use crate::http::Options;
use crate::http::UrlError;
use crate::http::client::Answer;
use crate::http::client::Client;
use crate::http::client::ClientError;
use crate::http::client::Post;
use crate::http::url::Url;
use crate::moment::Moment;
use crate::outlets::courier::Compose;
use crate::outlets::courier::Route;
use crate::retry::Backoff;
use crate::retry::Outcome;
use crate::retry::Retry;
use crate::retry::TimeError;

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in the log and in names of counters.
    pub name: String,
    /// Where events and alerts are sent as log records.
    pub logs: Option<Signal>,
    /// Where metrics are sent.
    pub metrics: Option<Signal>,
    /// Attributes of the resource: of this host and of this program.
    pub resource: BTreeMap<String, String>,
    /// Time after which log records are given up.
    pub max_age: Duration,
    /// When a receiver that failed is tried again.
    pub retry: Retry,
}

/// Where one kind of data is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The whole URL, such as `http://localhost:4318/v1/logs`.
    pub url: String,
    /// Headers of each request. A value may be a secret.
    pub headers: Vec<(String, String)>,
    /// Requests are compressed with gzip.
    pub is_compressed: bool,
    /// How requests are made.
    pub http: Options,
}

impl Signal {
    /// Requests to this URL, compressed.
    pub fn new(url: impl Into<String>) -> Signal {
        Signal {
            url: url.into(),
            headers: Vec::new(),
            is_compressed: true,
            http: Options::default(),
        }
    }
}

impl Config {
    /// A collector that gets nothing yet, for the host with this name. Log records are given up after an hour.
    pub fn new(host: impl Into<String>) -> Config {
        let resource = [
            ("host.name", host.into()),
            ("os.type", "linux".to_owned()),
            ("service.name", "retrans-host".to_owned()),
        ];
        Config {
            name: "otlp".to_owned(),
            logs: None,
            metrics: None,
            resource: resource.map(|(key, value)| (key.to_owned(), value)).into(),
            max_age: Duration::from_secs(3_600),
            retry: Retry::default(),
        }
    }
}

/// A collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Its URL is invalid.
    #[error("the URL of the OTLP collector for {signal} cannot be used: {error}")]
    Url {
        /// Logs or metrics.
        signal: &'static str,
        /// The cause.
        error: UrlError,
    },
    /// A header cannot be sent.
    #[error(
        "the header {0:?} for the OTLP collector cannot be sent: a name has letters, digits and -, and a value ASCII"
    )]
    Header(String),
    /// A time is too short.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Requests to it cannot be made.
    #[error("requests to the OTLP collector {receiver} cannot be made: {error}")]
    Client {
        /// Host and port.
        receiver: String,
        /// The cause.
        error: ClientError,
    },
}

/// What waits for a collector, and the way there.
pub(crate) struct Prepared {
    pub(crate) logs: Option<(Logs, Route<Batch>)>,
    pub(crate) metrics: Option<(Latest, Route<Arc<Metrics>>)>,
}

/// Reads the files.
pub(crate) fn prepare(config: &Config) -> Result<Prepared, ConfigError> {
    config.retry.check()?;
    TimeError::unless(
        "the time after which log records are given up",
        config.max_age,
        Duration::from_secs(1),
    )?;
    let backoff = || Backoff::new(config.retry, None);
    let logs = config.logs.as_ref().map(|signal| {
        let route = route(signal, "logs", config)?;
        Ok::<_, ConfigError>((
            Logs::new(route.name.clone(), config.max_age, backoff()),
            route,
        ))
    });
    let metrics = config.metrics.as_ref().map(|signal| {
        let route = route(signal, "metrics", config)?;
        Ok::<_, ConfigError>((Latest::new(route.name.clone(), backoff()), route))
    });
    Ok(Prepared {
        logs: logs.transpose()?,
        metrics: metrics.transpose()?,
    })
}

fn route<J>(signal: &Signal, kind: &'static str, config: &Config) -> Result<Route<J>, ConfigError>
where
    Composer: Compose<J>,
{
    let url = Url::parse(&signal.url).map_err(|error| ConfigError::Url {
        signal: kind,
        error,
    })?;
    let headers = signal.headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(name).map_err(|_| ConfigError::Header(name.clone()))?;
        let value = HeaderValue::try_from(value).map_err(|_| ConfigError::Header(name.to_string()));
        let mut value = value?;
        value.set_sensitive(true);
        Ok((name, value))
    });
    let composer = Composer {
        resource: config.resource.clone(),
        headers: headers.collect::<Result<_, ConfigError>>()?,
        is_compressed: signal.is_compressed,
    };
    let client = Client::new(url.clone(), &signal.http).map_err(|error| ConfigError::Client {
        receiver: url.authority().to_owned(),
        error,
    })?;
    Ok(Route {
        name: format!("{} {kind} {}", config.name, url.authority()),
        client,
        compose: Box::new(composer),
    })
}

/// Makes requests.
struct Composer {
    resource: BTreeMap<String, String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    is_compressed: bool,
}

impl Composer {
    /// The resource, with further attributes.
    fn resource(&self, attributes: Vec<(String, String)>) -> Option<proto::Resource> {
        let mut resource = self.resource.clone();
        resource.extend(attributes);
        let attributes = resource
            .into_iter()
            .map(|(key, value)| proto::text(key, value));
        Some(proto::Resource {
            attributes: attributes.collect(),
        })
    }

    fn post(&self, message: &impl Message) -> Result<Post, String> {
        let mut body = message.encode_to_vec();
        let mut headers = self.headers.clone();
        if self.is_compressed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let written = encoder.write_all(&body).and_then(|()| encoder.finish());
            body = written.map_err(|error| format!("it cannot be compressed: {error}"))?;
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        Ok(Post {
            body,
            content_type: HeaderValue::from_static("application/x-protobuf"),
            headers,
        })
    }
}

fn scope() -> Option<proto::Scope> {
    Some(proto::Scope {
        name: "retrans-host".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

impl Compose<Batch> for Composer {
    fn compose(&mut self, batch: Batch, now: Moment) -> Result<Post, String> {
        let mut by_resource: BTreeMap<Vec<(String, String)>, Vec<proto::LogRecord>> =
            BTreeMap::new();
        for item in batch.items.iter() {
            let record = item.log_record(now.wall);
            by_resource
                .entry(item.of_resource())
                .or_default()
                .extend(record);
        }
        let resource_logs =
            by_resource
                .into_iter()
                .map(|(attributes, log_records)| proto::ResourceLogs {
                    resource: self.resource(attributes),
                    scope_logs: vec![proto::ScopeLogs {
                        scope: scope(),
                        log_records,
                        schema_url: String::new(),
                    }],
                    schema_url: String::new(),
                });
        self.post(&proto::LogsRequest {
            resource_logs: resource_logs.collect(),
        })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        answer::judge(answer)
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl Compose<Arc<Metrics>> for Composer {
    fn compose(&mut self, metrics: Arc<Metrics>, _: Moment) -> Result<Post, String> {
        self.post(&proto::MetricsRequest {
            resource_metrics: vec![proto::ResourceMetrics {
                resource: self.resource(Vec::new()),
                scope_metrics: vec![proto::ScopeMetrics {
                    scope: scope(),
                    metrics: metrics.encode(),
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        answer::judge(answer)
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}
