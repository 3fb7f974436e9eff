//! Parses one line of JSON, and checks that it has all that an event needs.

use std::collections::BTreeMap;

use retrans_event::CensusRow;
use retrans_event::Record;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::stream::labels::MAX_COLUMNS;

/// Labels of one event, by key.
pub type Labels = BTreeMap<String, String>;

/// A parsed line.
pub enum ParsedLine {
    /// An event.
    Event(Record, Labels),
    /// A row of a census.
    Census(CensusRow),
    /// This number of events was lost.
    Gap(u64),
    /// A line of another type, such as an alert. It is ignored.
    Other,
}

/// The fields that an event must have, and those that have defaults. The types of ignored
/// values are checked when the record is parsed.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Fields {
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

/// Parses a line. `sequence` is the sequence number of an event without one. The error names the field.
pub fn parse(text: &str, sequence: u64) -> Result<ParsedLine, String> {
    let fields: Fields = match serde_json::from_str(text) {
        Ok(fields) => fields,
        Err(_) if is_of_type(text, |name| name == "census") => return census(text),
        Err(_) if is_of_type(text, is_other_type) => return Ok(ParsedLine::Other),
        // If a value has the wrong type, the error of the record names the field.
        Err(error) => {
            let record: Result<Record, _> = serde_json::from_str(text);
            return Err(explain(&record.err().unwrap_or(error)));
        }
    };
    match &fields.r#type {
        Some(Value::String(name)) if name == "retransmit" => {}
        Some(Value::String(name)) if name == "gap" => return fields.gap().map(ParsedLine::Gap),
        Some(Value::String(name)) if name == "census" => return census(text),
        Some(Value::String(_)) => return Ok(ParsedLine::Other),
        Some(_) => return Err("type: expected text such as \"retransmit\"".to_owned()),
        None => return Err("type is missing, expected \"retransmit\"".to_owned()),
    }
    if let Some(missing) = fields.first_missing() {
        return Err(format!("{missing} is missing"));
    }
    let record = serde_json::from_str(text).map_err(|error| explain(&error))?;
    let record = fields.complete(record, sequence);
    Ok(ParsedLine::Event(record, labels(fields.labels)?))
}

fn census(text: &str) -> Result<ParsedLine, String> {
    let row = serde_json::from_str(text).map_err(|error| explain(&error))?;
    Ok(ParsedLine::Census(row))
}

/// A type other than `retransmit` and `gap`: the keys of such lines may have another meaning.
fn is_other_type(name: &str) -> bool {
    !["retransmit", "gap"].contains(&name)
}

