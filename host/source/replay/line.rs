//! One line of JSON: what it says, and whether that is enough for an event.

use std::collections::BTreeMap;

use retrans_event::Record;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::stream::labels::MAX_COLUMNS;

/// Labels of one event, by their keys.
pub type Labels = BTreeMap<String, String>;

/// What a line says.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Said {
    /// An event.
    Event(Record, Labels),
    /// So many events were lost.
    Gap(u64),
    /// Something else: an alert, and whatever there will be.
    Other,
}

/// What an event must say to be one; everything else may be left out. Kinds of JSON values are
/// checked where they are read in earnest.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Line {
    r#type: Option<Value>,
    timestamp: Option<IgnoredAny>,
    ipversion: Option<IgnoredAny>,
    state: Option<IgnoredAny>,
    state_number: Option<IgnoredAny>,
    source: Option<End>,
    destination: Option<End>,
    sequence: Option<IgnoredAny>,
    record: Option<Stamp>,
    retransmit: Option<Retransmit>,
    labels: Option<Value>,
    lost: Option<Value>,
}

#[derive(Deserialize)]
struct End {
    ip: Option<IgnoredAny>,
    port: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Stamp {
    boot_time_ns: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Retransmit {
    kind: Option<IgnoredAny>,
}

/// Reads a line; `sequence` is for an event that says none. The error names the field.
pub fn read(text: &str, sequence: u64) -> Result<Said, String> {
    let line: Line = match serde_json::from_str(text) {
        Ok(line) => line,
        Err(_) if is_another(text) => return Ok(Said::Other),
        // Of values that are of another kind than expected, the record says whose they are.
        Err(error) => {
            let record: Result<Record, _> = serde_json::from_str(text);
            return Err(explain(&record.err().unwrap_or(error)));
        }
    };
    match &line.r#type {
        Some(Value::String(name)) if name == "retransmit" => {}
        Some(Value::String(name)) if name == "gap" => return line.gap().map(Said::Gap),
        Some(Value::String(_)) => return Ok(Said::Other),
        Some(_) => return Err("type: expected text such as \"retransmit\"".to_owned()),
        None => return Err("type is missing, expected \"retransmit\"".to_owned()),
    }
    if let Some(missing) = line.missing() {
        return Err(format!("{missing} is missing"));
    }
    let record = serde_json::from_str(text).map_err(|error| explain(&error))?;
    let record = line.complete(record, sequence);
    Ok(Said::Event(record, labels(line.labels)?))
}

/// Is it none of the lines that are read here? Their keys may mean something else.
fn is_another(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    let typed: Result<Typed, _> = serde_json::from_str(text);
    typed.is_ok_and(|typed| !["retransmit", "gap"].contains(&typed.r#type.as_str()))
}

/// The parser's line is always the first.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    match error.column() {
        // Of what is no object at all.
        0 => what.to_owned(),
        column => format!("column {column}: {what}"),
    }
}

fn labels(labels: Option<Value>) -> Result<Labels, String> {
    let labels = match labels {
        None => return Ok(Labels::new()),
        Some(Value::Object(labels)) if labels.len() > MAX_COLUMNS => {
            let keys = labels.len();
            return Err(format!(
                "labels: {keys} keys, at most {MAX_COLUMNS} are read"
            ));
        }
        Some(Value::Object(labels)) => labels,
        Some(_) => return Err("labels: expected an object".to_owned()),
    };
    let labels = labels.into_iter().map(|(key, value)| match value {
        _ if key.is_empty() => Err("labels: a key is empty".to_owned()),
        Value::String(value) => Ok((key, value)),
        _ => Err(format!("labels: expected text for {key:?}")),
    });
    labels.collect()
}

impl Line {
    fn gap(&self) -> Result<u64, String> {
        let lost = self.lost.as_ref().ok_or("lost is missing")?;
        let lost = lost.as_u64();
        Ok(lost.ok_or("lost: expected a number from 0 to 18446744073709551615")?)
    }

