//! Values in a bucket, with the fewest rights: the client's own store asks for the state of the whole bucket first.

use async_nats::HeaderMap;
use async_nats::header;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;

use super::broker::Broker;
use super::broker::NO_ANSWER;

/// A bucket of the broker.
pub(crate) struct Bucket<'a> {
    broker: &'a Broker,
    name: &'static str,
}

/// A value, and the revision that the next writer must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Bytes,
    pub(crate) revision: u64,
}

/// A value cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    /// Another writer was first.
    #[error("key {0} was written by another one")]
    Conflict(String),
    /// There is no such bucket.
    #[error("the broker has no bucket {0}: run `retrans-host fleet init`")]
    Missing(&'static str),
    /// The user has no right to it.
    #[error("{0}")]
    Permission(String),
    /// The broker does not answer, or refuses.
    #[error("bucket {0}: {1}")]
    Other(&'static str, String),
}

impl Broker {
    /// The bucket of this name.
    pub(crate) fn bucket(&self, name: &'static str) -> Bucket<'_> {
        Bucket { broker: self, name }
    }
}

impl Bucket<'_> {
    /// The value of a key, if it has one.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Entry>, BucketError> {
        let stream = format!("KV_{}", self.name);
        let subject = self.subject(key);
        let request = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
        let context = self.broker.jetstream();
        let stream = context.get_stream_no_info(stream).await;
        let stream = stream.map_err(|error| self.other(&error))?;
        let answer = tokio::select! {
            answer = stream.direct_get_last_for_subject(subject) => answer,
            words = self.broker.link().violation(&request) => return Err(BucketError::Permission(words)),
        };
        match answer {
            Ok(message) if message.headers.get("KV-Operation").is_some() => Ok(None),
            Ok(message) => Ok(Some(Entry {
                value: message.payload,
                revision: message.sequence,
            })),
            Err(error) => match error.kind() {
                DirectGetErrorKind::NotFound => Ok(None),
                // No responders: there is no such stream.
                DirectGetErrorKind::ErrorResponse(status, _) if status.as_u16() == 503 => {
                    Err(BucketError::Missing(self.name))
                }
                _ => Err(self.other(&error)),
            },
        }
    }

    /// Writes a value. With a revision, only if the value has this one; 0 is that of a key without a value.
    pub(crate) async fn put(
        &self,
        key: &str,
        value: Bytes,
        revision: Option<u64>,
    ) -> Result<u64, BucketError> {
        let subject = self.subject(key);
        let mut headers = HeaderMap::new();
        if let Some(revision) = revision {
            headers.insert(
                header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                revision.to_string(),
            );
        }
        let violation = self.broker.link().violation(&subject);
        let publish = async {
            let context = self.broker.jetstream();
            context
                .publish_with_headers(subject, headers, value)
                .await?
                .await
        };
        let answer = tokio::select! {
            answer = publish => answer,
            words = violation => return Err(BucketError::Permission(words)),
        };
        match answer {
            Ok(ack) => Ok(ack.sequence),
            Err(error) => Err(match error.kind() {
                PublishErrorKind::WrongLastSequence => BucketError::Conflict(key.to_owned()),
                PublishErrorKind::StreamNotFound => BucketError::Missing(self.name),
                PublishErrorKind::TimedOut => BucketError::Other(self.name, NO_ANSWER.to_owned()),
                _ => self.other(&error),
            }),
        }
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    fn other(&self, error: &dyn std::error::Error) -> BucketError {
        BucketError::Other(self.name, error.to_string())
    }
}
