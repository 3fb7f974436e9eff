//! A record as JSON, and back.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use retrans_event::CORE_SIZE;
use retrans_event::CaState;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::Format;
use retrans_event::Owner;
use retrans_event::Process;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use serde_json::Value;
use serde_json::json;

fn to_json(event: &Event) -> Value {
    serde_json::to_value(event).unwrap()
}

fn read(text: &str) -> Record {
    serde_json::from_str(text).unwrap()
}

fn error(text: &str) -> String {
    serde_json::from_str::<Record>(text)
        .expect_err(text)
        .to_string()
}

fn event(bytes: &[u8]) -> &Event {
    Event::new(bytes).unwrap()
}

/// The value of a field in the JSON form.
fn at<'a>(line: &'a Value, field: &Field) -> Option<&'a Value> {
    let (group, key) = field.json;
    let mut objects = group.split('.').filter(|group| !group.is_empty());
    objects
        .try_fold(line, |line, group| line.get(group))?
        .get(key)
}

/// A line with this value of this field alone.
fn with_only(field: &Field, value: &str) -> String {
    let (group, key) = field.json;
    let objects = group.rsplit('.').filter(|group| !group.is_empty());
    let innermost = format!("{{{key:?}: {value}}}");
    objects.fold(innermost, |inner, group| format!("{{{group:?}: {inner}}}"))
}

/// Any bytes that are a value of the field.
fn bytes_of(field: &Field) -> BoxedStrategy<Vec<u8>> {
    let any_bytes = vec(any::<u8>(), field.size);
    let ipv4 = any::<[u8; 4]>().prop_map(|ip| [&[0; 10][..], &[0xff; 2], &ip].concat());
    match field.format {
        Format::Address => prop_oneof![ipv4, any_bytes].boxed(),
        Format::Text => "[^\0]{0,16}"
            .prop_map(|text| {
                let mut end = text.len().min(16);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                let mut bytes = text.as_bytes()[..end].to_vec();
                bytes.resize(16, 0);
                bytes
            })
            .boxed(),
        Format::Bool => any::<bool>().prop_map(|value| vec![value.into()]).boxed(),
        _ => any_bytes.boxed(),
    }
}

/// Any record: each optional field may be absent, and then is zero.
fn any_record() -> impl Strategy<Value = Record> {
    let fields: Vec<_> = FIELDS.iter().map(bytes_of).collect();
    let known = vec(any::<bool>(), FIELDS.len());
    (fields, known).prop_map(|(values, known)| {
        let mut bytes = vec![0; RECORD_SIZE];
        for ((field, value), known) in FIELDS.iter().zip(values).zip(known) {
            if let Some(bit) = field.presence_bit {
                if !known {
                    continue;
                }
                bytes[bit as usize / 8] |= 1 << (bit % 8);
            }
            bytes[field.offset..field.offset + field.size].copy_from_slice(&value);
        }
        // The size is the only field without a key in the JSON form.
        bytes[..4].copy_from_slice(&(RECORD_SIZE as u32).to_le_bytes());
        event(&bytes).to_record()
    })
}

proptest! {
    // One case takes seconds under Miri.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]

    #[test]
    fn any_record_is_read_back_as_it_was(record in any_record()) {
        let text = serde_json::to_string(&record).unwrap();
        let again = read(&text);
        prop_assert_eq!(again.as_bytes(), record.as_bytes(), "{}", text);
    }

    #[test]
    fn a_field_is_in_the_json_form_if_and_only_if_it_is_known(record in any_record()) {
        let line = to_json(&record);
        for field in FIELDS.iter().filter(|field| !field.json.1.is_empty()) {
            let known = match field.presence_bit {
                Some(bit) => record.as_bytes()[bit as usize / 8] >> (bit % 8) & 1 == 1,
                None => true,
            };
            prop_assert_eq!(at(&line, field).is_some(), known, "{}", field.name);
        }
    }

    #[test]
    fn what_a_short_record_lacks_is_absent(
        record in any_record(),
        length in CORE_SIZE..RECORD_SIZE,
    ) {
        let short = event(&record.as_bytes()[..length]);
        let line = to_json(short);
        for field in FIELDS {
            if field.offset + field.size > length {
                prop_assert!(at(&line, field).is_none(), "{}", field.name);
            }
        }
        let again: Record = serde_json::from_value(line).unwrap();
        let copy = short.to_record();
        prop_assert_eq!(again.as_bytes(), copy.as_bytes());
    }

    #[test]
    fn keys_may_come_in_any_order(record in any_record()) {
        // Sorted backwards, every number comes before its name.
        fn backwards(value: &Value) -> String {
            match value {
                Value::Object(map) => {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_by(|a, b| b.0.cmp(a.0));
                    let entries = entries.iter().map(|(k, v)| format!("{k:?}:{}", backwards(v)));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
                }
                other => other.to_string(),
            }
        }
        let text = backwards(&to_json(&record));
        let again = read(&text);
        prop_assert_eq!(again.as_bytes(), record.as_bytes(), "{}", text);
    }
}

