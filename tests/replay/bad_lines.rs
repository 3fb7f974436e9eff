//! A line of a JSON file that cannot be replayed: the error has its number, the column or the field, and
//! the cause.

use std::fs;

use crate::common::captures::host;
use crate::common::components::Files;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;

/// Checks that these lines are refused for this reason.
#[track_caller]
fn refused_lines(text: impl AsRef<[u8]>, what: &str) {
    let files = Files::new();
    files.write("events.jsonl", text);
    let mut command = host(files.path(), &["replay", "events.jsonl"]);
    assert_refused(
        &mut command,
        FAILURE,
        &[&format!("cannot replay events.jsonl:{what}")],
    );
}

const LEAST: &str = r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443}}"#;

#[test]
fn a_line_with_a_field_that_is_missing() {
    for (from, to, what) in [
        (
            r#""type":"retransmit","#,
            "",
            "type is missing, expected \"retransmit\"",
        ),
        (
            r#""timestamp":"2026-01-01T00:00:01Z","#,
            "",
            "timestamp is missing",
        ),
        (r#""state":"ESTABLISHED","#, "", "state is missing"),
        (r#""source""#, r#""from""#, "source.ip is missing"),
        (r#""ip":"10.0.0.1","#, "", "source.ip is missing"),
        (r#","port":33000"#, "", "source.port is missing"),
        (r#""ip":"10.0.0.2","#, "", "destination.ip is missing"),
        (r#","port":443"#, "", "destination.port is missing"),
    ] {
        assert!(LEAST.contains(from), "{from}");
        // In the third line, after an empty one and one of another type.
        let text = format!(
            "\n{{\"type\":\"alert\"}}\n{}\n",
            LEAST.replacen(from, to, 1)
        );
        refused_lines(text, &format!("3: {what}"));
    }
    refused_lines("{\"type\":\"gap\"}", "1: lost is missing");
}

#[test]
fn a_line_with_a_field_of_another_type() {
    for (from, to, what) in [
        (
            "\"retransmit\"",
            "[]",
            "type: expected text such as \"retransmit\"",
        ),
        (
            "{",
            "{\"labels\":{\"zone\":[]},",
            "labels: expected text for \"zone\"",
        ),
        ("{", "{\"labels\":\"zone\",", "labels: expected an object"),
    ] {
        refused_lines(LEAST.replacen(from, to, 1), &format!("1: {what}"));
    }
    for (from, to, what) in [
        ("\"2026-01-01T00:00:01Z\"", "1767225601", "for timestamp"),
        ("\"ESTABLISHED\"", "true", "for state"),
        ("\"10.0.0.1\"", "\"localhost\"", "for source.ip"),
        ("33000", "\"33000\"", "for source.port"),
        ("443", "65536", "for destination.port"),
        (
            "{\"ip\":\"10.0.0.2\",\"port\":443}",
            "\"10.0.0.2:443\"",
            "for destination",
        ),
        (
            "{",
            "{\"retransmit\":{\"segments\":-1},",
            "for retransmit.segments",
        ),
        ("{", "{\"owner\":{\"pid\":\"me\"},", "for owner.pid"),
        ("{", "{\"sequence\":1.5,", "for sequence"),
    ] {
        assert!(LEAST.contains(from), "{from}");
        let files = Files::new();
        files.write("a.jsonl", LEAST.replacen(from, to, 1));
        let mut command = host(files.path(), &["replay", "a.jsonl"]);
        let words = ["cannot replay a.jsonl:1: column ", what];
        assert_refused(&mut command, FAILURE, &words);
    }
    refused_lines(
        "{\"type\":\"gap\",\"lost\":\"3\"}",
        "1: lost: expected a number",
    );
}

#[test]
fn a_line_of_standard_input_has_a_number_as_well() {
    let files = Files::new();
    let text = files.write("a.jsonl", "\n\n{\n");
    let mut command = host(files.path(), &["replay", "-"]);
    let command = command.stdin(fs::File::open(text).expect("it was written"));
    assert_refused(command, FAILURE, &["cannot replay -:3: column 1: EOF"]);
}

#[test]
fn a_line_that_is_too_long_or_no_text() {
    let long = " ".repeat(1 << 20);
    refused_lines(format!("\n{long}{LEAST}\n"), "2: it is longer than 1 MiB");
    let bytes = [b"\n", LEAST.as_bytes(), b"\n"].concat();
    let bytes = [&bytes[..20], b"\xff", &bytes[20..]].concat();
    refused_lines(bytes, "2: it is not text");
    refused_lines(&LEAST[..50], "1: column 50: EOF while parsing");
}
