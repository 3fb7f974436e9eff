//! Opens buckets and object stores, and says what to do when one is missing.

use async_nats::jetstream::context::KeyValueError;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::object_store::ObjectStore;

use super::api::Api;
use super::api::causes;

/// The bucket with this name.
pub(crate) async fn values(api: &Api, bucket: &str) -> Result<Store, String> {
    let opened: Result<Store, KeyValueError> = api.jetstream.get_key_value(bucket).await;
    opened.map_err(|error| missing("bucket", bucket, &error))
}

/// The object store with this name.
pub(crate) async fn objects(api: &Api, bucket: &str) -> Result<ObjectStore, String> {
    let opened = api.jetstream.get_object_store(bucket).await;
    opened.map_err(|error| missing("object store", bucket, &error))
}

fn missing(what: &str, name: &str, error: &(dyn std::error::Error + 'static)) -> String {
    format!(
        "cannot open the {what} {name}: {}; `retrans-host fleet init` creates what a fleet needs",
        causes(error)
    )
}
