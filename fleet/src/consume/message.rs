//! What a message of the stream says: a tick, a frame, or something that is damaged.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::head::Head;
use crate::head::HeadDigest;
use crate::names::CLOCK_HEADER;
use crate::names::EVENTS_HEADER;
use crate::names::FrameId;
use crate::names::HEAD_HEADER;
use crate::names::HostToken;
use crate::partition::Partition;

/// Most characters of a foreign text that a reason quotes.
const MAX_QUOTED: usize = 80;

/// A message of a partition. `H` is what it has of the head of its frame: the head itself, or only the digest while the
/// head is not at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<H = Arc<Head>> {
    /// Its number in the stream. Numbers of a partition grow, with gaps.
    pub sequence: u64,
    /// When the broker stored it, as Unix time. Never smaller than that of an earlier message.
    pub stamped: Duration,
    /// What it says.
    pub content: Content<H>,
}

/// A message whose frame has only the digest of its head.
pub type Arrived = Message<HeadDigest>;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<H = Arc<Head>> {
    /// The partition's time goes on.
    Tick,
    /// An agent has published a frame.
    Frame(Frame<H>),
    /// The message cannot be used.
    Damaged {
        /// What was found, in one line.
        reason: String,
        /// Number of its events; 0 if it is not known.
        events: u64,
    },
}

/// A frame that an agent has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<H = Arc<Head>> {
    /// Which frame it is.
    pub id: FrameId,
    /// The agent's host.
    pub host: HostToken,
    /// Time since the host's boot when it was published.
    pub clock: Duration,
    /// The head that it belongs to.
    pub head: H,
    /// Number of its events.
    pub events: u64,
    /// Its bytes.
    pub payload: Bytes,
}

impl Arrived {
    /// The same message with the head of its frame, or with the reason why there is none. Messages without a frame stay
    /// as they are.
    pub fn with_head(self, head: Result<Arc<Head>, String>) -> Message {
        let content = match (self.content, head) {
            (Content::Tick, _) => Content::Tick,
            (Content::Damaged { reason, events }, _) => Content::Damaged { reason, events },
            (Content::Frame(frame), Err(reason)) => Content::Damaged {
                reason,
                events: frame.events,
            },
            (Content::Frame(frame), Ok(head)) => Content::Frame(Frame {
                id: frame.id,
                host: frame.host,
                clock: frame.clock,
                head,
                events: frame.events,
                payload: frame.payload,
            }),
        };
        Message {
            sequence: self.sequence,
            stamped: self.stamped,
            content,
        }
    }

    /// The digest of the head that is needed.
    pub fn head(&self) -> Option<HeadDigest> {
        match &self.content {
            Content::Frame(frame) => Some(frame.head),
            Content::Tick | Content::Damaged { .. } => None,
        }
    }
}

impl Content<HeadDigest> {
    /// What a message says whose subject is of no partition.
    pub fn foreign(subject: &str) -> Content<HeadDigest> {
        Content::Damaged {
            reason: format!(
                "its subject is {}: expected one of a partition",
                quoted(subject)
            ),
            events: 0,
        }
    }

    /// What the message of this partition with this subject, these headers and this payload says.
    pub fn parse(
        partition: Partition,
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: Bytes,
    ) -> Content<HeadDigest> {
        if subject == crate::names::tick_subject(partition) {
            return Content::Tick;
        }
        match parse_frame(partition, subject, headers, payload) {
            Ok(frame) => Content::Frame(frame),
            Err(reason) => Content::Damaged { reason, events: 0 },
        }
    }
}

fn parse_frame(
    partition: Partition,
    subject: &str,
    headers: Option<&HeaderMap>,
    payload: Bytes,
) -> Result<Frame<HeadDigest>, String> {
    let host = subject
        .strip_prefix(&format!("retrans.v1.ev.{partition}."))
        .and_then(HostToken::from_token)
        .ok_or_else(|| {
            format!(
                "its subject is {}: expected one of partition {partition} with the token of a host",
                quoted(subject)
            )
        })?;
    let headers = headers.ok_or("it has no headers")?;
    let id: FrameId = header(headers, async_nats::header::NATS_MESSAGE_ID.as_ref())?
        .parse()
        .map_err(|_| bad(headers, async_nats::header::NATS_MESSAGE_ID.as_ref()))?;
    if id.partition != partition {
        return Err(format!(
            "its subject is of partition {partition}, its identifier of partition {}",
            id.partition
        ));
    }
    Ok(Frame {
        id,
        host,
        clock: Duration::from_nanos(number(headers, CLOCK_HEADER)?),
        head: header(headers, HEAD_HEADER)?
            .parse()
            .map_err(|_| bad(headers, HEAD_HEADER))?,
        events: number(headers, EVENTS_HEADER)?,
        payload,
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_str()),
        (None, _) => Err(format!("it has no header {name}")),
        (Some(_), Some(_)) => Err(format!("it has several headers {name}")),
    }
}

/// A number as `u64` writes it, so that two texts never mean one number.
fn number(headers: &HeaderMap, name: &str) -> Result<u64, String> {
    let text = header(headers, name)?;
    text.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == text)
        .ok_or_else(|| bad(headers, name))
}

fn bad(headers: &HeaderMap, name: &str) -> String {
    match header(headers, name) {
        Ok(value) => format!("its header {name} is {}", quoted(value)),
        Err(reason) => reason,
    }
}

