//! The body of a webhook, version 1.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;

use serde::Serialize;

use crate::alert::Alert;
use crate::moment::rfc3339;

/// Version of the body. Later bodies with this version may have more keys; no key ever changes its meaning.
pub(super) const VERSION: u32 = 1;

/// The body: the keys of an alert's JSON line, and what a receiver needs in addition. A template has the same values.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Body<'a> {
    version: u32,
    r#type: &'static str,
    /// The same for each attempt to deliver it, and different for each delivery.
    id: &'a str,
    /// Name of the host.
    instance: &'a str,
    timestamp: String,
    plugin: &'a str,
    name: &'a str,
    severity: &'static str,
    state: &'static str,
    summary: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Connection>,
    /// Number of times that the alert was raised and that this body stands for.
    raised: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<&'a str>,
}

/// The connection of the event that caused an alert.
#[derive(Debug, Clone, Serialize)]
struct Connection {
    source: Side,
    destination: Side,
}

#[derive(Debug, Clone, Serialize)]
struct Side {
    ip: IpAddr,
    port: u16,
}

/// What is the same in all bodies of a host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) instance: String,
    pub(super) external_url: Option<String>,
}

impl<'a> Body<'a> {
    /// The body for an alert that was raised this number of times.
    pub(super) fn new(alert: &'a Alert, raised: u64, id: &'a str, host: &'a Host) -> Body<'a> {
        let side = |address: SocketAddr| Side {
            ip: address.ip(),
            port: address.port(),
        };
        let labels = alert.labels.iter();
        Body {
            version: VERSION,
            r#type: "alert",
            id,
            instance: &host.instance,
            timestamp: rfc3339(alert.wall_time, 9),
            plugin: &alert.plugin,
            name: &alert.name,
            severity: alert.severity.name(),
            state: alert.state.name(),
            summary: &alert.summary,
            labels: labels
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            event: alert.connection.map(|(source, destination)| Connection {
                source: side(source),
                destination: side(destination),
            }),
            raised,
            external_url: host.external_url.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::State;
    use crate::testing::alert;

    #[test]
    fn the_body_has_the_keys_that_the_documentation_names() {
        let host = Host {
            instance: "web-1".to_owned(),
            external_url: Some("https://grafana.example.com/d/retrans".to_owned()),
        };
        let alert = alert("loss", State::Firing);
        let json = serde_json::to_value(Body::new(&alert, 3, "7f-1", &host)).expect("JSON");
        let readme = include_str!("../../README.md");
        let example = readme
            .split("```json\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let example: serde_json::Value =
            serde_json::from_str(example.expect("an example")).expect("JSON");
        assert_eq!(json, example);
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let host = Host {
            instance: "web-1".to_owned(),
            external_url: None,
        };
        let mut alert = alert("loss", State::Resolved);
        alert.connection = None;
        let json = serde_json::to_value(Body::new(&alert, 1, "7f-1", &host)).expect("JSON");
        assert_eq!((json.get("event"), json.get("external_url")), (None, None));
        assert_eq!(json["state"], "resolved");
    }
}
