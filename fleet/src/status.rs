//! What a fleet does, read from its broker: the stream, who has which partition, consumers, agents.

mod coverage;

pub use coverage::Coverage;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::Consumer;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::connect::Broker;
use crate::consume::LEASE_TIMEOUT;
use crate::consume::Lease;
use crate::consume::Presence;
use crate::consume::api::Api;
use crate::consume::api::causes;
use crate::consume::latest::Latest;
use crate::consume::latest::latest;
use crate::consume::latest::newest;
use crate::consume::latest::unix_time;
use crate::names::AGENTS_BUCKET;
use crate::names::HostToken;
use crate::names::LEASES_BUCKET;
use crate::names::SEQUENCE_HEADER;
use crate::names::STATE_BUCKET;
use crate::names::STREAM;
use crate::names::partition_subjects;
use crate::partition::Partition;
use crate::partition::Partitions;
use crate::setup;

/// Time for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of partitions that the broker is asked about at a time.
const AT_A_TIME: usize = 8;

/// What a fleet does. Times are the broker's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetStatus {
    /// When it was read, as Unix time in seconds.
    pub now: u64,
    /// The stream of frames.
    pub stream: StreamStatus,
    /// All partitions, in their order.
    pub partitions: Vec<PartitionState>,
    /// The consumers that are there, by their names.
    pub consumers: Vec<ConsumerState>,
    /// What the agents said of themselves last, by their hosts.
    pub agents: Vec<AgentState>,
}

/// The stream of frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// Number of messages: frames and ticks.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// Sequence of the first message that is there.
    pub first_sequence: u64,
    /// Sequence of the last message.
    pub last_sequence: u64,
    /// When the first one was stored, as Unix time in seconds. None: there is none.
    pub first: Option<u64>,
    /// When the last one was stored.
    pub last: Option<u64>,
    /// Most bytes. None: no limit but that of the server.
    pub max_bytes: Option<u64>,
    /// Seconds after which messages age out. None: never.
    pub max_age: Option<u64>,
    /// Number of servers that have a copy.
    pub replicas: usize,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionState {
    /// Which one.
    pub partition: Partition,
    /// Who has it. None: no consumer.
    pub owner: Option<Owner>,
    /// Its last snapshot. None: there is none.
    pub snapshot: Option<SnapshotState>,
    /// Number of its messages after the snapshot, or of all that are there.
    pub lag: u64,
}

/// The consumer that has a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Since when, as Unix time in seconds, by its own clock.
    pub since: u64,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotState {
    /// The last message that it contains. None: another version wrote it.
    pub sequence: Option<u64>,
    /// Seconds since it was saved.
    pub age: u64,
}

/// A consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsumerState {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Since when, as Unix time in seconds, by its own clock.
    pub since: u64,
    /// The partitions that it has.
    pub partitions: Vec<Partition>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentState {
    /// Its host.
    pub host: String,
    /// Seconds since it said this.
    pub age: u64,
    /// How much of what happened on the host is in the broker, or waits for it. None: the report does not say.
    pub coverage: Option<Coverage>,
    /// What it said.
    pub report: Value,
}

/// The status cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the status of the fleet: {0}")]
pub struct StatusError(String);

/// Reads what a fleet does. Three requests a partition at most, and few for all agents.
///
/// # Errors
///
/// The broker does not answer, is not set up, or does not permit it.
pub async fn read_status(broker: &Broker) -> Result<FleetStatus, StatusError> {
    let settings = setup::read_settings(broker).await;
    let settings = settings.map_err(|error| StatusError(error.to_string()))?;
    let api = Api::new(broker, REQUEST_TIMEOUT);
    read(&api, settings.partitions).await.map_err(StatusError)
}

