//! The names in the broker: stream, subjects, buckets, headers, identifiers.

use std::fmt;
use std::str::FromStr;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::partition::Partition;

/// The stream of all frames and ticks.
pub const STREAM: &str = "RETRANS";

/// Subjects of the stream.
pub const STREAM_SUBJECTS: [&str; 2] = ["retrans.v1.ev.*.*", "retrans.v1.tick.*"];

/// The stream of the lines that consumers print.
pub const OUT_STREAM: &str = "RETRANS_OUT";

/// The subjects of [`OUT_STREAM`].
pub const OUT_SUBJECTS: &str = "retrans.v1.out.*";

/// Bucket: settings of the fleet, under the key [`SETTINGS_KEY`].
pub const SETTINGS_BUCKET: &str = "retrans_settings";

/// The key of the settings.
pub const SETTINGS_KEY: &str = "fleet";

/// Bucket: what each agent said of itself last, by host token.
pub const AGENTS_BUCKET: &str = "retrans_agents";

/// Bucket: heads of frames by their digest, as written by the agents.
pub const HEADS_BUCKET: &str = "retrans_heads";

/// Bucket: leases of partitions (`p.N`) and the consumers that are there (`c.ID`).
pub const LEASES_BUCKET: &str = "retrans_leases";

/// Bucket: snapshots of partitions (`p.N`).
pub const STATE_BUCKET: &str = "retrans_state";

/// Object store: snapshots that are too large for a value.
pub const LARGE_BUCKET: &str = "retrans_large";

/// Header: digest of the head that the frame belongs to.
pub const HEAD_HEADER: &str = "Retrans-Head";

/// Header: the agent's clock, time since boot in nanoseconds, when the frame was published.
pub const CLOCK_HEADER: &str = "Retrans-Clock";

/// Header: number of events in the frame.
pub const EVENTS_HEADER: &str = "Retrans-Events";

/// Header of a snapshot: the number in the stream of the last message that it contains.
pub const SEQUENCE_HEADER: &str = "Retrans-Sequence";

/// What stays as it is in a host's token.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A host's name as a token of a subject and as a key of a bucket: other characters than letters, digits, `-` and `_`
/// are `=XX`, their bytes in hexadecimal. Two names never have one token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostToken(String);

impl HostToken {
    /// The token of this name. An empty name is `=`.
    pub fn of(name: &str) -> HostToken {
        match name {
            "" => HostToken("=".to_owned()),
            // Keys of buckets may have `=`, and no `%`.
            name => HostToken(
                utf8_percent_encode(name, ESCAPED)
                    .to_string()
                    .replace('%', "="),
            ),
        }
    }

    /// The host with this token. `None` if it is not the token of a name.
    pub fn from_token(token: &str) -> Option<HostToken> {
        let host = HostToken(token.to_owned());
        (HostToken::of(&host.name()) == host).then_some(host)
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host's name.
    pub fn name(&self) -> String {
        let encoded = self.0.replace('=', "%");
        match encoded.as_str() {
            "%" => String::new(),
            encoded => percent_encoding::percent_decode_str(encoded)
                .decode_utf8_lossy()
                .into_owned(),
        }
    }
}

/// The subject of frames of this partition from this host.
pub fn events_subject(partition: Partition, host: &HostToken) -> String {
    format!("retrans.v1.ev.{partition}.{}", host.as_str())
}

/// The subject of the ticks of this partition.
pub fn tick_subject(partition: Partition) -> String {
    format!("retrans.v1.tick.{partition}")
}

/// The subjects of all messages of this partition.
pub fn partition_subjects(partition: Partition) -> [String; 2] {
    [
        format!("retrans.v1.ev.{partition}.*"),
        tick_subject(partition),
    ]
}

/// The partition of a message with this subject. Whether it is one of the fleet, and written as a number is, remains to be
/// checked.
pub fn partition_of(subject: &str) -> Option<Partition> {
    let mut tokens = subject.strip_prefix("retrans.v1.")?.split('.');
    let is_message = matches!(tokens.next()?, "ev" | "tick");
    let number = tokens.next().filter(|_| is_message)?;
    number.parse().ok().map(Partition)
}

/// The subject of lines that plugins printed about this partition.
pub fn out_subject(partition: Partition) -> String {
    format!("retrans.v1.out.{partition}")
}

/// One run of one agent. Numbers of its frames count from 0 in each partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentRun {
    /// The kernel's identifier of the boot; letters, digits and `-`.
    pub boot: String,
    /// When the run began, as Unix time in nanoseconds.
    pub start: u64,
}

/// The identifier of a frame, which the broker finds duplicates by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameId {
    /// Who published it.
    pub run: AgentRun,
    /// Its partition.
    pub partition: Partition,
    /// Its number within run and partition, from 0.
    pub number: u64,
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameId {
            run,
            partition,
            number,
        } = self;
        write!(f, "{}/{}/{partition}/{number}", run.boot, run.start)
    }
}

/// A text that is no identifier of a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no identifier of a frame")]
pub struct BadFrameId(String);

impl FromStr for FrameId {
    type Err = BadFrameId;

    fn from_str(text: &str) -> Result<FrameId, BadFrameId> {
        let parse = || {
            let mut parts = text.split('/');
            let id = FrameId {
                run: AgentRun {
                    boot: parts.next().filter(|boot| !boot.is_empty())?.to_owned(),
                    start: parts.next()?.parse().ok()?,
                },
                partition: Partition(parts.next()?.parse().ok()?),
                number: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(id)
        };
        parse().ok_or_else(|| BadFrameId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_no_dots_and_are_unique() {
        for name in [
            "web-1",
            "web-1.example.com",
            "a b",
            "*",
            ">",
            "",
            "=",
            "%2E",
            "ä",
            "web_1",
        ] {
            let token = HostToken::of(name);
            let is_allowed =
                |character: char| character.is_ascii_alphanumeric() || "-_=".contains(character);
            assert!(token.as_str().chars().all(is_allowed), "{token:?}");
            assert_eq!(token.name(), name);
            assert_eq!(HostToken::from_token(token.as_str()), Some(token));
        }
        for bad in ["", "a.b", "=2e", "=61", "==", "=ff", "a b"] {
            assert_eq!(HostToken::from_token(bad), None, "{bad}");
        }
        assert_eq!(HostToken::of("a.b").as_str(), "a=2Eb");
    }

    #[test]
    fn a_partition_is_read_from_the_subjects_of_its_messages() {
        let partition = Partition(31);
        let frame = events_subject(partition, &HostToken::of("web-1.example"));
        assert_eq!(partition_of(&frame), Some(partition));
        assert_eq!(partition_of(&tick_subject(partition)), Some(partition));
        for foreign in [
            "",
            "retrans.v1.out.3",
            "retrans.v1.ev",
            "retrans.v1.ev.x.web-1",
            "retrans.v1.tick.70000",
            "retrans.v2.tick.3",
        ] {
            assert_eq!(partition_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn identifiers_are_read_as_they_are_written() {
        let id = FrameId {
            run: AgentRun {
                boot: "61ab-7".to_owned(),
                start: 1_700_000_000_000_000_000,
            },
            partition: Partition(31),
            number: 42,
        };
        assert_eq!(id.to_string(), "61ab-7/1700000000000000000/31/42");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "a/1/2", "/1/2/3", "a/1/2/3/4", "a/1/x/3", "a/1/70000/3"] {
            assert!(bad.parse::<FrameId>().is_err(), "{bad}");
        }
    }
}
