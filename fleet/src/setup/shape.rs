//! What a fleet needs in the broker: each stream and bucket, with its limits.

use std::time::Duration;

use async_nats::jetstream::stream;
use async_nats::jetstream::stream::DiscardPolicy;
use async_nats::jetstream::stream::StorageType;

use crate::names::AGENTS_BUCKET;
use crate::names::HEADS_BUCKET;
use crate::names::LARGE_BUCKET;
use crate::names::LEASES_BUCKET;
use crate::names::OUT_STREAM;
use crate::names::OUT_SUBJECTS;
use crate::names::SETTINGS_BUCKET;
use crate::names::STATE_BUCKET;
use crate::names::STREAM;
use crate::names::STREAM_SUBJECTS;
use crate::partition::Partitions;

/// How long the broker finds duplicates by their identifiers.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// How a fleet is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// Number of partitions.
    pub partitions: Partitions,
    /// How long frames are kept.
    pub max_age: Duration,
    /// Size of all frames in bytes, above which the broker refuses further ones. `None`: the server's limit.
    pub max_bytes: Option<u64>,
    /// Number of servers that have a copy: 1, 3 or 5.
    pub replicas: usize,
}

impl Default for InitOptions {
    /// 32 partitions, one day, no limit by size, one copy.
    fn default() -> InitOptions {
        InitOptions {
            partitions: Partitions::DEFAULT,
            max_age: Duration::from_secs(24 * 3_600),
            max_bytes: None,
            replicas: 1,
        }
    }
}

/// The least size of the stream of lines, in bytes.
const MIN_OUT_BYTES: u64 = 1 << 20;

/// The streams and buckets of a fleet. A bucket is a stream, too.
pub(super) fn streams(options: &InitOptions) -> Vec<stream::Config> {
    let hour = Duration::from_secs(3_600);
    let mut events = log(STREAM, STREAM_SUBJECTS.map(str::to_owned).into(), options);
    events.description = Some("Frames of events and ticks of retrans-host".to_owned());
    let mut out = log(OUT_STREAM, vec![OUT_SUBJECTS.to_owned()], options);
    out.description = Some("Lines that plugins of retrans-host printed".to_owned());
    // Lines that are not read must not hold up the consumers.
    out.discard = DiscardPolicy::Old;
    // The server reserves what a stream may take.
    if let Some(bytes) = options.max_bytes {
        let tenth = (bytes / 10).max(MIN_OUT_BYTES);
        out.max_bytes = i64::try_from(tenth).unwrap_or(i64::MAX);
    }
    vec![
        events,
        out,
        bucket(SETTINGS_BUCKET, Duration::ZERO, options),
        bucket(AGENTS_BUCKET, 24 * hour, options),
        bucket(HEADS_BUCKET, Duration::ZERO, options),
        bucket(LEASES_BUCKET, hour, options),
        bucket(STATE_BUCKET, Duration::ZERO, options),
        object_store(LARGE_BUCKET, options),
    ]
}

fn log(name: &str, subjects: Vec<String>, options: &InitOptions) -> stream::Config {
    let max_bytes = options.max_bytes.map(i64::try_from);
    stream::Config {
        name: name.to_owned(),
        subjects,
        max_age: options.max_age,
        max_bytes: max_bytes.map_or(-1, |bytes| bytes.unwrap_or(i64::MAX)),
        storage: StorageType::File,
        // A publisher is refused and keeps its frames, instead of frames being lost that no consumer has read.
        discard: DiscardPolicy::New,
        // The server refuses a window that is longer than frames are kept.
        duplicate_window: DUPLICATE_WINDOW.min(options.max_age),
        num_replicas: options.replicas,
        allow_direct: true,
        ..stream::Config::default()
    }
}

/// As the client makes the stream of a bucket, with one value a key.
fn bucket(name: &str, max_age: Duration, options: &InitOptions) -> stream::Config {
    stream::Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_age,
        max_bytes: -1,
        storage: StorageType::File,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        discard: DiscardPolicy::New,
        num_replicas: options.replicas,
        ..stream::Config::default()
    }
}

/// As the client makes the stream of an object store.
fn object_store(name: &str, options: &InitOptions) -> stream::Config {
    stream::Config {
        name: format!("OBJ_{name}"),
        subjects: vec![format!("$O.{name}.C.>"), format!("$O.{name}.M.>")],
        max_bytes: -1,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        allow_direct: true,
        num_replicas: options.replicas,
        ..stream::Config::default()
    }
}

/// The differences between a stream as it should be and as it is, in words. Empty if there are none.
pub(super) fn differences(expected: &stream::Config, there: &stream::Config) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: String, there: String| {
        if expected != there {
            differences.push(format!("{what} is {there}, expected {expected}"));
        }
    };
    let sorted = |config: &stream::Config| {
        let mut subjects = config.subjects.clone();
        subjects.sort();
        subjects.join(" ")
    };
    // The server writes "no limit" as -1 or leaves 0 as it is.
    let limit = |value: i64| match value {
        ..=0 => "none".to_owned(),
        value => value.to_string(),
    };
    compare("the subjects", sorted(expected), sorted(there));
    compare(
        "the maximum age",
        format!("{:?}", expected.max_age),
        format!("{:?}", there.max_age),
    );
    compare(
        "the maximum size",
        limit(expected.max_bytes),
        limit(there.max_bytes),
    );
    compare(
        "the number of values a subject",
        limit(expected.max_messages_per_subject),
        limit(there.max_messages_per_subject),
    );
    compare(
        "the storage",
        format!("{:?}", expected.storage),
        format!("{:?}", there.storage),
    );
    compare(
        "what is discarded",
        format!("{:?}", expected.discard),
        format!("{:?}", there.discard),
    );
    compare(
        "the number of replicas",
        expected.num_replicas.to_string(),
        there.num_replicas.to_string(),
    );
    if !expected.duplicate_window.is_zero() {
        compare(
            "the window of duplicates",
            format!("{:?}", expected.duplicate_window),
            format!("{:?}", there.duplicate_window),
        );
    }
    differences
}
