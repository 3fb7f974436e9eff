//! Reads a partition, or all of them, in order, from a place on, through restarts of the broker.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::Consumer;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;

use super::api::Api;
use super::api::causes;
use super::latest::date_time;
use super::latest::unix_time;
use super::message::Arrived;
use super::message::Content;
use super::message::Message;
use crate::connect::Broker;
use crate::names::STREAM;
use crate::names::partition_of;
use crate::names::partition_subjects;
use crate::partition::Partition;

/// Time for a request to the broker.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The server says this often that it is there. Twice this time without a word: the consumer is made again.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How often a reader that waits looks whether the connection is another one.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Time between attempts to make the consumer.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// The server drops a consumer that was not asked for messages for this time: its chain was busy.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(120);

/// Most messages that are on their way to a reader.
const MAX_MESSAGES: usize = 256;

/// Most bytes that are on their way to a reader, unless one message may be larger.
const MAX_BYTES: usize = 2 << 20;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// At the first message that is there.
    Beginning,
    /// At the first message that is published after the reader connects.
    End,
    /// At the first message with this sequence or a later one.
    Sequence(u64),
    /// At the first message that the broker stored at this Unix time or later.
    Time(Duration),
}

/// What a reader gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The next message.
    Message(Arrived),
    /// The stream does not have what was asked for.
    Break(Break),
}

/// The stream does not have what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Messages have aged out before they were read. How many of them were of this partition is not known.
    Expired {
        /// The sequence that was asked for.
        asked: u64,
        /// The first one of the stream.
        first: u64,
    },
    /// The stream ends before what was asked for: it was created anew, or a server lost what it had acknowledged.
    /// Reading goes on at its beginning: messages may come again, with sequences below those before.
    Rewound {
        /// The sequence that was asked for.
        asked: u64,
        /// The last one of the stream.
        last: u64,
    },
}

/// Reads a partition, or all of them, in order. Each message is given once.
pub struct Reader {
    api: Api,
    /// `None`: all of them.
    partition: Option<Partition>,
    next: StartAt,
    source: Option<Source>,
    status: watch::Sender<ReaderStatus>,
}

/// How reading goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderStatus {
    /// Number of messages to be read after the last one, when the server sent that. None: not connected yet.
    pub lag: Option<u64>,
    /// Why nothing is read now. None: reading.
    pub problem: Option<String>,
}

/// A consumer in the broker.
struct Source {
    messages: pull::Stream,
    name: String,
    /// Number of its messages so far. A message that was lost with a connection leaves a gap.
    received: u64,
    /// Number of connections before it was made.
    connects: u64,
}

impl Reader {
    /// A reader of this partition. It connects to the stream when it is first asked.
    pub fn new(broker: &Broker, partition: Partition, from: StartAt) -> Reader {
        Reader::of(broker, Some(partition), from)
    }

    /// A reader of all partitions, in the order of the stream.
    pub fn all(broker: &Broker, from: StartAt) -> Reader {
        Reader::of(broker, None, from)
    }

    fn of(broker: &Broker, partition: Option<Partition>, from: StartAt) -> Reader {
        Reader {
            api: Api::new(broker, REQUEST_TIMEOUT),
            partition,
            next: from,
            source: None,
            status: watch::Sender::default(),
        }
    }

    /// How reading goes, also while [`Reader::next`] waits.
    pub fn status(&self) -> watch::Receiver<ReaderStatus> {
        self.status.subscribe()
    }

    /// Connects to the stream now, once. Otherwise [`Reader::next`] does, and tries again until it can.
    ///
    /// # Errors
    ///
    /// If the stream cannot be read.
    pub async fn open(&mut self) -> Result<(), String> {
        // It is not at a sequence yet, so that nothing can be missing.
        self.connect().await.map(drop)
    }

    /// Ends reading: the consumer in the broker is deleted. It waits for that, for `within` at most.
    pub async fn close(mut self, within: Duration) {
        if let Some(source) = self.source.take() {
            let _ = timeout(within, delete(self.api.jetstream.clone(), source.name)).await;
        }
    }

    /// Waits for the next message. While the broker does not answer, it is asked again. It may be dropped while it
    /// waits: the next call gives the message.
    pub async fn next(&mut self) -> Read {
        loop {
            if self.source.is_none() {
                match self.connect().await {
                    Ok(None) => {}
                    Ok(Some(found)) => return Read::Break(found),
                    Err(problem) => {
                        self.report(problem);
                        sleep(RETRY_INTERVAL).await;
                        continue;
                    }
                }
            }
            match self.receive().await {
                Ok(Some(message)) => return Read::Message(message),
                Ok(None) => {}
                Err(problem) => {
                    self.report(problem);
                    self.source = None;
                }
            }
        }
    }

    fn report(&self, problem: String) {
        self.status.send_if_modified(|status| {
            if status.problem.is_none() {
                let what = self.what();
                tracing::debug!("reading {what} is interrupted: {problem}");
            }
            let is_new = status.problem.as_ref() != Some(&problem);
            status.problem = Some(problem);
            is_new
        });
    }

