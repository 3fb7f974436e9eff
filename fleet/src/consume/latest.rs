//! The latest message of each subject under a filter. By one request, for which the client has no function; servers
//! have it from 2.11 on. Or by a consumer, for more of them.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::Message;
use async_nats::StatusCode;
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::Consumer;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::timeout;

use super::api::Api;
use super::api::causes;

/// Most messages of a batch.
const MAX_BATCH: usize = 500;

/// Time for a batch.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The server drops a consumer that was not used for this time.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(10);

/// The latest message of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) subject: String,
    /// Its number in the stream, which is the revision of a value.
    pub(crate) revision: u64,
    /// When it was stored, as Unix time.
    pub(crate) stamped: Duration,
    /// It says that the value was deleted.
    pub(crate) is_deleted: bool,
    pub(crate) value: Bytes,
    headers: HeaderMap,
}

impl Latest {
    /// A header of the message.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get_last(name).map(|value| value.as_str())
    }
}

/// The latest message of each subject under this filter: 1,024 at most, otherwise the server refuses.
///
/// # Errors
///
/// No answer within `within`, or one that says why not.
pub(crate) async fn latest(
    api: &Api,
    stream: &str,
    filter: &str,
    within: Duration,
) -> Result<Vec<Latest>, String> {
    match timeout(within, request(api, stream, filter)).await {
        Ok(found) => found.map_err(|cause| format!("cannot read {filter} of {stream}: {cause}")),
        Err(_) => Err(format!(
            "cannot read {filter} of {stream}: no answer within {within:?}"
        )),
    }
}

async fn request(api: &Api, stream: &str, filter: &str) -> Result<Vec<Latest>, String> {
    #[derive(Serialize)]
    struct Request<'a> {
        multi_last: [&'a str; 1],
    }
    let request = Request {
        multi_last: [filter],
    };
    let request = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
    let inbox = api.client.new_inbox();
    let answers = api.client.subscribe(inbox.clone()).await;
    let mut answers = answers.map_err(|error| error.to_string())?;
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    let sent = api
        .client
        .publish_with_reply(subject, inbox, request.into())
        .await;
    sent.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer.status {
            None | Some(StatusCode::OK) => found.push(read(answer)?),
            // The end.
            Some(status) if status.as_u16() == 204 => return Ok(found),
            // There are no messages.
            Some(StatusCode::NOT_FOUND) => return Ok(Vec::new()),
            Some(StatusCode::NO_RESPONDERS) => {
                return Err("there is no such stream, or its leader is away".to_owned());
            }
            Some(status) => {
                let description = answer.description.unwrap_or_default();
                return Err(format!("the server answers {status} {description}"));
            }
        }
    }
    Err("the connection was closed".to_owned())
}

fn read(answer: Message) -> Result<Latest, String> {
    let headers = answer.headers.ok_or("an answer has no headers")?;
    let text = |name: &str| {
        let value = headers.get_last(name).map(|value| value.as_str());
        value.ok_or_else(|| format!("an answer has no header {name}"))
    };
    let stamped = async_nats::datetime::parse_rfc3339(text("Nats-Time-Stamp")?);
    let stamped = stamped.map_err(|error| error.to_string())?;
    Ok(Latest {
        subject: text("Nats-Subject")?.to_owned(),
        revision: text("Nats-Sequence")?
            .parse()
            .map_err(|_| "an answer has an odd header Nats-Sequence".to_owned())?,
        stamped: unix_time(stamped),
        is_deleted: is_deleted(&headers),
        value: answer.payload,
        headers,
    })
}

/// The latest message of each subject under this filter, however many there are, by a consumer. With `is_brief` without
/// their contents.
///
/// # Errors
///
/// The broker does not answer, or does not permit it.
pub(crate) async fn newest(
    api: &Api,
    stream: &str,
    filter: &str,
    is_brief: bool,
) -> Result<Vec<Latest>, String> {
    let failed = |cause: String| format!("cannot read {filter} of {stream}: {cause}");
    let config = pull::Config {
        description: Some("latest values".to_owned()),
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        filter_subject: filter.to_owned(),
        headers_only: is_brief,
        inactive_threshold: INACTIVE_THRESHOLD,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    };
    let created = api
        .jetstream
        .create_consumer_on_stream(config, stream)
        .await;
    let consumer: Consumer<pull::Config> = created.map_err(|error| failed(causes(&error)))?;
    let mut left = consumer.cached_info().num_pending;
    let mut found = Vec::new();
    while left > 0 {
        let batch = consumer
            .fetch()
            .max_messages(MAX_BATCH)
            .expires(BATCH_TIMEOUT);
        let messages = batch.messages().await;
        let mut messages = messages.map_err(|error| failed(causes(&error)))?;
        let before = found.len();
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| failed(error.to_string()))?;
            let info = message.info().map_err(|error| failed(error.to_string()))?;
            left = info.pending;
            let (revision, stamped) = (info.stream_sequence, unix_time(info.published));
            let headers = message.headers.clone().unwrap_or_default();
            found.push(Latest {
                subject: message.subject.to_string(),
                revision,
                stamped,
                is_deleted: is_deleted(&headers),
                value: message.payload.clone(),
                headers,
            });
        }
        if found.len() == before {
            return Err(failed(format!("{left} values did not come")));
        }
    }
    let name = &consumer.cached_info().name;
    if let Err(error) = api
        .jetstream
        .delete_consumer_from_stream(name, stream)
        .await
    {
        tracing::debug!("cannot delete the consumer {name}: {}", causes(&error));
    }
    Ok(found)
}

fn is_deleted(headers: &HeaderMap) -> bool {
    let marker = headers.get(async_nats::header::NATS_MARKER_REASON);
    let operation = headers
        .get("KV-Operation")
        .map(|operation| operation.as_str());
    marker.is_some() || matches!(operation, Some("DEL" | "PURGE"))
}

/// A time of the client as Unix time. Before 1970: zero.
pub(crate) fn unix_time(time: async_nats::datetime::DateTime) -> Duration {
    let nanos = u64::try_from(time.unix_timestamp_nanos()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

/// A Unix time as one of the client, which every time until the year 2554 has.
pub(crate) fn date_time(time: Duration) -> async_nats::datetime::DateTime {
    let nanos = time.as_nanos().min(u128::from(u64::MAX)) as i128;
    async_nats::datetime::from_nanos(nanos).unwrap_or_else(|_| async_nats::datetime::now())
}
