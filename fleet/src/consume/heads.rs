//! Heads of frames by their digest: read from the broker once, and checked.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::kv::Store;
use tokio::time::Instant;
use tokio::time::sleep;

use super::api::Api;
use super::api::causes;
use super::head::Head;
use crate::connect::Broker;
use crate::head::HeadDigest;
use crate::names::HEADS_BUCKET;

/// Most heads that are kept in memory.
const MAX_HEADS: usize = 4096;

/// Time for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// An agent writes its head before its first frame. A server of a cluster may be behind by this time.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// Time between requests for one head.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// A head that is not there is not asked for again for this time.
const MISSING_TIME: Duration = Duration::from_secs(30);

/// The heads in the broker.
pub struct Heads {
    values: Store,
    known: HashMap<HeadDigest, Result<Arc<Head>, Missing>>,
    /// In the order in which they came.
    order: VecDeque<HeadDigest>,
}

#[derive(Clone)]
struct Missing {
    reason: String,
    until: Instant,
}

impl Heads {
    /// The heads in this broker.
    ///
    /// # Errors
    ///
    /// The bucket is missing, or the broker does not answer.
    pub async fn open(broker: &Broker) -> Result<Heads, String> {
        let values =
            super::buckets::values(&Api::new(broker, REQUEST_TIMEOUT), HEADS_BUCKET).await?;
        Ok(Heads {
            values,
            known: HashMap::new(),
            order: VecDeque::new(),
        })
    }

    /// A head that is known already, or the reason why it is not there.
    pub fn known(&self, digest: HeadDigest) -> Option<Result<Arc<Head>, String>> {
        match self.known.get(&digest)? {
            Ok(head) => Some(Ok(Arc::clone(head))),
            Err(missing) if Instant::now() < missing.until => Some(Err(missing.reason.clone())),
            Err(_) => None,
        }
    }

    /// The bucket, to fetch heads while this is not borrowed.
    pub fn bucket(&self) -> Store {
        self.values.clone()
    }

    /// A head. It is read from the bucket if it is not known.
    pub async fn get(&mut self, digest: HeadDigest) -> Result<Arc<Head>, String> {
        if let Some(known) = self.known(digest) {
            return known;
        }
        let found = fetch(&self.values, digest).await;
        self.keep(digest, found.clone());
        found
    }

    /// Keeps what [`fetch`] has found.
    pub fn keep(&mut self, digest: HeadDigest, found: Result<Arc<Head>, String>) {
        let found = found.map_err(|reason| Missing {
            reason,
            until: Instant::now() + MISSING_TIME,
        });
        if self.known.insert(digest, found).is_none() {
            self.order.push_back(digest);
        }
        if self.order.len() > MAX_HEADS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Reads a head from the bucket. Waits while the broker does not answer.
///
/// # Errors
///
/// It is not there, or its content is another one.
pub async fn fetch(bucket: &Store, digest: HeadDigest) -> Result<Arc<Head>, String> {
    let begin = Instant::now();
    loop {
        match bucket.entry(digest.to_string()).await {
            Ok(Some(entry)) if entry.operation == Operation::Put => {
                return check(digest, entry.value.to_vec());
            }
            Ok(_) if begin.elapsed() >= MAX_DELAY => {
                return Err(format!(
                    "its head {digest} is not in the bucket {HEADS_BUCKET}"
                ));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("cannot read the head {digest}: {}", causes(&error)),
        }
        sleep(RETRY_INTERVAL).await;
    }
}

fn check(digest: HeadDigest, bytes: Vec<u8>) -> Result<Arc<Head>, String> {
    let head = Head::new(bytes);
    if head.digest() != digest {
        return Err(format!(
            "the bucket {HEADS_BUCKET} has a head with the digest {} under {digest}",
            head.digest()
        ));
    }
    Ok(Arc::new(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_under_the_digest_of_another_is_refused() {
        let digest = HeadDigest::of(b"one");
        assert_eq!(
            check(digest, b"one".to_vec()).expect("a value").bytes(),
            b"one"
        );
        let reason = check(digest, b"two".to_vec()).expect_err("an error");
        assert!(
            reason.contains(&HeadDigest::of(b"two").to_string()),
            "{reason}"
        );
    }
}
