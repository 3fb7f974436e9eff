//! Objects of the store for snapshots that are too large for a value. Each has a name of its own, so that two
//! consumers never write the same one.

use std::time::Duration;

use async_nats::jetstream::object_store::ObjectStore;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::api::Api;
use super::api::causes;
use crate::names::LARGE_BUCKET;
use crate::partition::Partition;

/// Longest time for all parts of an object. The client itself waits for ever for a part that was deleted.
const OBJECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A name that no other object has: `p.PARTITION.SEQUENCE.UNIQUE`.
pub(super) fn unique_name(api: &Api, partition: Partition, sequence: u64) -> String {
    format!("p.{partition}.{sequence}.{}", api.unique())
}

pub(super) async fn write(objects: &ObjectStore, name: &str, content: &[u8]) -> Result<(), String> {
    let mut content = content;
    match timeout(OBJECT_TIMEOUT, objects.put(name, &mut content)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!(
            "cannot write the object {name}: {}",
            causes(&error)
        )),
        Err(_) => Err(format!(
            "cannot write the object {name} within {OBJECT_TIMEOUT:?}"
        )),
    }
}

/// The content of an object, of which at most one byte more than `size` is read.
pub(super) async fn read(
    objects: &ObjectStore,
    name: &str,
    size: usize,
) -> Result<Vec<u8>, String> {
    let read = async {
        let object = objects.get(name).await.map_err(|error| causes(&error))?;
        let mut content = Vec::with_capacity(size + 1);
        let read = object.take(size as u64 + 1).read_to_end(&mut content).await;
        read.map_err(|error| error.to_string())?;
        Ok(content)
    };
    match timeout(OBJECT_TIMEOUT, read).await {
        Ok(read) => read.map_err(|cause: String| format!("cannot read the object {name}: {cause}")),
        Err(_) => Err(format!(
            "cannot read the object {name} within {OBJECT_TIMEOUT:?}"
        )),
    }
}

/// Deletes an object. If that fails, the next consumer of the partition does it.
pub(super) async fn delete(api: &Api, objects: &ObjectStore, name: &str) {
    let delete = async {
        objects.delete(name).await.map_err(|error| causes(&error))?;
        // The client leaves a mark in the place of the object. Names are not used again: marks would add up.
        let subject = format!("$O.{LARGE_BUCKET}.M.{}", URL_SAFE.encode(name));
        let stream = api
            .jetstream
            .get_stream_no_info(format!("OBJ_{LARGE_BUCKET}"));
        let stream = stream.await.map_err(|error| causes(&error))?;
        stream
            .purge()
            .filter(subject)
            .await
            .map_err(|error| causes(&error))?;
        Ok(())
    };
    match timeout(OBJECT_TIMEOUT, delete).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => {
            let cause: String = cause;
            tracing::debug!("cannot delete the object {name}: {cause}");
        }
        Err(_) => tracing::debug!("cannot delete the object {name} within {OBJECT_TIMEOUT:?}"),
    }
}

/// The objects of this partition, without this one.
pub(super) async fn others(
    objects: &ObjectStore,
    partition: Partition,
    without: Option<&str>,
) -> Vec<String> {
    let prefix = format!("p.{partition}.");
    let list = async {
        let mut found = Vec::new();
        let Ok(mut list) = objects.list().await else {
            return found;
        };
        while let Some(Ok(object)) = list.next().await {
            if object.name.starts_with(&prefix) && Some(object.name.as_str()) != without {
                found.push(object.name);
            }
        }
        found
    };
    timeout(OBJECT_TIMEOUT, list).await.unwrap_or_default()
}
