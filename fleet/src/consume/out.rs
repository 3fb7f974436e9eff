//! Lines of plugins, published with identifiers: the broker keeps each one once, however often it is published.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::broker::Broker;
use super::lock;
use super::state::causes;
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
pub struct LineWriter {
    broker: Broker,
    partition: Partition,
    open: FuturesUnordered<Open>,
    problem: Arc<Mutex<Option<String>>>,
}

impl LineWriter {
    /// A writer of the lines of this partition.
    pub fn new(broker: &Broker, partition: Partition) -> LineWriter {
        LineWriter {
            broker: broker.within(ACK_TIMEOUT),
            partition,
            open: FuturesUnordered::new(),
            problem: Arc::default(),
        }
    }

    /// Whether no line waits for its acknowledgement.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether another line may be written now.
    pub fn has_room(&self) -> bool {
        self.open.len() < MAX_UNACKNOWLEDGED
    }

    /// Why lines are not published now.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Takes a line. It is published while [`LineWriter::settle`] or [`LineWriter::flush`] wait, again and again until it
    /// is acknowledged.
    pub fn write(&mut self, line: Line) {
        let problem = Arc::clone(&self.problem);
        let publish = publish(self.broker.clone(), self.partition, line, problem);
        self.open.push(Box::pin(publish));
    }

    /// Waits until a line is acknowledged.
    pub async fn settle(&mut self) {
        self.open.next().await;
    }

    /// Waits until all lines are acknowledged.
    pub async fn flush(&mut self) {
        while !self.is_idle() {
            self.settle().await;
        }
    }
}

async fn publish(
    broker: Broker,
    partition: Partition,
    line: Line,
    problem: Arc<Mutex<Option<String>>>,
) {
    while let Err(error) = try_publish(&broker, partition, &line).await {
        let cause = causes(&error);
        let found = format!("cannot publish lines of partition {partition}: {cause}");
        if lock(&problem).replace(found.clone()).is_none() {
            tracing::warn!("{found}");
        }
        sleep(RETRY_INTERVAL).await;
    }
    *lock(&problem) = None;
}

async fn try_publish(
    broker: &Broker,
    partition: Partition,
    line: &Line,
) -> Result<(), PublishError> {
    let Line {
        sequence,
        plugin,
        index,
        text,
    } = line;
    let message = PublishMessage::build()
        .message_id(format!("{partition}/{sequence}/{plugin}/{index}"))
        .payload(text.clone());
    let sent = broker
        .jetstream
        .send_publish(out_subject(partition), message);
    sent.await?.await.map(|_| ())
}