async fn read(api: &Api, partitions: Partitions) -> Result<FleetStatus, String> {
    let opened = api.jetstream.get_stream(STREAM).await;
    let events =
        opened.map_err(|error| format!("cannot open the stream {STREAM}: {}", causes(&error)))?;
    let now = server_time(api).await?;
    let leases = leases(api, now).await?;
    let snapshots = snapshots(api).await?;
    let states = stream::iter(partitions.all())
        .map(|partition| {
            let (owner, snapshot) = (leases.get(&partition), snapshots.get(&partition));
            state(&events, partition, owner, snapshot, now)
        })
        .buffered(AT_A_TIME)
        .collect::<Vec<Result<PartitionState, String>>>()
        .await;
    Ok(FleetStatus {
        now: now.as_secs(),
        stream: stream_status(&events),
        partitions: states.into_iter().collect::<Result<_, String>>()?,
        consumers: consumers(api, &leases, now).await?,
        agents: agents(api, now).await?,
    })
}

/// The server's clock: that of this machine may be another one.
async fn server_time(api: &Api) -> Result<Duration, String> {
    #[derive(Deserialize)]
    struct Info {
        ts: String,
    }
    let subject = format!("$JS.API.STREAM.INFO.{STREAM}");
    let answer =
        tokio::time::timeout(REQUEST_TIMEOUT, api.client.request(subject, "".into())).await;
    let answer = answer
        .map_err(|_| format!("no answer within {REQUEST_TIMEOUT:?}"))?
        .map_err(|error| causes(&error))?;
    let info: Info = serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
    let time = async_nats::datetime::parse_rfc3339(&info.ts).map_err(|error| error.to_string())?;
    Ok(unix_time(time))
}

fn stream_status(events: &Stream) -> StreamStatus {
    let info = events.cached_info();
    let (state, config) = (&info.state, &info.config);
    let seconds = |time| Some(unix_time(time).as_secs()).filter(|_| state.messages > 0);
    StreamStatus {
        messages: state.messages,
        bytes: state.bytes,
        first_sequence: state.first_sequence,
        last_sequence: state.last_sequence,
        first: seconds(state.first_timestamp),
        last: seconds(state.last_timestamp),
        max_bytes: u64::try_from(config.max_bytes)
            .ok()
            .filter(|bytes| *bytes > 0),
        max_age: Some(config.max_age.as_secs()).filter(|seconds| *seconds > 0),
        replicas: config.num_replicas,
    }
}

/// The leases that are valid.
async fn leases(api: &Api, now: Duration) -> Result<BTreeMap<Partition, Lease>, String> {
    let leases = values::<Lease>(api, "p", now).await?;
    let lease = |(key, lease): (String, Lease)| {
        let partition = key.parse().ok().map(Partition)?;
        (!lease.released).then_some((partition, lease))
    };
    Ok(leases.into_iter().filter_map(lease).collect())
}

/// The consumers that are there.
async fn consumers(
    api: &Api,
    leases: &BTreeMap<Partition, Lease>,
    now: Duration,
) -> Result<Vec<ConsumerState>, String> {
    let consumers = values::<Presence>(api, "c", now).await?;
    let consumer = |(id, presence): (String, Presence)| ConsumerState {
        partitions: leases
            .iter()
            .filter(|(_, lease)| lease.owner == id)
            .map(|(partition, _)| *partition)
            .collect(),
        id,
        name: presence.name,
        since: presence.since,
    };
    let mut consumers: Vec<ConsumerState> = consumers
        .into_iter()
        .filter(|(_, presence)| !presence.left)
        .map(consumer)
        .collect();
    consumers.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Ok(consumers)
}

/// The values of the bucket of leases that are renewed, by the rest of their keys.
async fn values<T: for<'de> Deserialize<'de>>(
    api: &Api,
    kind: &str,
    now: Duration,
) -> Result<Vec<(String, T)>, String> {
    let prefix = format!("$KV.{LEASES_BUCKET}.{kind}.");
    let stream = format!("KV_{LEASES_BUCKET}");
    let found = latest(api, &stream, &format!("{prefix}*"), REQUEST_TIMEOUT).await?;
    let value = |latest: Latest| {
        let is_renewed = now.saturating_sub(latest.stamped) < LEASE_TIMEOUT;
        let key = latest.subject.strip_prefix(&prefix)?.to_owned();
        let value = serde_json::from_slice(&latest.value).ok()?;
        (is_renewed && !latest.is_deleted).then_some((key, value))
    };
    Ok(found.into_iter().filter_map(value).collect())
}

