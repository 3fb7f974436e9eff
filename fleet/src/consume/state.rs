//! Snapshots in the broker: loaded, and saved by compare-and-set, which is the fence against a consumer that has lost
//! its partition.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::object_store::ObjectStore;
use bytes::Bytes;

use super::api::Api;
use super::api::causes;
use super::objects;
use super::snapshot::CorruptSnapshot;
use super::snapshot::Outline;
use super::snapshot::Snapshot;
use crate::connect::Broker;
use crate::names::LARGE_BUCKET;
use crate::names::SEQUENCE_HEADER;
use crate::names::STATE_BUCKET;
use crate::partition::Partition;

/// Bytes of a message that are left for its headers and its subject.
const MARGIN: usize = 4096;

/// Time for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the broker has of a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The last snapshot.
    pub snapshot: Option<Snapshot>,
    /// The revision that the next one replaces. 0: there has never been one.
    pub revision: u64,
}

/// The bucket of snapshots.
#[derive(Clone)]
pub struct StateStore {
    api: Api,
    values: Store,
    objects: ObjectStore,
    writer: String,
    /// The object of the last snapshot of each partition, if the objects before it were deleted.
    tidied: BTreeMap<Partition, Option<String>>,
}

/// Why a snapshot could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The broker does not answer.
    #[error("cannot read the snapshot of partition {partition}: {cause}")]
    Unreachable {
        /// The partition.
        partition: Partition,
        /// What the client says.
        cause: String,
    },
    /// The broker has something that is no snapshot.
    #[error(
        "the snapshot of partition {partition} (bucket {STATE_BUCKET}, key p.{partition}, revision {revision}) is \
         corrupt: {cause}; delete the key to begin without a state"
    )]
    Corrupt {
        /// The partition.
        partition: Partition,
        /// The revision of the value.
        revision: u64,
        /// What is wrong with it.
        cause: CorruptSnapshot,
    },
}

/// Why a snapshot could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Another consumer has saved a snapshot since this one loaded it: the partition is no longer this consumer's.
    #[error(
        "partition {partition} was taken by another consumer: the snapshot is no longer of revision {revision}"
    )]
    Stale {
        /// The partition.
        partition: Partition,
        /// The revision that should have been replaced.
        revision: u64,
    },
    /// The broker does not answer: try again.
    #[error("cannot save the snapshot of partition {partition}: {cause}")]
    Unreachable {
        /// The partition.
        partition: Partition,
        /// What the client says.
        cause: String,
    },
    /// The snapshot cannot be written as JSON.
    #[error("cannot encode the snapshot of partition {partition}: {cause}")]
    Encode {
        /// The partition.
        partition: Partition,
        /// What is wrong with it.
        cause: String,
    },
}

impl StateStore {
    /// The snapshots in this broker.
    ///
    /// # Errors
    ///
    /// A bucket is missing, or the broker does not answer.
    pub async fn open(broker: &Broker) -> Result<StateStore, String> {
        let api = Api::new(broker, REQUEST_TIMEOUT);
        let values = super::buckets::values(&api, STATE_BUCKET).await?;
        let objects = super::buckets::objects(&api, LARGE_BUCKET).await?;
        Ok(StateStore {
            writer: api.unique(),
            api,
            values,
            objects,
            tidied: BTreeMap::new(),
        })
    }