#[test]
fn a_line_says_its_type_first_and_has_nothing_unknown() {
    let text = serde_json::to_string(&Record::new()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"type":"retransmit","timestamp":"1970-01-01T00:00:00.000000000Z","sequence":0,"#,
            r#""ipversion":0,"state":"other(0)","state_number":0,"#,
            r#""source":{"ip":"::","port":0},"destination":{"ip":"::","port":0},"#,
            r#""record":{"cpu":0,"cpu_sequence":0,"boot_time_ns":0},"#,
            r#""retransmit":{"kind":"unknown","tracepoint":"tcp_retransmit_skb"}}"#
        )
    );
}

#[test]
fn the_keys_that_readers_know_are_kept() {
    let mut record = Record::new();
    record.set_wall_time(std::time::Duration::new(1_767_225_600, 42));
    record.set_ip_version(4);
    record.set_state(TcpState::Established);
    record.set_local_address([192, 0, 2, 1].into());
    record.set_local_port(40_000);
    record.set_peer_address([192, 0, 2, 2].into());
    record.set_peer_port(443);
    record.set_owner(&Owner::Held {
        process: Process {
            pid: 1_234,
            comm: "curl".parse().unwrap(),
            uid: None,
            container: None,
        },
        holders: 1,
    });
    let line = to_json(&record);
    assert_eq!(line["timestamp"], "2026-01-01T00:00:00.000000042Z");
    assert_eq!(line["source"], json!({"ip": "192.0.2.1", "port": 40_000}));
    assert_eq!(line["destination"], json!({"ip": "192.0.2.2", "port": 443}));
    assert_eq!(line["ipversion"], 4);
    assert_eq!(line["pid"], 1_234);
    assert_eq!(line["state"], "ESTABLISHED");
}

#[test]
fn a_zero_that_is_known_is_written() {
    let mut record = Record::new();
    record.set_uid(Some(0));
    record.set_mark(Some(0));
    assert_eq!(to_json(&record)["socket"], json!({"uid": 0, "mark": 0}));
}

#[test]
fn true_and_false_are_written_and_read() {
    let mut record = Record::new();
    record.set_sent(Some(false));
    record.set_fast_open(Some(true));
    let line = to_json(&record);
    assert_eq!(line["retransmit"]["sent"], false);
    assert_eq!(line["retransmit"]["fast_open"], true);
    assert_eq!(read(&line.to_string()), record);
}

#[test]
fn the_kernels_number_stands_beside_its_name() {
    let mut record = Record::new();
    record.set_state(TcpState::FinWait1);
    record.set_ca_state(Some(CaState::Loss));
    record.set_timer(Some(Timer::Other(77)));
    record.set_tcp_flags(Some(TcpFlags(0x18)));
    record.set_error(Some(SendError(-113)));
    let line = to_json(&record);
    assert_eq!(line["state"], "FIN_WAIT1");
    assert_eq!(line["state_number"], 4);
    assert_eq!(line["tcp"]["ca_state"], "loss");
    assert_eq!(line["tcp"]["ca_state_number"], 4);
    assert_eq!(line["retransmit"]["timer"], "other(77)");
    assert_eq!(line["retransmit"]["timer_number"], 77);
    assert_eq!(line["retransmit"]["flags"], "PSH|ACK");
    assert_eq!(line["retransmit"]["flags_number"], 24);
    assert_eq!(line["retransmit"]["error"], "EHOSTUNREACH");
    assert_eq!(line["retransmit"]["error_number"], -113);
}

