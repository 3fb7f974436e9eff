//! Events and alerts as log records, with the names of the semantic conventions of OpenTelemetry.
//!
//! What the conventions have no name for is named `retrans.` and the path of the value in an event's JSON line. Numbers
//! beside names, such as `state_number`, are left out. Labels that identify a container or a pod go to the
//! resource ([`OF_RESOURCE`]).

use std::net::IpAddr;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::FieldPath;
use retrans_event::FieldValue;
use retrans_event::TcpState;

use super::proto::AnyValue;
use super::proto::KeyValue;
use super::proto::LogRecord;
use super::proto::Value;
use super::proto::attribute;
use super::proto::number;
use super::proto::text;
use crate::alert::Alert;
use crate::alert::Severity;
use crate::event_record::EventRecord;

/// Labels that say where something runs. They are attributes of the resource.
const OF_RESOURCE: [&str; 6] = [
    "container.id",
    "container.name",
    "k8s.container.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.pod.uid",
];

/// `SEVERITY_NUMBER_INFO`.
const INFO: i32 = 9;
/// `SEVERITY_NUMBER_WARN`.
const WARN: i32 = 13;
/// `SEVERITY_NUMBER_ERROR`.
const ERROR: i32 = 17;

/// What is sent as a log record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event: its record, and its labels.
    Event {
        record: Box<[u8]>,
        labels: Vec<(String, String)>,
    },
    /// An alert.
    Alert(Box<Alert>),
}

impl Item {
    /// A copy of an event.
    pub(crate) fn of(event: &EventRecord<'_>) -> Item {
        let labels = event.labels.iter();
        Item::Event {
            record: event.record.into(),
            labels: labels
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Item::Event { record, labels } => {
                let labels = labels.iter();
                let labels: usize = labels
                    .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len())
                    .sum();
                size_of::<Item>() + record.len() + labels
            }
            Item::Alert(alert) => size_of::<Item>() + alert.bytes(),
        }
    }

    fn labels(&self) -> &[(String, String)] {
        match self {
            Item::Event { labels, .. } => labels,
            Item::Alert(alert) => &alert.labels,
        }
    }

    /// Attributes of the resource, sorted by name.
    pub(super) fn of_resource(&self) -> Vec<(String, String)> {
        let labels = self.labels().iter();
        let mut labels: Vec<(String, String)> = labels
            .filter(|label| is_of_resource(label))
            .cloned()
            .collect();
        labels.sort();
        labels
    }

    /// The log record. `None`: the record of an event is too short to be one.
    pub(super) fn log_record(&self, observed: Duration) -> Option<LogRecord> {
        let mut record = match self {
            Item::Event { record, .. } => of_event(Event::new(record).ok()?),
            Item::Alert(alert) => of_alert(alert),
        };
        record.observed_time_unix_nano = nanos(observed);
        let labels = self.labels().iter().filter(|label| !is_of_resource(label));
        let labels =
            labels.map(|(key, value)| text(format!("retrans.label.{key}"), value.as_str()));
        record.attributes.extend(labels);
        Some(record)
    }
}

fn is_of_resource((key, _): &(String, String)) -> bool {
    OF_RESOURCE.contains(&key.as_str())
}

fn of_event(event: &Event) -> LogRecord {
    let mut attributes = vec![text("network.transport", "tcp")];
    let mut time = 0;
    for path in FieldPath::all().filter(|path| !path.is_number()) {
        if let Some(value) = event_value(event, path, &mut time) {
            attributes.push(value);
        }
    }
    let kind = event.kind();
    let to = event.peer();
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: 0,
        severity_number: INFO,
        severity_text: "INFO".to_owned(),
        body: body(format!("retransmit to {to}: {kind}")),
        attributes,
        event_name: "retrans.retransmit".to_owned(),
    }
}

/// The attribute for a value of an event. The time of the event is none.
fn event_value(event: &Event, path: FieldPath, time: &mut u64) -> Option<KeyValue> {
    let value = path.value(event)?;
    let name = path.to_string();
    let key = match name.as_str() {
        "timestamp" => {
            if let FieldValue::WallTime(nanos) = value {
                *time = nanos;
            }
            return None;
        }
        "source.ip" => "network.local.address",
        "source.port" => "network.local.port",
        "destination.ip" => "network.peer.address",
        "destination.port" => "network.peer.port",
        "owner.pid" => "process.pid",
        "ipversion" => {
            let is_v6 = value == FieldValue::Unsigned(6);
            return Some(text("network.type", if is_v6 { "ipv6" } else { "ipv4" }));
        }
        "state" => {
            let FieldValue::TcpState(state) = value else {
                return None;
            };
            return Some(match connection_state(state) {
                Some(name) => text("network.connection.state", name),
                None => text("retrans.state", state.to_string()),
            });
        }
        _ => return Some(typed(format!("retrans.{name}"), value)),
    };
    Some(typed(key.to_owned(), value))
}

fn typed(key: String, value: FieldValue) -> KeyValue {
    match value {
        FieldValue::Unsigned(value) => number(key, value),
        FieldValue::Signed(value) => attribute(key, Value::Int(value.into())),
        FieldValue::Bool(value) => attribute(key, Value::Bool(value)),
        value => text(key, value.to_string()),
    }
}

/// The names of RFC 9293, as the conventions write them.
fn connection_state(state: TcpState) -> Option<&'static str> {
    Some(match state {
        TcpState::Established => "established",
        TcpState::SynSent => "syn_sent",
        TcpState::SynRecv | TcpState::NewSynRecv => "syn_received",
        TcpState::FinWait1 => "fin_wait_1",
        TcpState::FinWait2 => "fin_wait_2",
        TcpState::TimeWait => "time_wait",
        TcpState::Close => "closed",
        TcpState::CloseWait => "close_wait",
        TcpState::LastAck => "last_ack",
        TcpState::Listen => "listen",
        TcpState::Closing => "closing",
        TcpState::Other(_) => return None,
    })
}

fn of_alert(alert: &Alert) -> LogRecord {
    let (severity_number, severity_text) = match alert.severity {
        Severity::Info => (INFO, "INFO"),
        Severity::Warning => (WARN, "WARN"),
        Severity::Critical => (ERROR, "ERROR"),
    };
    let mut attributes = vec![
        text("retrans.alert.name", alert.name.as_str()),
        text("retrans.alert.plugin", alert.plugin.as_str()),
        text("retrans.alert.state", alert.state.name()),
        text("retrans.alert.severity", alert.severity.name()),
    ];
    if let Some((local, peer)) = alert.connection {
        attributes.extend([
            text("network.transport", "tcp"),
            text("network.type", network_type(peer.ip())),
            text("network.local.address", local.ip().to_string()),
            number("network.local.port", local.port().into()),
            text("network.peer.address", peer.ip().to_string()),
            number("network.peer.port", peer.port().into()),
        ]);
    }
    let summary = if alert.summary.is_empty() {
        &alert.name
    } else {
        &alert.summary
    };
    LogRecord {
        time_unix_nano: nanos(alert.wall_time),
        observed_time_unix_nano: 0,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: body(summary.clone()),
        attributes,
        event_name: "retrans.alert".to_owned(),
    }
}

fn network_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}

fn body(text: String) -> Option<AnyValue> {
    Some(AnyValue {
        value: Some(Value::Text(text)),
    })
}

/// A time since 1970 in ns. 64 bits end in the year 2554.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
