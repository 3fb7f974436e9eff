//! Sends the frames of the spool: one at a time in each partition, all partitions at the same time.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::publish::PublishAck;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Clock;
use super::backoff::Backoff;
use super::presence;
use super::presence::Presence;
use super::shared::Shared;
use super::spool::Outgoing;
use crate::connect;
use crate::connect::Broker;
use crate::connect::BucketError;
use crate::connect::ConnectError;
use crate::connect::NO_ANSWER;
use crate::connect::Prepared;
use crate::names;
use crate::names::AgentRun;
use crate::names::HEADS_BUCKET;
use crate::names::HostToken;
use crate::partition::Partitions;
use crate::setup;
use crate::setup::SettingsError;

/// How long a frame waits for a connection until the cause of its absence is told.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of the run waits for the last report of the agent, which says that it has ended.
const LAST_REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Most frames that are sent at the same time.
const WINDOW: usize = 64;

pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) broker: Prepared,
    pub(super) host: HostToken,
    pub(super) run: AgentRun,
    pub(super) partitions: Partitions,
    pub(super) clock: Clock,
}

/// What became of an attempt to send a frame.
enum Outcome {
    Acknowledged {
        is_duplicate: bool,
    },
    /// It can never be sent.
    Impossible(String),
    /// It may be accepted later.
    Later(String),
    /// The broker did not answer in time. A person may have to restart it.
    Unanswered,
    /// There is no connection, or it ended: whether the broker has the frame is not known then.
    Disconnected(String),
    /// The user may not connect, or not publish it: a person has to do something.
    Refused(String),
}

impl Outcome {
    fn of_answer(answer: Result<PublishAck, PublishError>) -> Outcome {
        let error = match answer {
            Ok(ack) => {
                return Outcome::Acknowledged {
                    is_duplicate: ack.duplicate,
                };
            }
            Err(error) => error,
        };
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                Outcome::Impossible(format!("it is too large: {error}"))
            }
            PublishErrorKind::StreamNotFound => Outcome::Later(
                "the broker has no stream for frames: is it starting, or not set up?".to_owned(),
            ),
            PublishErrorKind::TimedOut => Outcome::Unanswered,
            _ => Outcome::Later(format!("the broker does not accept frames: {error}")),
        }
    }
}

/// The broker cannot be used now.
#[derive(Debug, thiserror::Error)]
enum BrokerError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot write the head of the frames: {0}")]
    Head(BucketError),
}

impl BrokerError {
    /// Returns whether a person has to do something.
    fn is_permanent(&self) -> bool {
        match self {
            BrokerError::Connect(error) => !error.may_pass(),
            BrokerError::Settings(error) => !matches!(error, SettingsError::Broker(_)),
            BrokerError::Head(error) => !matches!(error, BucketError::Other(..)),
        }
    }
}

impl Sender {
    /// Sends frames until the publisher is asked to end, and everything is sent or the time is over.
    pub(super) async fn run(self) {
        let work = async {
            let Some(broker) = self.connect().await else {
                return;
            };
            let mut presence = Presence::new(&self.host, &self.run, &self.shared);
            tokio::select! {
                () = self.send(&broker) => {}
                () = self.report(&broker, &mut presence) => {}
            }
            let report = presence.report(&broker, true);
            if !matches!(
                tokio::time::timeout(LAST_REPORT_TIMEOUT, report).await,
                Ok(Ok(()))
            ) {
                tracing::debug!("the last report of the agent is not written");
            }
        };
        tokio::select! {
            () = work => {}
            () = self.shared.deadline() => {}
        }
    }