    /// Makes the consumer in the broker, unless the stream does not have what is asked for.
    async fn connect(&mut self) -> Result<Option<Break>, String> {
        let connects = self.connects();
        let stream = self.api.jetstream.get_stream(STREAM).await;
        let stream = stream
            .map_err(|error| format!("cannot open the stream {STREAM}: {}", causes(&error)))?;
        let state = &stream.cached_info().state;
        if self.next == StartAt::End {
            self.next = StartAt::Sequence(state.last_sequence + 1);
        } else if let StartAt::Sequence(asked) = self.next {
            let found = missing(asked, state.first_sequence, state.last_sequence);
            if let Some(found) = found {
                self.next = match found {
                    Break::Expired { first, .. } => StartAt::Sequence(first),
                    Break::Rewound { .. } => StartAt::Beginning,
                };
                return Ok(Some(found));
            }
        }
        let made = timeout(REQUEST_TIMEOUT, stream.create_consumer(self.config())).await;
        let consumer: Consumer<pull::Config> = made
            .map_err(|_| format!("cannot create a consumer within {REQUEST_TIMEOUT:?}"))?
            .map_err(|error| format!("cannot create a consumer: {}", causes(&error)))?;
        let name = consumer.cached_info().name.clone();
        let lag = Some(consumer.cached_info().num_pending);
        let messages = consumer
            .stream()
            .max_messages_per_batch(MAX_MESSAGES)
            // The server refuses to send a message that is larger than this.
            .max_bytes_per_batch(MAX_BYTES.max(2 * self.api.client.max_payload()))
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| format!("cannot read: {}", causes(&error)))?;
        self.source = Some(Source {
            messages,
            name,
            received: 0,
            connects,
        });
        self.status
            .send_replace(ReaderStatus { lag, problem: None });
        Ok(None)
    }

    /// What is read, in words.
    fn what(&self) -> String {
        match self.partition {
            Some(partition) => format!("partition {partition}"),
            None => "all partitions".to_owned(),
        }
    }

    fn config(&self) -> pull::Config {
        // The stream has no messages of anything else.
        let subjects = self.partition.map(partition_subjects);
        pull::Config {
            description: Some(self.what()),
            deliver_policy: match self.next {
                StartAt::Beginning | StartAt::End => DeliverPolicy::All,
                StartAt::Sequence(start_sequence) => {
                    DeliverPolicy::ByStartSequence { start_sequence }
                }
                StartAt::Time(time) => DeliverPolicy::ByStartTime {
                    start_time: date_time(time),
                },
            },
            ack_policy: AckPolicy::None,
            filter_subjects: subjects.map(Vec::from).unwrap_or_default(),
            inactive_threshold: INACTIVE_THRESHOLD,
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        }
    }

    /// Waits for a message for some time. An error: the consumer must be made again.
    async fn receive(&mut self) -> Result<Option<Arrived>, String> {
        let connects = self.connects();
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        // A message that was sent over a connection that broke does not come again: the server believes that it
        // arrived.
        if source.connects != connects {
            return Err("the connection was interrupted".to_owned());
        }
        let message = match timeout(CHECK_INTERVAL, source.messages.next()).await {
            Err(_) => return Ok(None),
            Ok(None) => return Err(format!("the consumer {} has ended", source.name)),
            Ok(Some(Err(error))) => return Err(causes(&error)),
            Ok(Some(Ok(message))) => message,
        };
        let (arrived, number, pending) = read(self.partition, message)?;
        if number != source.received + 1 {
            return Err(format!(
                "message {number} of the consumer {} came after {}",
                source.name, source.received
            ));
        }
        source.received = number;
        self.next = StartAt::Sequence(arrived.sequence + 1);
        self.status.send_replace(ReaderStatus {
            lag: Some(pending),
            problem: None,
        });
        Ok(Some(arrived))
    }

    fn connects(&self) -> u64 {
        self.api
            .client
            .statistics()
            .connects
            .load(Ordering::Relaxed)
    }
}

impl Drop for Reader {
    /// The consumer in the broker is deleted, if there is time. Otherwise the server does it, after some time.
    fn drop(&mut self) {
        let (Some(source), Ok(runtime)) = (&self.source, tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (jetstream, name) = (self.api.jetstream.clone(), source.name.clone());
        runtime.spawn(delete(jetstream, name));
    }
}

async fn delete(jetstream: jetstream::Context, name: String) {
    let deleted = jetstream.delete_consumer_from_stream(&name, STREAM).await;
    if let Err(error) = deleted {
        tracing::debug!("cannot delete the consumer {name}: {}", causes(&error));
    }
}

/// What the stream lacks. `first` is 1 more than `last` if it is empty.
fn missing(asked: u64, first: u64, last: u64) -> Option<Break> {
    if asked > last + 1 {
        return Some(Break::Rewound { asked, last });
    }
    (asked < first).then_some(Break::Expired { asked, first })
}

/// The message, its number in the consumer, and the number of messages after it. Without a partition, the subject tells
/// which one it is.
fn read(
    partition: Option<Partition>,
    message: jetstream::Message,
) -> Result<(Arrived, u64, u64), String> {
    let info = message.info().map_err(|error| error.to_string())?;
    let (sequence, stamped) = (info.stream_sequence, unix_time(info.published));
    let (number, pending) = (info.consumer_sequence, info.pending);
    let (subject, headers) = (&message.subject, message.headers.as_ref());
    let content = match partition.or_else(|| partition_of(subject)) {
        Some(partition) => Content::parse(partition, subject, headers, message.payload.clone()),
        None => Content::foreign(subject),
    };
    let arrived = Message {
        sequence,
        stamped,
        content,
    };
    Ok((arrived, number, pending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stream_lacks_is_told() {
        assert_eq!(missing(6, 1, 5), None);
        assert_eq!(missing(1, 1, 0), None);
        assert_eq!(missing(6, 6, 5), None);
        let expired = |asked, first| Some(Break::Expired { asked, first });
        assert_eq!(missing(6, 8, 7), expired(6, 8));
        assert_eq!(missing(1, 2, 5), expired(1, 2));
        let rewound = |asked, last| Some(Break::Rewound { asked, last });
        assert_eq!(missing(7, 1, 5), rewound(7, 5));
        assert_eq!(missing(2, 1, 0), rewound(2, 0));
    }
}