#[test]
fn the_number_counts_whether_it_comes_before_or_after_the_name() {
    for text in [
        r#"{"state": "CLOSE", "state_number": 1}"#,
        r#"{"state_number": 1, "state": "CLOSE"}"#,
        r#"{"state_number": 1}"#,
        // A name that a later version may have.
        r#"{"state": "HALF_OPEN", "state_number": 1}"#,
        r#"{"state_number": 1, "state": "HALF_OPEN"}"#,
    ] {
        assert_eq!(read(text).state(), TcpState::Established, "{text}");
    }
    assert_eq!(read(r#"{"state": "CLOSE"}"#).state(), TcpState::Close);
}

#[test]
fn keys_that_are_no_field_are_passed_over() {
    let text = r#"{
        "type": "retransmit", "": 1, "_number": 2, "size": 3, "labels": {"peer": "db"},
        "sequence_number": "x", "later": [1, {"source": 2}],
        "tcp": {"cwnd": 7, "later": null, "cwnd_number": true, "source": {"port": 1}, "": 0},
        "owner.last": {"pid": 1}, "owner.last.pid": 2, "last": {"pid": 3}
    }"#;
    let mut expected = Record::new();
    expected.set_cwnd(Some(7));
    assert_eq!(read(text), expected);
}

#[test]
fn keys_that_are_missing_are_absent_fields() {
    assert_eq!(read("{}"), Record::new());
    let record = read(r#"{"tcp": {}, "socket": {"uid": 0}}"#);
    assert_eq!(record.uid(), Some(0));
    assert_eq!(record.mark(), None);
    assert_eq!(record.cwnd(), None);
}

#[test]
fn any_form_of_the_same_time_or_address_is_read() {
    let record = read(
        r#"{"timestamp": "2026-01-01T01:00:00+01:00",
            "source": {"ip": "::ffff:192.0.2.1"}, "destination": {"ip": "2001:DB8:0::1"}}"#,
    );
    assert_eq!(record.wall_time().as_secs(), 1_767_225_600);
    assert_eq!(record.local_address().to_string(), "192.0.2.1");
    assert_eq!(record.peer_address().to_string(), "2001:db8::1");
}

#[test]
fn an_ill_typed_value_is_an_error_that_names_the_key() {
    for field in FIELDS.iter().filter(|field| !field.json.1.is_empty()) {
        let (group, key) = field.json;
        let path = match group {
            "" => key.to_owned(),
            group => format!("{group}.{key}"),
        };
        let texts = ["true", "null", "1.5", "[]", "{}", r#""\u0000""#, "-1"];
        let is_bool = field.format == Format::Bool;
        for value in texts.iter().skip(usize::from(is_bool)) {
            let text = with_only(field, value);
            let message = error(&text);
            assert!(
                message.contains(&format!(" for {path} at line"))
                    || message.contains(&format!(" for {path}, or its number")),
                "{text}: {message}"
            );
        }
    }
}

#[test]
fn errors_say_what_was_expected() {
    let cases = [
        (
            r#"{"tcp": {"cwnd": "ten"}}"#,
            "invalid type: string \"ten\", expected a number from 0 to 4294967295 for tcp.cwnd",
        ),
        (
            r#"{"ipversion": 256}"#,
            "invalid value: integer `256`, expected a number from 0 to 255 for ipversion",
        ),
        (
            r#"{"source": {"ip": "192.0.2"}}"#,
            "invalid value: string \"192.0.2\", expected an IP address for source.ip",
        ),
        (
            r#"{"retransmit": {"kind": "slow"}}"#,
            "invalid value: string \"slow\", expected a kind of retransmit such as fast or timeout for retransmit.kind",
        ),
        (
            r#"{"state": "HALF_OPEN"}"#,
            "unknown name: expected a TCP state such as ESTABLISHED for state, or its number for state_number",
        ),
        (
            r#"{"state": 1}"#,
            "invalid type: integer `1`, expected a TCP state such as ESTABLISHED for state",
        ),
        (
            r#"{"state_number": "CLOSE"}"#,
            "invalid type: string \"CLOSE\", expected a number of 8 bits for state_number",
        ),
        (
            r#"{"retransmit": {"flags_number": 65536}}"#,
            "invalid value: integer `65536`, expected a number of 16 bits for retransmit.flags_number",
        ),
        (
            r#"{"retransmit": {"error_number": -2147483649}}"#,
            "invalid value: integer `-2147483649`, expected a number of 32 bits for retransmit.error_number",
        ),
        (
            r#"{"timestamp": "1969-12-31T23:59:59Z"}"#,
            "invalid value: string \"1969-12-31T23:59:59Z\", expected a time from 1970 to 2554 such as 2026-01-01T00:00:00Z for timestamp",
        ),
        (
            r#"{"source": 5}"#,
            "invalid type: integer `5`, expected an object for source",
        ),
        (
            r#"{"owner": {"last": 5}}"#,
            "invalid type: integer `5`, expected an object for owner.last",
        ),
        (
            r#"{"owner": {"last": {"pid": -1}}}"#,
            "invalid value: integer `-1`, expected a number from 0 to 4294967295 for owner.last.pid",
        ),
        (
            r#"{"owner": {"status": "mine"}}"#,
            "invalid value: string \"mine\", expected an owner's status such as held for owner.status",
        ),
        (
            r#"{"retransmit": {"sent": 1}}"#,
            "invalid type: integer `1`, expected true or false for retransmit.sent",
        ),
        (
            r#"{"retransmit": {"fast_open": "yes"}}"#,
            "invalid type: string \"yes\", expected true or false for retransmit.fast_open",
        ),
        (
            r#"{"retransmit": {"segments": true}}"#,
            "invalid type: boolean `true`, expected a number from 0 to 4294967295 for retransmit.segments",
        ),
        ("[]", "invalid type: sequence, expected an object"),
    ];
    for (text, expected) in cases {
        let message = error(text);
        assert!(
            message.starts_with(&format!("{expected} at line 1 ")),
            "{message}"
        );
    }
}

#[test]
fn every_number_of_an_ipv4_address_is_written_as_display_does() {
    for number in 0..=u8::MAX {
        let address = Ipv4Addr::new(number, 255 - number, 0, number / 2);
        let mut record = Record::new();
        record.set_peer_address(address.into());
        let line = serde_json::to_value(&record).unwrap();
        assert_eq!(line["destination"]["ip"], address.to_string());
    }
}
