//! Formats an alert as a line: readable text, or JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;

use anstyle::AnsiColor;
use anstyle::Style;
use serde::Serialize;

use crate::stream::alert::Alert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::system::sanitize::clean;
use crate::system::stdio::Priority;
use crate::system::timestamp;

/// The priority of its line in the journal.
pub fn priority(alert: &Alert) -> Priority {
    match (alert.state, alert.severity) {
        (State::Resolved, _) => Priority::Notice,
        (_, Severity::Info) => Priority::Info,
        (_, Severity::Warning) => Priority::Warning,
        (_, Severity::Critical) => Priority::Critical,
    }
}

/// The readable line, with colours. The writer of standard error removes them if they are not wanted.
pub fn line(alert: &Alert) -> String {
    format!(
        "{} {}",
        timestamp::show(alert.wall_time, 3),
        line_without_time(alert)
    )
}

/// The same without its time: the journal has one of its own.
pub fn line_without_time(alert: &Alert) -> String {
    let (word, style) = match (alert.state, alert.severity) {
        (State::Resolved, _) => ("RESOLVED", AnsiColor::Green.on_default()),
        (_, Severity::Info) => ("INFO", AnsiColor::Cyan.on_default()),
        (_, Severity::Warning) => ("WARNING", AnsiColor::Yellow.on_default().bold()),
        (_, Severity::Critical) => ("CRITICAL", AnsiColor::Red.on_default().bold()),
    };
    let mut line = format!("{style}{word}{style:#} {}", clean(&alert.name));
    if !alert.summary.is_empty() {
        let _ = write!(line, ": {}", clean(&alert.summary));
    }
    let dim = Style::new().dimmed();
    let labels = alert
        .labels
        .iter()
        .map(|(key, value)| format!("{}={}", clean(key), clean(value)));
    let labels: Vec<String> = labels.collect();
    let _ = write!(line, " {dim}[{}", alert.plugin);
    if !labels.is_empty() {
        let _ = write!(line, "; {}", labels.join(", "));
    }
    let _ = write!(line, "]{dim:#}");
    line
}

/// The JSON line.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    timestamp: String,
    plugin: &'a str,
    name: &'a str,
    severity: String,
    state: String,
    summary: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Connection>,
}

/// The connection of the event that caused an alert, with the keys of an event's JSON line.
#[derive(Serialize)]
struct Connection {
    source: Side,
    destination: Side,
}

#[derive(Serialize)]
struct Side {
    ip: IpAddr,
    port: u16,
}

/// Writes the JSON line, with `"type":"alert"`.
pub fn write_json(alert: &Alert, out: &mut impl Write) -> io::Result<()> {
    let side = |address: SocketAddr| Side {
        ip: address.ip(),
        port: address.port(),
    };
    let labels = alert.labels.iter();
    let line = Line {
        r#type: "alert",
        timestamp: timestamp::show(alert.wall_time, 9),
        plugin: &alert.plugin,
        name: &alert.name,
        severity: alert.severity.to_string(),
        state: alert.state.to_string(),
        summary: &alert.summary,
        labels: labels
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
        event: alert.connection.map(|(local, peer)| Connection {
            source: side(local),
            destination: side(peer),
        }),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn alert() -> Alert {
        Alert {
            plugin: "threshold-alert".to_owned(),
            name: "retransmit-threshold".to_owned(),
            severity: Severity::Warning,
            state: State::Firing,
            summary: "10 segments\x1b[2J".to_owned(),
            labels: vec![("peer".to_owned(), "10.0.0.2".to_owned())],
            connection: Some((([10, 0, 0, 1], 40_000).into(), ([10, 0, 0, 2], 443).into())),
            wall_time: Duration::from_millis(1_800_000_000_123),
        }
    }

    #[test]
    fn an_alert_is_one_line_for_people() {
        let line = anstream::adapter::strip_str(&line(&alert())).to_string();
        let expected = "2027-01-15T08:00:00.123Z WARNING retransmit-threshold: \
                        10 segments\u{fffd}[2J [threshold-alert; peer=10.0.0.2]";
        assert_eq!(line, expected);
    }

    #[test]
    fn an_alert_is_one_object_for_programs() {
        let mut bytes = Vec::new();
        write_json(&alert(), &mut bytes).expect("a vector takes all bytes");
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(json["type"], "alert");
        assert_eq!(json["timestamp"], "2027-01-15T08:00:00.123000000Z");
        assert_eq!(json["state"], "firing");
        assert_eq!(json["labels"]["peer"], "10.0.0.2");
        assert_eq!(json["event"]["destination"]["port"], 443);
    }
}