/// Returns whether the line has a type for which `is_wanted` returns true.
fn is_of_type(text: &str, is_wanted: impl FnOnce(&str) -> bool) -> bool {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    let typed: Result<Typed, _> = serde_json::from_str(text);
    typed.is_ok_and(|typed| is_wanted(&typed.r#type))
}

/// The message of the parser with the column, and without the line number, which is always 1.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    match error.column() {
        // The parser gives no column if the value is not an object.
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

impl Fields {
    fn gap(&self) -> Result<u64, String> {
        let lost = self.lost.as_ref().ok_or("lost is missing")?;
        let lost = lost.as_u64();
        Ok(lost.ok_or("lost: expected a number from 0 to 18446744073709551615")?)
    }

    /// The name of the first missing field.
    fn first_missing(&self) -> Option<&'static str> {
        let end = |end: &Option<End>| {
            let end = end.as_ref();
            let ip = end.is_some_and(|end| end.ip.is_some());
            (ip, end.is_some_and(|end| end.port.is_some()))
        };
        let (source, destination) = (end(&self.source), end(&self.destination));
        let required = [
            ("timestamp", self.timestamp.is_some()),
            ("state", self.state.is_some() || self.state_number.is_some()),
            ("source.ip", source.0),
            ("source.port", source.1),
            ("destination.ip", destination.0),
            ("destination.port", destination.1),
        ];
        let missing = required.iter().find(|(_, is_present)| !is_present);
        missing.map(|(name, _)| *name)
    }

    /// Sets the fields that the line lacks and that follow from the others.
    fn complete(&self, mut record: Record, sequence: u64) -> Record {
        let stamp = self.record.as_ref();
        if stamp.is_none_or(|stamp| stamp.boot_time_ns.is_none()) {
            let time = record.wall_time();
            record.set_time(time);
        }
        if self.sequence.is_none() {
            record.set_sequence(sequence);
        }
        let retransmit = self.retransmit.as_ref();
        if retransmit.is_none_or(|retransmit| retransmit.kind.is_none()) {
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

    const MINIMAL: &str = r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443}}"#;

    fn event(text: &str) -> (Record, Labels) {
        match parse(text, 7) {
            Ok(ParsedLine::Event(record, labels)) => (record, labels),
            Ok(_) => panic!("no event: {text}"),
            Err(error) => panic!("{error}: {text}"),
        }
    }

    #[track_caller]
    fn wrong(from: &str, to: &str) -> String {
        assert!(MINIMAL.contains(from), "{from}");
        let text = MINIMAL.replacen(from, to, 1);
        match parse(&text, 0) {
            Ok(_) => panic!("it is accepted: {text}"),
            Err(error) => error,
        }
    }

    #[test]
    fn six_values_are_an_event_and_the_rest_is_worked_out() {
        let (record, labels) = event(MINIMAL);
        let wall_time = Duration::from_secs(1_767_225_601);
        assert_eq!((record.wall_time(), record.time()), (wall_time, wall_time));
        assert_eq!((record.sequence(), record.ip_version()), (7, 4));
        assert_eq!(record.kind(), Kind::Unknown);
        assert_eq!((record.sent_if_known(), record.segments()), (None, None));
        assert!(labels.is_empty());

        let (record, _) = event(&MINIMAL.replace("ESTABLISHED", "SYN_SENT"));
        assert_eq!(record.kind(), Kind::Syn, "as the evidence has it");
        let (record, _) = event(&MINIMAL.replace("10.0.0.", "2001:db8::"));
        assert_eq!(record.ip_version(), 6);
        let (record, _) =
            event(&MINIMAL.replace(r#""state":"ESTABLISHED""#, r#""state_number":12"#));
        assert_eq!(record.state().number(), 12);
    }

    #[test]
    fn what_is_written_stays() {
        let more = r#"{"sequence":3,"ipversion":6,"record":{"boot_time_ns":5},"retransmit":{"kind":"fast"},"labels":{"zone":"eu"},"#;
        let (record, labels) = event(&MINIMAL.replacen('{', more, 1));
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
    fn what_is_no_object_is_reported_with_its_column() {
        for (text, expected) in [
            ("hello", "column 1: expected value"),
            (
                "5",
                "column 1: invalid type: integer `5`, expected an object",
            ),
            ("[]", "invalid type: sequence, expected an object"),
            (&MINIMAL[..40], "column 40: EOF while parsing a string"),
            ("{} {}", "column 4: trailing characters"),
        ] {
            let error = parse(text, 0).err();
            assert_eq!(error.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn gaps_are_read_and_other_lines_passed_over() {
        let lost = |text: &str| match parse(text, 0) {
            Ok(ParsedLine::Gap(lost)) => Ok(lost),
            Ok(_) => panic!("no gap: {text}"),
            Err(error) => Err(error),
        };
        assert_eq!(lost(r#"{"type":"gap","lost":3}"#), Ok(3));
        let max = r#"{"type":"gap","lost":18446744073709551615}"#;
        assert_eq!(lost(max), Ok(u64::MAX));
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
            assert!(matches!(parse(other, 0), Ok(ParsedLine::Other)), "{other}");
        }
    }
}
