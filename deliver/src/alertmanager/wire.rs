//! The JSON that `POST /api/v2/alerts` takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::entry::Entry;
use crate::moment::rfc3339;

/// An alert as Alertmanager takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted<'a> {
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
}

impl<'a> Posted<'a> {
    /// An alert that ends, or has ended, at a time since 1970-01-01T00:00:00Z.
    pub(super) fn new(
        labels: &'a [(String, String)],
        entry: &Entry,
        ends_at: Duration,
        generator_url: Option<&'a str>,
    ) -> Posted<'a> {
        let mut annotations = BTreeMap::new();
        if !entry.summary.is_empty() {
            annotations.insert("summary", entry.summary.clone());
        }
        if let Some((source, destination)) = entry.connection {
            let mut add = |name, address: SocketAddr| annotations.insert(name, address.to_string());
            add("source", source);
            add("destination", destination);
        }
        let labels = labels.iter();
        Posted {
            labels: labels
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            annotations,
            starts_at: rfc3339(entry.starts_at, 3),
            // Alertmanager refuses an alert that ends before it starts.
            ends_at: rfc3339(ends_at.max(entry.starts_at), 3),
            generator_url,
        }
    }
}
