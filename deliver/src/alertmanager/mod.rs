//! Delivers alerts to each of several replicas of an Alertmanager, version 2 of its interface.

mod active;
mod entry;
mod labels;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderValue;

pub(crate) use self::active::Active;
use self::active::Rules;
use crate::http::Options;
use crate::http::UrlError;
use crate::http::client::Client;
use crate::http::client::ClientError;
use crate::http::client::Post;
use crate::http::url::Url;
use crate::moment::Moment;
use crate::outlets::courier::Compose;
use crate::outlets::courier::Route;
use crate::retry::Backoff;
use crate::retry::Retry;
use crate::retry::TimeError;

const PATH: &str = "/api/v2/alerts";

/// Shortest time after which an alert is repeated, or ends.
const SHORTEST: Duration = Duration::from_secs(1);

/// The replicas of an Alertmanager. Each gets every alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in the log and in names of counters.
    pub name: String,
    /// The URL of each replica, such as `http://alertmanager-1:9093`. It may have a path before that of the interface.
    pub urls: Vec<String>,
    /// The label `instance` of each alert: the name of this host.
    pub instance: String,
    /// Further labels of each alert. A label of a plugin with such a name gets another one.
    pub labels: Vec<(String, String)>,
    /// The `generatorURL` of each alert: the URL that a person follows from it, such as that of a dashboard.
    pub external_url: Option<String>,
    /// Time after which an alert ends that is not raised again. It counts from the time at which a replica has learned
    /// of the alert. Alerts of plugins that resolve theirs go on, for a day at most.
    pub resolve_after: Duration,
    /// Plugins that resolve their alerts. Others become such plugins when they first resolve one.
    pub resolving_plugins: Vec<String>,
    /// Time after which an alert is repeated. It ends at a replica that gets nothing for four times as long.
    pub repeat: Duration,
    /// When a replica that failed is tried again.
    pub retry: Retry,
    /// How requests are made.
    pub http: Options,
}

impl Config {
    /// Replicas with the usual times: ended after five minutes, repeated every minute.
    pub fn new(urls: Vec<String>, instance: impl Into<String>) -> Config {
        Config {
            name: "alertmanager".to_owned(),
            urls,
            instance: instance.into(),
            labels: Vec::new(),
            external_url: None,
            resolve_after: Duration::from_secs(300),
            resolving_plugins: Vec::new(),
            repeat: Duration::from_secs(60),
            retry: Retry::default(),
            http: Options::default(),
        }
    }
}

/// An Alertmanager cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It has no URL.
    #[error("the Alertmanager has no URL: expected one such as http://localhost:9093")]
    NoUrl,
    /// A URL is invalid.
    #[error("Alertmanager {url}: {error}")]
    Url {
        /// The text. A password in it is left out.
        url: String,
        /// The cause.
        error: UrlError,
    },
    /// A URL is there twice.
    #[error("Alertmanager {0} is named twice: name each replica once")]
    Twice(String),
    /// The external URL is invalid. Alertmanager would refuse every alert.
    #[error("external URL {url}: {error}")]
    ExternalUrl {
        /// The text.
        url: String,
        /// The cause.
        error: UrlError,
    },
    /// A configured label has a name that Alertmanager refuses.
    #[error(
        "label {0:?}: expected a name of letters, digits and _, which does not begin with a digit"
    )]
    LabelName(String),
    /// A configured label has a name of this crate.
    #[error("label {0:?}: this label is set by retrans-host itself, choose another name")]
    LabelReserved(String),
    /// A time is too short.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Requests to a replica cannot be made.
    #[error("requests to Alertmanager {receiver} cannot be made: {error}")]
    Client {
        /// Host and port.
        receiver: String,
        /// The cause.
        error: ClientError,
    },
}

/// The way to a replica, with the bodies of requests.
type ReplicaRoute = Route<Vec<u8>>;