    /// The first field that is missing, by name.
    fn missing(&self) -> Option<&'static str> {
        let end = |end: &Option<End>| {
            let end = end.as_ref();
            let ip = end.is_some_and(|end| end.ip.is_some());
            (ip, end.is_some_and(|end| end.port.is_some()))
        };
        let (source, destination) = (end(&self.source), end(&self.destination));
        let there = [
            ("timestamp", self.timestamp.is_some()),
            ("state", self.state.is_some() || self.state_number.is_some()),
            ("source.ip", source.0),
            ("source.port", source.1),
            ("destination.ip", destination.0),
            ("destination.port", destination.1),
        ];
        let missing = there.iter().find(|(_, there)| !there);
        missing.map(|(name, _)| *name)
    }

    /// What can be worked out need not be written.
    fn complete(&self, mut record: Record, sequence: u64) -> Record {
        let stamp = self.record.as_ref();
        if stamp.is_none_or(|stamp| stamp.boot_time_ns.is_none()) {
            let time = record.wall_time();
            record.set_time(time);
        }
        if self.sequence.is_none() {
            record.set_sequence(sequence);
        }
        let told = self.retransmit.as_ref();
        if told.is_none_or(|told| told.kind.is_none()) {
            let kind = record.classify();
            record.set_kind(kind);
        }
        if self.ipversion.is_none() {
            let ip_version = if record.is_ipv4() { 4 } else { 6 };
            record.set_ip_version(ip_version);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_event::Kind;
    use retrans_event::Record;
    use std::time::Duration;

    const LEAST: &str = r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443}}"#;

    fn event(text: &str) -> (Record, Labels) {
        match read(text, 7) {
            Ok(Said::Event(record, labels)) => (record, labels),
            Ok(_) => panic!("no event: {text}"),
            Err(error) => panic!("{error}: {text}"),
        }
    }

    #[track_caller]
    fn wrong(from: &str, to: &str) -> String {
        assert!(LEAST.contains(from), "{from}");
        let text = LEAST.replacen(from, to, 1);
        match read(&text, 0) {
            Ok(_) => panic!("it is taken: {text}"),
            Err(error) => error,
        }
    }

