//! The latest message of each subject under a filter, by one request. The client has no function for it; servers have
//! it from 2.11 on.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::Message;
use async_nats::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::timeout;

use super::broker::Broker;

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
}

/// The latest message of each subject under this filter: 1,024 at most, otherwise the server refuses.
///
/// # Errors
///
/// No answer within `within`, or one that says why not.
pub(crate) async fn latest(
    broker: &Broker,
    stream: &str,
    filter: &str,
    within: Duration,
) -> Result<Vec<Latest>, String> {
    match timeout(within, request(broker, stream, filter)).await {
        Ok(found) => found.map_err(|cause| format!("cannot read {filter} of {stream}: {cause}")),
        Err(_) => Err(format!(
            "cannot read {filter} of {stream}: no answer within {within:?}"
        )),
    }
}

async fn request(broker: &Broker, stream: &str, filter: &str) -> Result<Vec<Latest>, String> {
    #[derive(Serialize)]
    struct Request<'a> {
        multi_last: [&'a str; 1],
    }
    let request = Request {
        multi_last: [filter],
    };
    let request = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
    let inbox = broker.client.new_inbox();
    let answers = broker.client.subscribe(inbox.clone()).await;
    let mut answers = answers.map_err(|error| error.to_string())?;
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    let sent = broker
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
    })
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
