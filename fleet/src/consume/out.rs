//! Lines of plugins, published with identifiers: the broker keeps each one once, however often it is published.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::api::Api;
use super::api::causes;
use crate::connect::Broker;
use crate::names::out_subject;
use crate::partition::Partition;

/// Most lines that wait for their acknowledgement.
const MAX_UNACKNOWLEDGED: usize = 256;

/// Time for an acknowledgement.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A line that a plugin has printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The message that it was printed for.
    pub sequence: u64,
    /// The plugin's name.
    pub plugin: String,
    /// Its number among the lines of this plugin for this message, from 0.
    pub index: u32,
    /// The line, without its end.
    pub text: Bytes,
}

/// A line on its way: ready when it is acknowledged.
type Open = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Publishes the lines of a partition.
pub(super) struct LineWriter {
    api: Api,
    partition: Partition,
    open: FuturesUnordered<Open>,
    report: Report,
}

/// Takes the reason why a line is not published, and nothing when it is.
pub(super) type Report = Arc<dyn Fn(Option<String>) + Send + Sync>;

impl LineWriter {
    /// A writer of the lines of this partition.
    pub(super) fn new(broker: &Broker, partition: Partition, report: Report) -> LineWriter {
        LineWriter {
            api: Api::new(broker, ACK_TIMEOUT),
            partition,
            open: FuturesUnordered::new(),
            report,
        }
    }

    /// Whether no line waits for its acknowledgement.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether another line may be written now.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < MAX_UNACKNOWLEDGED
    }

    /// Takes a line. It is published while [`LineWriter::settle`] or [`LineWriter::flush`] wait, again and again until
    /// it is acknowledged.
    pub(super) fn write(&mut self, line: Line) {
        let report = Arc::clone(&self.report);
        let publish = publish(self.api.clone(), self.partition, line, report);
        self.open.push(Box::pin(publish));
    }

    /// Waits until a line is acknowledged.
    pub(super) async fn settle(&mut self) {
        self.open.next().await;
    }

    /// Waits until all lines are acknowledged.
    pub(super) async fn flush(&mut self) {
        while !self.is_idle() {
            self.settle().await;
        }
    }
}

async fn publish(api: Api, partition: Partition, line: Line, report: Report) {
    let mut has_failed = false;
    while let Err(error) = try_publish(&api, partition, &line).await {
        has_failed = true;
        let cause = causes(&error);
        report(Some(format!(
            "cannot publish lines of partition {partition}: {cause}"
        )));
        sleep(RETRY_INTERVAL).await;
    }
    if has_failed {
        report(None);
    }
}

async fn try_publish(api: &Api, partition: Partition, line: &Line) -> Result<(), PublishError> {
    let Line {
        sequence,
        plugin,
        index,
        text,
    } = line;
    let message = PublishMessage::build()
        .message_id(format!("{partition}/{sequence}/{plugin}/{index}"))
        .payload(text.clone());
    let sent = api.jetstream.send_publish(out_subject(partition), message);
    sent.await?.await.map(|_| ())
}