    /// The last snapshot of this partition. In a cluster a server that is behind may answer with the one before: then
    /// the next [`StateStore::save`] is stale.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn load(&self, partition: Partition) -> Result<Loaded, LoadError> {
        let unreachable = |cause| LoadError::Unreachable { partition, cause };
        let entry = self.values.entry(key(partition)).await;
        let Some(entry) = entry.map_err(|error| unreachable(causes(&error)))? else {
            return Ok(Loaded {
                snapshot: None,
                revision: 0,
            });
        };
        let revision = entry.revision;
        if entry.operation != Operation::Put {
            return Ok(Loaded {
                snapshot: None,
                revision,
            });
        }
        let corrupt = |cause| LoadError::Corrupt {
            partition,
            revision,
            cause,
        };
        let (outline, rest) = Outline::read(&entry.value).map_err(corrupt)?;
        let snapshot = match &outline.object {
            None => Snapshot::decode(&outline, rest),
            Some(object) => {
                let content = objects::read(&self.objects, object, outline.size).await;
                Snapshot::decode(&outline, &content.map_err(unreachable)?)
            }
        };
        Ok(Loaded {
            snapshot: Some(snapshot.map_err(corrupt)?),
            revision,
        })
    }

    /// Saves this snapshot in the place of that with this revision. Returns the new revision.
    ///
    /// # Errors
    ///
    /// See [`SaveError`]. After [`SaveError::Stale`] the broker has the snapshot of another consumer.
    pub async fn save(
        &mut self,
        partition: Partition,
        snapshot: &Snapshot,
        revision: u64,
    ) -> Result<u64, SaveError> {
        let encode = |cause| SaveError::Encode { partition, cause };
        let (mut outline, content) = snapshot.encode(&self.writer).map_err(encode)?;
        let max_content = self.api.client.max_payload().saturating_sub(MARGIN);
        if content.len() > max_content {
            let name = objects::unique_name(&self.api, partition, snapshot.sequence);
            let written = objects::write(&self.objects, &name, &content).await;
            written.map_err(|cause| SaveError::Unreachable { partition, cause })?;
            outline.object = Some(name);
        }
        let value = Bytes::from(outline.value(&content).map_err(encode)?);
        let saved = self.replace(partition, &outline, value, revision).await;
        let not_needed = match &saved {
            Ok((_, object)) => {
                self.tidy(partition, object.clone()).await;
                outline.object.filter(|name| Some(name) != object.as_ref())
            }
            Err(SaveError::Unreachable { .. }) => {
                // Whether it was saved is not known, and so whether the object is needed.
                self.tidied.remove(&partition);
                None
            }
            Err(_) => outline.object,
        };
        if let Some(name) = not_needed {
            objects::delete(&self.api, &self.objects, &name).await;
        }
        saved.map(|(revision, _)| revision)
    }

    /// Returns the new revision, and the object that the value there refers to.
    async fn replace(
        &self,
        partition: Partition,
        outline: &Outline,
        value: Bytes,
        revision: u64,
    ) -> Result<(u64, Option<String>), SaveError> {
        let unreachable = |cause| SaveError::Unreachable { partition, cause };
        let error = match self
            .update(partition, outline.sequence, value, revision)
            .await
        {
            Ok(revision) => return Ok((revision, outline.object.clone())),
            Err(error) => error,
        };
        if error.kind() != PublishErrorKind::WrongLastSequence {
            return Err(unreachable(causes(&error)));
        }
        // The answer to an earlier attempt may have been lost after the value was stored.
        let entry = self.values.entry(key(partition)).await;
        let entry = entry.map_err(|error| unreachable(causes(&error)))?;
        let Some(entry) = entry else {
            return Err(SaveError::Stale {
                partition,
                revision,
            });
        };
        match Outline::read(&entry.value) {
            Ok((there, _)) if there.is_same_snapshot(outline) => Ok((entry.revision, there.object)),
            // Read from a server of the cluster that is behind: the next attempt will tell.
            _ if entry.revision <= revision => Err(unreachable(causes(&error))),
            _ => Err(SaveError::Stale {
                partition,
                revision,
            }),
        }
    }

    /// As the client updates a value, with a header more: the sequence can be read without the value.
    async fn update(
        &self,
        partition: Partition,
        sequence: u64,
        value: Bytes,
        revision: u64,
    ) -> Result<u64, PublishError> {
        let mut message = PublishMessage::build()
            .payload(value)
            .expected_last_subject_sequence(revision);
        message = message.header(SEQUENCE_HEADER, sequence.to_string().as_str());
        let subject = format!("$KV.{STATE_BUCKET}.{}", key(partition));
        let sent = self.api.jetstream.send_publish(subject, message).await?;
        sent.await.map(|acknowledged| acknowledged.sequence)
    }

    /// Deletes the objects that no value refers to. Others are deleted at the first snapshot alone: from then on no
    /// other consumer can save one that refers to them.
    async fn tidy(&mut self, partition: Partition, object: Option<String>) {
        let before = self.tidied.insert(partition, object.clone());
        let forgotten = match before {
            Some(before) if before == object => Vec::new(),
            Some(before) => before.into_iter().collect(),
            None => objects::others(&self.api, partition, object.as_deref()).await,
        };
        for name in forgotten {
            objects::delete(&self.api, &self.objects, &name).await;
        }
    }
}

/// The key of a partition, in the buckets of snapshots and of leases.
pub(super) fn key(partition: Partition) -> String {
    format!("p.{partition}")
}