/// The start of a text from outside, with its control characters escaped.
fn quoted(text: &str) -> String {
    let begin: String = text.chars().take(MAX_QUOTED).collect();
    match begin.len() < text.len() {
        true => format!("{begin:?}…"),
        false => format!("{begin:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::AgentRun;

    const SUBJECT: &str = "retrans.v1.ev.3.web-1=2Eexample";
    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb924";

    fn headers(changes: &[(&str, Option<&str>)]) -> HeaderMap {
        let whole = [
            ("Nats-Msg-Id", "boot/17/3/42"),
            (HEAD_HEADER, DIGEST),
            (CLOCK_HEADER, "1500000000"),
            (EVENTS_HEADER, "7"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in whole {
            let change = changes.iter().find(|(changed, _)| *changed == name);
            if let Some(value) = change.map_or(Some(value), |(_, value)| *value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn reason(subject: &str, headers: Option<&HeaderMap>) -> String {
        match Content::parse(Partition(3), subject, headers, Bytes::new()) {
            Content::Damaged { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_is_read_whole() {
        let payload = Bytes::from_static(b"frame");
        let content = Content::parse(Partition(3), SUBJECT, Some(&headers(&[])), payload.clone());
        let expected = Frame {
            id: FrameId {
                run: AgentRun {
                    boot: "boot".to_owned(),
                    start: 17,
                },
                partition: Partition(3),
                number: 42,
            },
            host: HostToken::of("web-1.example"),
            clock: Duration::from_millis(1500),
            head: HeadDigest::of(b""),
            events: 7,
            payload,
        };
        assert_eq!(content, Content::Frame(expected));
    }

    #[test]
    fn a_subject_of_no_partition_is_quoted() {
        let Content::Damaged { reason, events } = Content::foreign("retrans.v1.ev.x.y") else {
            panic!("it is damaged");
        };
        assert!(reason.contains("\"retrans.v1.ev.x.y\""), "{reason}");
        assert_eq!(events, 0);
    }

    #[test]
    fn a_tick_needs_no_headers() {
        let tick = Content::parse(Partition(3), "retrans.v1.tick.3", None, Bytes::new());
        assert_eq!(tick, Content::Tick);
    }

    #[test]
    fn a_damaged_message_says_what_was_found() {
        assert_eq!(reason(SUBJECT, None), "it has no headers");
        for (name, value, expected) in [
            ("Nats-Msg-Id", None, "it has no header Nats-Msg-Id"),
            (
                "Nats-Msg-Id",
                Some("boot/17"),
                r#"its header Nats-Msg-Id is "boot/17""#,
            ),
            (
                "Nats-Msg-Id",
                Some("boot/17/4/42"),
                "its subject is of partition 3, its identifier of partition 4",
            ),
            (HEAD_HEADER, None, "it has no header Retrans-Head"),
            (
                HEAD_HEADER,
                Some("xyz"),
                r#"its header Retrans-Head is "xyz""#,
            ),
            (
                CLOCK_HEADER,
                Some("-1"),
                r#"its header Retrans-Clock is "-1""#,
            ),
            (
                CLOCK_HEADER,
                Some("+1"),
                r#"its header Retrans-Clock is "+1""#,
            ),
            (
                CLOCK_HEADER,
                Some("99999999999999999999"),
                r#"its header Retrans-Clock is "99999999999999999999""#,
            ),
            (EVENTS_HEADER, None, "it has no header Retrans-Events"),
            (
                EVENTS_HEADER,
                Some("seven"),
                r#"its header Retrans-Events is "seven""#,
            ),
        ] {
            assert_eq!(reason(SUBJECT, Some(&headers(&[(name, value)]))), expected);
        }
    }

    #[test]
    fn a_subject_of_another_partition_or_host_is_damage() {
        let whole = headers(&[]);
        for subject in [
            "retrans.v1.ev.4.web-1",
            "retrans.v1.ev.3.",
            "retrans.v1.ev.3.a.b",
            "retrans.v1.ev.3.=2e",
            "retrans.v1.ev.3.=",
            "retrans.v1.tick.4",
            "",
        ] {
            let found = Content::parse(Partition(3), subject, Some(&whole), Bytes::new());
            // `=` is the token of a host without a name.
            let is_damaged = matches!(found, Content::Damaged { .. });
            assert_eq!(
                is_damaged,
                subject != "retrans.v1.ev.3.=",
                "{subject}: {found:?}"
            );
        }
    }

    #[test]
    fn two_values_of_one_header_are_damage() {
        let mut twice = headers(&[]);
        twice.append(EVENTS_HEADER, "8");
        assert_eq!(
            reason(SUBJECT, Some(&twice)),
            "it has several headers Retrans-Events"
        );
    }

    #[test]
    fn a_reason_quotes_the_begin_and_no_control_characters() {
        let long = "\u{1b}[31m".repeat(40);
        let reason = reason(SUBJECT, Some(&headers(&[(EVENTS_HEADER, Some(&long))])));
        assert!(
            reason.starts_with(r#"its header Retrans-Events is "\u{1b}[31m"#),
            "{reason}"
        );
        assert!(reason.ends_with("\"…") && reason.len() < 400, "{reason}");
    }
}
