//! The paths of the JSON form are those of its lines, and so are the values at them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use retrans_event::Event;
use retrans_event::FieldPath;
use retrans_event::FieldValue;
use retrans_event::Format;
use retrans_event::RECORD_SIZE;
use retrans_event::synth::Synth;
use serde_json::Value;

/// The values of a line that are no objects, as text by path.
fn flat(value: &Value, path: &str, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(inner) => {
            for (key, value) in inner {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                flat(value, &path, values);
            }
        }
        Value::String(text) => drop(values.insert(path.to_owned(), text.clone())),
        other => drop(values.insert(path.to_owned(), other.to_string())),
    }
}

fn by_serde(event: &Event) -> BTreeMap<String, String> {
    let mut line = serde_json::to_value(event).expect("an event is JSON");
    let object = line.as_object_mut().expect("an object");
    object.remove("type");
    // It is owner.pid once more.
    object.remove("pid");
    let mut values = BTreeMap::new();
    flat(&line, "", &mut values);
    values
}

fn by_paths(event: &Event) -> BTreeMap<String, String> {
    let values = FieldPath::all().filter_map(|path| {
        let value = path.value(event)?;
        Some((path.to_string(), value.to_string()))
    });
    values.collect()
}

#[test]
fn the_values_of_generated_events_are_those_of_their_lines() {
    for event in Synth::new(5).take(2_000) {
        assert_eq!(by_paths(&event), by_serde(&event));
    }
}

proptest! {
    #[test]
    fn the_values_of_any_bytes_are_those_of_their_line(
        bytes in prop::collection::vec(any::<u8>(), 88..=RECORD_SIZE + 16)
    ) {
        let event = Event::new(&bytes).expect("it is long enough");
        prop_assert_eq!(by_paths(event), by_serde(event));
    }
}

#[test]
fn the_paths_are_in_the_order_of_a_line() {
    let mut bytes = [0xff; RECORD_SIZE];
    // Names that are text in both forms.
    bytes[216..232].fill(b'a');
    let event = Event::new(&bytes).expect("it is long enough");
    let line = serde_json::to_string(event).expect("an event is JSON");
    let mut from = 0;
    for path in FieldPath::all() {
        let path = path.to_string();
        let key = path.rsplit('.').next().expect("a key");
        let key = format!("\"{key}\":");
        let place = line[from..].find(&key);
        from += place.unwrap_or_else(|| panic!("{path} is not behind the one before it: {line}"));
    }
}

#[test]
fn a_path_is_found_by_its_name_and_an_object_is_all_that_is_in_it() {
    let found =
        |text| -> Vec<String> { FieldPath::find(text).map(|path| path.to_string()).collect() };
    assert_eq!(found("timestamp"), ["timestamp"]);
    assert_eq!(found("state"), ["state"]);
    assert_eq!(found("state_number"), ["state_number"]);
    assert_eq!(found("source"), ["source.ip", "source.port"]);
    assert_eq!(found("owner.last.pid"), ["owner.last.pid"]);
    let last = [
        "owner.last.pid",
        "owner.last.comm",
        "owner.last.uid",
        "owner.last.container",
    ];
    assert_eq!(found("owner.last"), last);
    let owner = found("owner");
    assert!(
        owner.starts_with(&["owner.status".to_owned(), "owner.pid".to_owned()]),
        "{owner:?}"
    );
    assert!(owner.ends_with(&last.map(str::to_owned)), "{owner:?}");
    let tcp = found("tcp");
    assert!(tcp.iter().all(|path| path.starts_with("tcp.")) && tcp.len() > 20);
    for none in [
        "", ".", "ip", "size", "tc", "tcp.", "source.", ".ip", "labels", "type", "pid",
    ] {
        assert_eq!(found(none), [""; 0], "{none:?}");
    }
}

#[test]
fn the_format_of_a_path_tells_what_its_value_is() {
    for event in Synth::new(6).take(500) {
        for path in FieldPath::all() {
            let Some(value) = path.value(&event) else {
                continue;
            };
            let is_as_expected = match (path.is_number(), path.format()) {
                (true, Format::SendError) => matches!(value, FieldValue::Signed(_)),
                (true, _) => matches!(value, FieldValue::Unsigned(_)),
                (_, Format::Address) => matches!(value, FieldValue::Address(_)),
                (_, Format::Text) => matches!(value, FieldValue::Text(_)),
                (_, Format::Bool) => matches!(value, FieldValue::Bool(_)),
                (_, Format::U8 | Format::U16 | Format::U32 | Format::U64 | Format::Micros) => {
                    matches!(value, FieldValue::Unsigned(_))
                }
                (false, _) => !matches!(value, FieldValue::Signed(_)),
            };
            assert!(is_as_expected, "{path}: {value:?}");
            assert_eq!(
                path.is_number(),
                path.to_string().ends_with("_number"),
                "{path}"
            );
        }
    }
}
