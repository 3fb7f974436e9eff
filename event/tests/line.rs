//! The line writer writes what serde writes.

use proptest::prelude::*;
use retrans_event::Event;
use retrans_event::LineWriter;
use retrans_event::RECORD_SIZE;
use retrans_event::UnknownPath;
use retrans_event::synth::Synth;
use serde_json::Value;

fn by_serde(event: &Event) -> String {
    serde_json::to_string(event).expect("an event is JSON")
}

fn written(writer: &mut LineWriter, event: &Event) -> String {
    let mut line = writer.write(event).to_vec();
    line.push(b'}');
    String::from_utf8(line).expect("JSON is text")
}

#[test]
fn every_line_is_the_one_that_serde_writes() {
    let mut writer = Box::<LineWriter>::default();
    for event in Synth::new(9).take(5_000) {
        assert_eq!(written(&mut writer, &event), by_serde(&event));
    }
}

/// Bytes of a record. Half of them are from few values, such as quotes, so that texts need escapes.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(&b"\"\\\n\x08\x1fa\0\xc3\xa4"[..])
    ];
    prop::collection::vec(byte, 88..=RECORD_SIZE + 16)
}

proptest! {
    #[test]
    fn any_bytes_are_written_as_serde_writes_them(bytes in record()) {
        let event = Event::new(&bytes).expect("it is long enough");
        let mut writer = Box::<LineWriter>::default();
        prop_assert_eq!(written(&mut writer, event), by_serde(event));
        // A second time, with the text of the day that it keeps.
        prop_assert_eq!(written(&mut writer, event), by_serde(event));
    }

    #[test]
    fn addresses_with_zeros_are_abbreviated_as_serde_does(
        segments in prop::collection::vec(prop_oneof![2 => Just(0u16), 1 => any::<u16>(), 1 => 0..16u16], 8)
    ) {
        let bytes: Vec<u8> = segments.iter().flat_map(|segment| segment.to_be_bytes()).collect();
        let address: [u8; 16] = bytes.try_into().expect("16 bytes");
        let mut event = Synth::new(1).next().expect("an event");
        event.set_peer_address(std::net::IpAddr::from(address));
        let mut writer = Box::<LineWriter>::default();
        prop_assert_eq!(written(&mut writer, &event), by_serde(&event));
    }
}

/// The value at a path such as `source.ip`.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.pointer(&format!("/{}", path.replace('.', "/")))
}

#[test]
fn some_fields_are_those_that_were_asked_for() {
    let paths = [
        "owner.last.comm",
        "timestamp",
        "destination.ip",
        "retransmit.kind",
        "netns",
    ];
    let mut writer = Box::new(LineWriter::only(paths).expect("they are known"));
    for event in Synth::new(3).take(200) {
        let all: Value = serde_json::from_str(&by_serde(&event)).expect("JSON");
        let line = written(&mut writer, &event);
        let some: Value = serde_json::from_str(&line).expect("JSON");
        for path in paths {
            assert_eq!(at(&some, path), at(&all, path), "{path}");
        }
        assert!(
            line.starts_with(r#"{"type":"retransmit","timestamp":""#),
            "{line}"
        );
        let keys = some.as_object().expect("an object").keys();
        let expected = [
            "type",
            "timestamp",
            "destination",
            "retransmit",
            "netns",
            "owner",
        ];
        assert!(
            keys.clone().all(|key| expected.contains(&key.as_str())),
            "{line}"
        );
        assert_eq!(
            some["destination"].as_object().map(|inner| inner.len()),
            Some(1)
        );
    }
}

#[test]
fn a_number_comes_with_its_name_and_pid_and_labels_are_separate() {
    let keys = |paths: &[&str]| {
        let mut writer = Box::new(LineWriter::only(paths.iter().copied()).expect("known"));
        let held = |event: &retrans_event::Record| event.owner_pid().is_some();
        let event = Synth::new(3).find(held).expect("some are held");
        let value: Value = serde_json::from_str(&written(&mut writer, &event)).expect("JSON");
        let keys = value.as_object().expect("an object").keys().cloned();
        (keys.collect::<Vec<_>>(), writer.wants_labels())
    };
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(&[]), (owned(&["type"]), false));
    assert_eq!(keys(&["type", "labels"]), (owned(&["type"]), true));
    assert_eq!(keys(&["pid"]), (owned(&["pid", "type"]), false));
    let state = owned(&["state", "state_number", "type"]);
    assert_eq!(keys(&["state"]).0, state);
    assert_eq!(keys(&["state_number"]).0, state);
}

#[test]
fn a_path_that_is_none_is_refused_with_its_number() {
    for wrong in [
        "",
        ".",
        "ip",
        "source.",
        "source.ipv4",
        "tcp.tcp",
        "Owner",
        "owner.last.pid.x",
    ] {
        let result = LineWriter::only(["source.ip", wrong]).map(drop);
        assert_eq!(result, Err((1, UnknownPath)), "{wrong}");
    }
}