    /// Connects, with as many attempts as it takes. `None`: the publisher ends, and there is nothing to send, or
    /// another attempt would fail as well.
    async fn connect(&self) -> Option<Broker> {
        let mut backoff = Backoff::default();
        let mut broker = None;
        let mut told = Told::default();
        loop {
            match self.prepare(&mut broker).await {
                Ok(broker) => {
                    told.recovered(&broker);
                    return Some(broker);
                }
                Err(error) => {
                    let cause = error.to_string();
                    self.shared.spool().fail(&cause);
                    told.failed(&cause, error.is_permanent());
                    backoff.failed(error.is_permanent());
                }
            }
            let may_pass = backoff.may_pass() && !self.shared.spool().is_empty();
            if self.shared.is_finishing() && !may_pass {
                return None;
            }
            tokio::select! {
                () = backoff.wait() => {}
                // A last attempt is made at once, with what is left.
                _ = self.shared.finishing(), if !self.shared.is_finishing() => {}
            }
        }
    }

    /// Connects if there is no connection yet, checks the settings of the fleet, and writes the heads.
    async fn prepare(&self, broker: &mut Option<Broker>) -> Result<Broker, BrokerError> {
        let there = match broker {
            Some(broker) => broker,
            None => broker.insert(connect::connect(&self.broker).await?),
        };
        let settings = setup::read_settings(there).await?;
        settings.expect_partitions(self.partitions)?;
        self.write_heads(there).await.map_err(BrokerError::Head)?;
        Ok(there.clone())
    }

    /// Writes the heads that the broker does not have.
    async fn write_heads(&self, broker: &Broker) -> Result<(), BucketError> {
        let heads = self.shared.spool().heads();
        let bucket = broker.bucket(HEADS_BUCKET);
        for (digest, head) in heads {
            let key = digest.to_string();
            let there = bucket.get(&key).await?;
            if there.is_none_or(|there| there.value != head) {
                bucket.put(&key, head, None).await?;
            }
        }
        Ok(())
    }

    /// Reports for ever. After each new connection the heads are written again: the broker may be another one.
    async fn report(&self, broker: &Broker, presence: &mut Presence<'_>) {
        let mut generation = broker.link().generation();
        loop {
            let now = broker.link().generation();
            if now != generation && self.write_heads(broker).await.is_ok() {
                generation = now;
            }
            if let Err(error) = presence.report(broker, false).await {
                tracing::debug!("the report of the agent is not written: {error}");
            }
            tokio::time::sleep(presence::INTERVAL).await;
        }
    }

    /// Sends frames until the publisher ends and all are sent, or the rest is not permitted.
    async fn send(&self, broker: &Broker) {
        let shared = &self.shared;
        let mut attempts = FuturesUnordered::new();
        let mut backoff = Backoff::default();
        let mut told = Told::default();
        loop {
            // After a failure one frame shows whether it is over.
            let window = if backoff.is_failing() { 1 } else { WINDOW };
            while attempts.len() < window && !backoff.is_waiting() {
                let Some(outgoing) = shared.spool().next() else {
                    break;
                };
                attempts.push(self.attempt(broker, outgoing));
            }
            let may_pass = backoff.may_pass() && !shared.spool().is_empty();
            if shared.is_finishing() && attempts.is_empty() && !may_pass {
                return;
            }
            tokio::select! {
                Some((outgoing, outcome)) = attempts.next() => {
                    self.settle(broker, &outgoing, outcome, &mut backoff, &mut told);
                }
                () = shared.wake.notified() => {}
                () = backoff.wait(), if backoff.is_waiting() => {}
                _ = shared.finishing(), if !shared.is_finishing() => {}
            }
        }
    }