    #[test]
    fn six_values_are_an_event_and_the_rest_is_worked_out() {
        let (record, labels) = event(LEAST);
        let wall_time = Duration::from_secs(1_767_225_601);
        assert_eq!((record.wall_time(), record.time()), (wall_time, wall_time));
        assert_eq!((record.sequence(), record.ip_version()), (7, 4));
        assert_eq!(record.kind(), Kind::Unknown);
        assert_eq!((record.sent_if_known(), record.segments()), (None, None));
        assert!(labels.is_empty());

        let (record, _) = event(&LEAST.replace("ESTABLISHED", "SYN_SENT"));
        assert_eq!(record.kind(), Kind::Syn, "as the evidence has it");
        let (record, _) = event(&LEAST.replace("10.0.0.", "2001:db8::"));
        assert_eq!(record.ip_version(), 6);
        let (record, _) = event(&LEAST.replace(r#""state":"ESTABLISHED""#, r#""state_number":12"#));
        assert_eq!(record.state().number(), 12);
    }

    #[test]
    fn what_is_written_stays() {
        let more = r#"{"sequence":3,"ipversion":6,"record":{"boot_time_ns":5},"retransmit":{"kind":"fast"},"labels":{"zone":"eu"},"#;
        let (record, labels) = event(&LEAST.replacen('{', more, 1));
        assert_eq!((record.sequence(), record.ip_version()), (3, 6));
        assert_eq!(record.time(), Duration::from_nanos(5));
        assert_eq!(record.kind(), Kind::Fast);
        assert_eq!(labels, Labels::from([("zone".to_owned(), "eu".to_owned())]));
    }

    #[test]
    fn a_missing_field_is_named() {
        let type_is_missing = "type is missing, expected \"retransmit\"";
        assert_eq!(wrong(r#""type":"retransmit","#, ""), type_is_missing);
        assert_eq!(wrong(r#""retransmit""#, "null"), type_is_missing);
        for (from, to, name) in [
            ("\"timestamp\"", "\"time\"", "timestamp"),
            ("\"state\"", "\"status\"", "state"),
            ("\"ESTABLISHED\"", "null", "state"),
            ("\"source\"", "\"from\"", "source.ip"),
            (r#""ip":"10.0.0.1","#, "", "source.ip"),
            (r#","port":33000"#, "", "source.port"),
            ("\"destination\"", "\"to\"", "destination.ip"),
            (r#""ip":"10.0.0.2","#, "", "destination.ip"),
            (r#","port":443"#, "", "destination.port"),
            ("443", "null", "destination.port"),
        ] {
            assert_eq!(wrong(from, to), format!("{name} is missing"));
        }
    }

    #[test]
    fn an_ill_typed_value_is_named() {
        for (from, to, words) in [
            ("\"retransmit\"", "5", "type: expected text"),
            ("\"2026-01-01T00:00:01Z\"", "5", "for timestamp"),
            ("2026-01-01T", "2026-13-01T", "for timestamp"),
            ("2026", "1969", "for timestamp"),
            ("\"ESTABLISHED\"", "1", "for state"),
            ("ESTABLISHED", "CONNECTED", "for state"),
            (
                r#"{"ip":"10.0.0.1","port":33000}"#,
                "5",
                "an object for source",
            ),
            ("10.0.0.1", "10.0.0.256", "for source.ip"),
            ("\"10.0.0.1\"", "1", "for source.ip"),
            ("33000", "\"33000\"", "for source.port"),
            ("33000", "65536", "for source.port"),
            ("33000", "-1", "for source.port"),
            ("443", "443.0", "for destination.port"),
            ("{", r#"{"source":{},"#, "`source`"),
            (
                "{",
                r#"{"retransmit":{"kind":"slow"},"#,
                "for retransmit.kind",
            ),
            (
                "{",
                r#"{"retransmit":{"kind":null},"#,
                "for retransmit.kind",
            ),
            ("{", r#"{"record":[],"#, "record"),
            ("{", r#"{"labels":5,"#, "labels: expected an object"),
            (
                "{",
                r#"{"labels":{"zone":5},"#,
                "labels: expected text for \"zone\"",
            ),
            ("{", r#"{"labels":{"":"eu"},"#, "labels: a key is empty"),
        ] {
            let error = wrong(from, to);
            assert!(error.contains(words), "{words:?} is not in: {error}");
        }
    }

    #[test]
    fn what_is_no_object_is_told_with_its_column() {
        for (text, expected) in [
            ("hello", "column 1: expected value"),
            (
                "5",
                "column 1: invalid type: integer `5`, expected an object",
            ),
            ("[]", "invalid type: sequence, expected an object"),
            (&LEAST[..40], "column 40: EOF while parsing a string"),
            ("{} {}", "column 4: trailing characters"),
        ] {
            let error = read(text, 0).err();
            assert_eq!(error.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn gaps_are_read_and_other_lines_passed_over() {
        let lost = |text: &str| match read(text, 0) {
            Ok(Said::Gap(lost)) => Ok(lost),
            Ok(_) => panic!("no gap: {text}"),
            Err(error) => Err(error),
        };
        assert_eq!(lost(r#"{"type":"gap","lost":3}"#), Ok(3));
        let most = r#"{"type":"gap","lost":18446744073709551615}"#;
        assert_eq!(lost(most), Ok(u64::MAX));
        let missing = lost(r#"{"type":"gap"}"#);
        assert_eq!(missing, Err("lost is missing".to_owned()));
        for value in ["-1", "1.5", "\"3\"", "{}", "18446744073709551616"] {
            let error = lost(&format!(r#"{{"type":"gap","lost":{value}}}"#));
            assert!(error.is_err_and(|error| error.starts_with("lost: expected")));
        }
        for other in [
            r#"{"type":"alert","state":"firing","labels":{"peer":"10.0.0.2"}}"#,
            r#"{"type":"later","source":5,"record":"x","retransmit":[]}"#,
        ] {
            assert!(matches!(read(other, 0), Ok(Said::Other)), "{other}");
        }
    }
}
