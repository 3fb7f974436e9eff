//! Leases and presences in the broker: read all, and written by compare-and-set.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::kv::Store;
use async_nats::jetstream::kv::UpdateErrorKind;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::api::causes;
use super::latest::Latest;
use super::latest::latest;
use super::lease_value::Lease;
use super::lease_value::Presence;
use super::lease_value::Revised;
use super::state::key;
use crate::connect::Broker;
use crate::connect::NO_ANSWER;
use crate::names::LEASES_BUCKET;
use crate::partition::Partition;

/// Time for a request: several must fit into the time for which a lease is valid.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The bucket of leases.
#[derive(Clone)]
pub(super) struct LeaseStore {
    api: Api,
    values: Store,
}

/// Why a lease was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The lease has another revision.
    #[error("another consumer has it")]
    Refused,
    /// It may have been written, or not.
    #[error("{0}")]
    Unknown(String),
}

impl LeaseStore {
    pub(super) async fn open(broker: &Broker) -> Result<LeaseStore, String> {
        let api = Api::new(broker, REQUEST_TIMEOUT);
        let values = super::buckets::values(&api, LEASES_BUCKET).await?;
        Ok(LeaseStore { api, values })
    }

    /// All leases.
    pub(super) async fn leases(&self) -> Result<BTreeMap<Partition, Revised<Lease>>, String> {
        let partition = |rest: &str| rest.parse().ok().map(Partition);
        self.read("p", partition).await
    }

    /// All consumers, by their identifiers.
    pub(super) async fn consumers(&self) -> Result<BTreeMap<String, Revised<Presence>>, String> {
        self.read("c", |rest| Some(rest.to_owned())).await
    }

    async fn read<K: Ord, T: DeserializeOwned>(
        &self,
        kind: &str,
        key: impl Fn(&str) -> Option<K>,
    ) -> Result<BTreeMap<K, Revised<T>>, String> {
        let prefix = format!("$KV.{LEASES_BUCKET}.{kind}.");
        let stream = format!("KV_{LEASES_BUCKET}");
        let found = latest(&self.api, &stream, &format!("{prefix}*"), REQUEST_TIMEOUT).await?;
        let revised = |latest: Latest| {
            let key = key(latest.subject.strip_prefix(&prefix)?)?;
            let value = match latest.is_deleted {
                true => None,
                false => serde_json::from_slice(&latest.value).ok(),
            };
            let revision = latest.revision;
            Some((key, Revised { revision, value }))
        };
        Ok(found.into_iter().filter_map(revised).collect())
    }

    /// Writes a lease in the place of that with this revision. Returns its revision.
    pub(super) async fn write(
        &self,
        partition: Partition,
        lease: &Lease,
        revision: u64,
    ) -> Result<u64, WriteError> {
        let value = encode(lease).map_err(WriteError::Unknown)?;
        let written = self
            .values
            .update(key(partition), value.into(), revision)
            .await;
        written.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => WriteError::Refused,
            UpdateErrorKind::TimedOut => WriteError::Unknown(NO_ANSWER.to_owned()),
            _ => WriteError::Unknown(causes(&error)),
        })
    }

    /// Writes that this consumer is there, or has left.
    pub(super) async fn announce(&self, id: &str, presence: &Presence) -> Result<(), String> {
        let written = self
            .values
            .put(format!("c.{id}"), encode(presence)?.into())
            .await;
        written.map(|_| ()).map_err(|error| causes(&error))
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}