    async fn attempt(&self, broker: &Broker, outgoing: Outgoing) -> (Outgoing, Outcome) {
        let frame = match outgoing.frame() {
            Ok(frame) => frame,
            Err(error) => {
                let cause = format!("it cannot be read from the spool: {error}");
                return (outgoing, Outcome::Impossible(cause));
            }
        };
        let link = broker.link();
        let connected = tokio::time::timeout(RECONNECT_TIMEOUT, link.connected()).await;
        if connected.is_err() {
            let outcome = match broker.refusal() {
                Some(refusal) => Outcome::Refused(refusal.to_string()),
                None => {
                    let error = link.error().unwrap_or_default();
                    Outcome::Disconnected(format!("the broker is away: {error}"))
                }
            };
            return (outgoing, outcome);
        }
        let subject = names::events_subject(outgoing.id.partition, &self.host);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, outgoing.id.to_string());
        headers.insert(names::HEAD_HEADER, outgoing.head.to_string());
        headers.insert(names::EVENTS_HEADER, outgoing.events.to_string());
        // When it is sent, not when it was made. Times of another boot cannot be compared with the clock of this one: their
        // age is not known, and more than any window has.
        let clock = match outgoing.id.run.boot == self.run.boot {
            true => (self.clock)().as_nanos(),
            false => u64::MAX.into(),
        };
        headers.insert(names::CLOCK_HEADER, clock.to_string());
        let violation = link.violation(&subject);
        let ended = link.ended();
        let publish = async {
            let context = broker.jetstream();
            context
                .publish_with_headers(subject, headers, frame)
                .await?
                .await
        };
        let outcome = tokio::select! {
            answer = publish => Outcome::of_answer(answer),
            words = violation => Outcome::Refused(format!(
                "the broker does not permit to publish as {}: {words}",
                self.host.name()
            )),
            () = ended => Outcome::Disconnected("the connection to the broker was lost".to_owned()),
        };
        (outgoing, outcome)
    }

    fn settle(
        &self,
        broker: &Broker,
        outgoing: &Outgoing,
        outcome: Outcome,
        backoff: &mut Backoff,
        told: &mut Told,
    ) {
        let mut spool = self.shared.spool();
        match outcome {
            Outcome::Acknowledged { is_duplicate } => {
                spool.acknowledge(outgoing, is_duplicate);
                backoff.succeeded();
                told.recovered(broker);
            }
            Outcome::Impossible(cause) => {
                let cause = format!("a frame of {} events is dropped: {cause}", outgoing.events);
                // It may have been dropped already, with its file.
                if spool.lose(outgoing, &cause) {
                    tracing::warn!("{cause}");
                }
            }
            Outcome::Later(cause) => {
                spool.give_back(outgoing);
                spool.fail(&cause);
                backoff.failed(false);
                told.failed(&cause, false);
            }
            Outcome::Unanswered => {
                spool.give_back(outgoing);
                spool.fail(NO_ANSWER);
                // It may as well be slow: the next attempt is made soon.
                backoff.failed(false);
                told.failed(NO_ANSWER, true);
            }
            // The next attempt waits for a connection.
            Outcome::Disconnected(cause) => {
                spool.give_back(outgoing);
                spool.fail(&cause);
                told.failed(&cause, false);
            }
            Outcome::Refused(cause) => {
                spool.give_back(outgoing);
                spool.fail(&cause);
                backoff.failed(true);
                told.failed(&cause, true);
            }
        }
    }
}

/// What the log says: once that frames are kept and why, once more if a person has to act, and once that they are sent
/// again.
#[derive(Default)]
struct Told {
    is_failing: bool,
    needs_person: bool,
}

impl Told {
    fn failed(&mut self, cause: &str, needs_person: bool) {
        if self.is_news(needs_person) {
            tracing::warn!("frames are kept until the broker takes them: {cause}");
        }
    }

    fn is_news(&mut self, needs_person: bool) -> bool {
        let is_told = self.is_failing && (self.needs_person || !needs_person);
        self.is_failing = true;
        self.needs_person |= needs_person;
        !is_told
    }

    fn recovered(&mut self, broker: &Broker) {
        if std::mem::take(self).is_failing {
            tracing::info!("the broker {} takes frames again", broker.address());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_does_not_answer_is_told_once_more_after_a_lost_connection() {
        let mut told = Told::default();
        // Disconnected twice, then no answer twice, then disconnected.
        let news = [false, false, true, true, false].map(|needs_person| told.is_news(needs_person));
        assert_eq!(news, [true, false, true, false, false]);
    }
}