/// Reads the files.
pub(crate) fn prepare(config: &Config) -> Result<(Active, Vec<ReplicaRoute>), ConfigError> {
    check_labels(&config.labels)?;
    config.retry.check()?;
    TimeError::unless(
        "the time after which an alert is repeated",
        config.repeat,
        SHORTEST,
    )?;
    TimeError::unless(
        "the time after which an alert ends",
        config.resolve_after,
        SHORTEST,
    )?;
    let external_url = config.external_url.as_deref();
    let generator_url = external_url.map(external).transpose()?;
    let mut routes: Vec<ReplicaRoute> = Vec::new();
    for text in &config.urls {
        let url = endpoint(text)?;
        let name = format!(
            "{} {}{}",
            config.name,
            url.authority(),
            url.path().trim_end_matches(PATH)
        );
        if routes.iter().any(|route| route.name == name) {
            return Err(ConfigError::Twice(shown(text)));
        }
        let client =
            Client::new(url.clone(), &config.http).map_err(|error| ConfigError::Client {
                receiver: url.authority().to_owned(),
                error,
            })?;
        routes.push(Route {
            name,
            client,
            compose: Box::new(Composer),
        });
    }
    if routes.is_empty() {
        return Err(ConfigError::NoUrl);
    }
    let rules = Rules {
        instance: config.instance.clone(),
        labels: config.labels.clone(),
        generator_url,
        resolve_after: config.resolve_after,
        repeat: config.repeat,
    };
    let replicas = routes.iter();
    let replicas = replicas.map(|route| (route.name.clone(), Backoff::new(config.retry, None)));
    let active = Active::new(rules, &config.resolving_plugins, replicas.collect());
    Ok((active, routes))
}

fn check_labels(labels: &[(String, String)]) -> Result<(), ConfigError> {
    for (name, _) in labels {
        if !labels::is_valid(name) {
            return Err(ConfigError::LabelName(name.clone()));
        }
        if labels::RESERVED.contains(&name.as_str()) {
            return Err(ConfigError::LabelReserved(name.clone()));
        }
    }
    Ok(())
}

/// The URL of the interface. A text may be that already.
fn endpoint(text: &str) -> Result<Url, ConfigError> {
    let base = text.trim().trim_end_matches('/').trim_end_matches(PATH);
    let url = Url::parse(base).and_then(|url| url.join(PATH));
    url.map_err(|error| ConfigError::Url {
        url: shown(text),
        error,
    })
}

fn external(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text);
    url.map(|url| url.uri().to_string())
        .map_err(|error| ConfigError::ExternalUrl {
            url: shown(text),
            error,
        })
}

/// The text without a user and a password.
fn shown(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => text.to_owned(),
    }
}

/// Makes requests of bodies.
struct Composer;

impl Compose<Vec<u8>> for Composer {
    fn compose(&mut self, body: Vec<u8>, _: Moment) -> Result<Post, String> {
        Ok(Post {
            body,
            content_type: HeaderValue::from_static("application/json"),
            headers: Vec::new(),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::new(vec!["http://localhost:9093".to_owned()], "web-1");
        change(&mut config);
        prepare(&config).err().expect("an error").to_string()
    }

    #[test]
    fn an_endpoint_is_found_with_and_without_a_path() {
        for (text, expected) in [
            ("http://a:9093", "http://a:9093/api/v2/alerts"),
            ("http://a:9093/", "http://a:9093/api/v2/alerts"),
            ("https://a/am", "https://a/am/api/v2/alerts"),
            ("https://a/am/api/v2/alerts", "https://a/am/api/v2/alerts"),
        ] {
            let url = endpoint(text).expect("a URL");
            assert_eq!(url.uri().to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_at_the_start() {
        assert!(error(|config| config.urls.clear()).starts_with("the Alertmanager has no URL"));
        let scheme = error(|config| config.urls[0] = "a:9093".to_owned());
        assert!(
            scheme.starts_with("Alertmanager a:9093: the URL has no scheme"),
            "{scheme}"
        );
        let password = error(|config| config.urls[0] = "http://me:secret@a:9093".to_owned());
        assert!(
            password.starts_with("Alertmanager http://…@a:9093: "),
            "{password}"
        );
        let twice = error(|config| config.urls.push("http://localhost:9093/".to_owned()));
        assert!(twice.contains("named twice"), "{twice}");
        let external = error(|config| config.external_url = Some("dashboard".to_owned()));
        assert!(
            external.starts_with("external URL dashboard: the URL has no scheme"),
            "{external}"
        );
        let time = error(|config| config.repeat = Duration::ZERO);
        assert_eq!(
            time,
            "the time after which an alert is repeated is 0ns: expected 1s at least"
        );
        let label = |name: &str| {
            let labels = vec![(name.to_owned(), "x".to_owned())];
            error(|config| config.labels = labels)
        };
        assert!(
            label("a.b").starts_with("label \"a.b\": expected a name"),
            "{}",
            label("a.b")
        );
        assert!(label("instance").contains("choose another name"));
        let ca = error(|config| {
            config.urls[0] = "https://localhost".to_owned();
            config.http.ca_file = Some(PathBuf::from("/nowhere/ca.pem"));
        });
        assert!(ca.contains("/nowhere/ca.pem"), "{ca}");
    }
}
