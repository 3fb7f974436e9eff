//! The keys of sinks, and for which types each is.

use super::SinkError;
use super::SinkKind;
use super::SinkOptions;
use super::unknown;

/// The help of `--sink-set`.
pub const SET_HELP: &str = "Sets a key of the sink named just before it, such as --sink-set resolve-after=10m. \
                            Repeatable. docs/sinks.md has all keys";

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text, a number or a time.
    Text,
    /// One or several URLs, which may have secrets in them.
    Url,
    /// True or false.
    Flag,
    /// Names with values, each as `KEY.NAME=VALUE`.
    Table {
        /// The values are not shown.
        is_secret: bool,
    },
}

/// A key of sinks.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    kinds: &'static [SinkKind],
}

const fn key(name: &'static str, shape: Shape, kinds: &'static [SinkKind]) -> Key {
    Key { name, shape, kinds }
}

const ALL: &[SinkKind] = &SinkKind::ALL;
const ALERTS: &[SinkKind] = &[SinkKind::Alertmanager, SinkKind::Webhook];
const ALERTMANAGER: &[SinkKind] = &[SinkKind::Alertmanager];
const WEBHOOK: &[SinkKind] = &[SinkKind::Webhook];
const OTLP: &[SinkKind] = &[SinkKind::Otlp];
const OPEN: Shape = Shape::Table { is_secret: false };
const SECRET: Shape = Shape::Table { is_secret: true };

/// All keys.
pub const KEYS: &[Key] = &[
    key("name", Shape::Text, ALL),
    key("url", Shape::Url, ALL),
    key("url-file", Shape::Text, WEBHOOK),
    key("logs", Shape::Flag, OTLP),
    key("logs-url", Shape::Url, OTLP),
    key("metrics", Shape::Flag, OTLP),
    key("metrics-url", Shape::Url, OTLP),
    key("interval", Shape::Text, OTLP),
    key("instance", Shape::Text, ALERTS),
    key("external-url", Shape::Text, ALERTS),
    key("labels", OPEN, ALERTMANAGER),
    key("attributes", OPEN, OTLP),
    key("headers", SECRET, OTLP),
    key("compression", Shape::Text, OTLP),
    key("resolve-after", Shape::Text, ALERTMANAGER),
    key("repeat", Shape::Text, ALERTMANAGER),
    key("template-file", Shape::Text, WEBHOOK),
    key("content-type", Shape::Text, WEBHOOK),
    key("hmac-file", Shape::Text, WEBHOOK),
    key("again-after", Shape::Text, WEBHOOK),
    key(
        "give-up-after",
        Shape::Text,
        &[SinkKind::Webhook, SinkKind::Otlp],
    ),
    key("timeout", Shape::Text, ALL),
    key("connect-timeout", Shape::Text, ALL),
    key("retry", Shape::Text, ALL),
    key("retry-max", Shape::Text, ALL),
    key("ca-file", Shape::Text, ALL),
    key("cert-file", Shape::Text, ALL),
    key("key-file", Shape::Text, ALL),
    key("token-file", Shape::Text, ALL),
    key("user", Shape::Text, ALL),
    key("password-file", Shape::Text, ALL),
];

/// Checks that there is this key for the type of a sink.
pub fn check(sink: &SinkOptions, key: &str) -> Result<(), SinkError> {
    let refused = |what: String| SinkError::UnknownKey {
        sink: sink.name.clone(),
        key: key.to_owned(),
        what,
    };
    let (name, below) = match key.split_once('.') {
        Some((name, below)) => (name, Some(below)),
        None => (key, None),
    };
    let of_kind = KEYS.iter().filter(|key| key.kinds.contains(&sink.kind));
    let Some(found) = of_kind.clone().find(|known| known.name == name) else {
        if let Some(other) = KEYS.iter().find(|known| known.name == name) {
            let kinds: Vec<_> = other.kinds.iter().map(|kind| kind.name()).collect();
            let kinds = kinds.join(" and ");
            let kind = sink.kind.name();
            return Err(refused(format!(
                "it is a key of {kinds}, and not of {kind}"
            )));
        }
        let names: Vec<_> = of_kind.map(|key| key.name).collect();
        return Err(refused(unknown(name, &names)));
    };
    match (found.shape, below) {
        (Shape::Table { .. }, Some(below)) if !below.is_empty() => Ok(()),
        (Shape::Table { .. }, _) => Err(refused(format!(
            "expected names with values, such as {name}.site=fra"
        ))),
        (_, None) => Ok(()),
        (_, Some(_)) => Err(refused(format!("{name} has nothing below it"))),
    }
}

/// A URL without what may be a secret: the path of a webhook, and a query.
pub fn without_secrets(url: &str, kind: SinkKind) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    // A user has no place in it, and is refused.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let end = match kind {
        SinkKind::Webhook => rest.find(['/', '?']),
        SinkKind::Alertmanager | SinkKind::Otlp => rest.find('?'),
    };
    let end = end.filter(|end| *end + 1 < rest.len());
    match end {
        Some(end) => format!("{scheme}://{}…", &rest[..=end]),
        None => format!("{scheme}://{rest}"),
    }
}