/// When the snapshot of each partition was saved, and its sequence. Without their content, which may be large.
async fn snapshots(api: &Api) -> Result<BTreeMap<Partition, (Duration, Option<u64>)>, String> {
    let prefix = format!("$KV.{STATE_BUCKET}.p.");
    let found = newest(
        api,
        &format!("KV_{STATE_BUCKET}"),
        &format!("{prefix}*"),
        true,
    )
    .await?;
    let snapshot = |latest: Latest| {
        let partition = latest
            .subject
            .strip_prefix(&prefix)?
            .parse()
            .ok()
            .map(Partition)?;
        let sequence = latest
            .header(SEQUENCE_HEADER)
            .and_then(|value| value.parse().ok());
        (!latest.is_deleted).then_some((partition, (latest.stamped, sequence)))
    };
    Ok(found.into_iter().filter_map(snapshot).collect())
}

async fn state(
    events: &Stream,
    partition: Partition,
    owner: Option<&Lease>,
    snapshot: Option<&(Duration, Option<u64>)>,
    now: Duration,
) -> Result<PartitionState, String> {
    let sequence = snapshot.and_then(|(_, sequence)| *sequence);
    Ok(PartitionState {
        partition,
        owner: owner.map(|lease| Owner {
            id: lease.owner.clone(),
            name: lease.name.clone(),
            since: lease.since,
        }),
        snapshot: snapshot.map(|(stamped, sequence)| SnapshotState {
            sequence: *sequence,
            age: now.saturating_sub(*stamped).as_secs(),
        }),
        lag: lag(events, partition, sequence).await?,
    })
}

/// Number of messages of this partition after this one. The server counts them when a consumer is created.
async fn lag(events: &Stream, partition: Partition, after: Option<u64>) -> Result<u64, String> {
    let config = pull::Config {
        description: Some(format!("lag of partition {partition}")),
        deliver_policy: match after {
            None => DeliverPolicy::All,
            Some(after) => DeliverPolicy::ByStartSequence {
                start_sequence: after + 1,
            },
        },
        ack_policy: AckPolicy::None,
        filter_subjects: partition_subjects(partition).to_vec(),
        inactive_threshold: REQUEST_TIMEOUT,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    };
    let created = events.create_consumer(config).await;
    let consumer: Consumer<pull::Config> = created.map_err(|error| causes(&error))?;
    let info = consumer.cached_info();
    if let Err(error) = events.delete_consumer(&info.name).await {
        tracing::debug!(
            "cannot delete the consumer {}: {}",
            info.name,
            causes(&error)
        );
    }
    Ok(info.num_pending)
}

async fn agents(api: &Api, now: Duration) -> Result<Vec<AgentState>, String> {
    let prefix = format!("$KV.{AGENTS_BUCKET}.");
    let found = newest(
        api,
        &format!("KV_{AGENTS_BUCKET}"),
        &format!("{prefix}*"),
        false,
    )
    .await?;
    let agent = |latest: Latest| {
        let host = HostToken::from_token(latest.subject.strip_prefix(&prefix)?)?;
        let report: Value = serde_json::from_slice(&latest.value).ok()?;
        (!latest.is_deleted).then(|| AgentState {
            host: host.name(),
            age: now.saturating_sub(latest.stamped).as_secs(),
            coverage: Coverage::of(&report),
            report,
        })
    };
    let mut agents: Vec<AgentState> = found.into_iter().filter_map(agent).collect();
    agents.sort_by(|one, other| one.host.cmp(&other.host));
    Ok(agents)
}
