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

/// Longest time for all parts of an object.
const OBJECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time for a part. The client itself waits for ever for parts that were deleted while they were read.
const PART_TIMEOUT: Duration = Duration::from_secs(3);

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
    let failed = |cause: String| format!("cannot read the object {name}: {cause}");
    let object = timeout(PART_TIMEOUT, objects.get(name)).await;
    let object = object
        .map_err(|_| failed(format!("no answer within {PART_TIMEOUT:?}")))?
        .map_err(|error| failed(causes(&error)))?;
    let mut object = object.take(size as u64 + 1);
    let mut content = Vec::with_capacity(size + 1);
    loop {
        let read = timeout(PART_TIMEOUT, object.read_buf(&mut content)).await;
        let read = read
            .map_err(|_| failed(format!("no part within {PART_TIMEOUT:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        if read == 0 {
            return Ok(content);
        }
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

/// The objects of this partition, without this one. They are read from the subjects of the stream: the client's own list
/// reads their descriptions as messages, and waits for ever for one that another partition deletes meanwhile.
pub(super) async fn others(api: &Api, partition: Partition, without: Option<&str>) -> Vec<String> {
    let objects = format!("p.{partition}.");
    let descriptions = format!("$O.{LARGE_BUCKET}.M.");
    let list = async {
        let mut found = Vec::new();
        let stream = api
            .jetstream
            .get_stream_no_info(format!("OBJ_{LARGE_BUCKET}"));
        let Ok(stream) = stream.await else {
            return found;
        };
        let Ok(mut subjects) = stream.info_with_subjects(format!("{descriptions}*")).await else {
            return found;
        };
        while let Some(Ok((subject, _))) = subjects.next().await {
            let name = subject.strip_prefix(&descriptions);
            let name = name.and_then(|name| URL_SAFE.decode(name).ok());
            let name = name.and_then(|name| String::from_utf8(name).ok());
            let is_other =
                |name: &String| name.starts_with(&objects) && Some(name.as_str()) != without;
            found.extend(name.filter(is_other));
        }
        found
    };
    timeout(OBJECT_TIMEOUT, list).await.unwrap_or_default()
}
