//! Reads any bytes as a record and as the JSON form of a record. Checks every accessor, both
//! directions of JSON, and every setter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrans_event::CORE_SIZE;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;

use self::accessors::ACCESSORS;
use self::accessors::Accessor;

#[path = "../../event/tests/accessors/mod.rs"]
mod accessors;

fuzz_target!(|bytes: &[u8]| {
    check_json(bytes);
    let Ok(event) = Event::new(bytes) else {
        assert!(bytes.len() < CORE_SIZE);
        return;
    };
    check_reads(event);
    check_writes(event);
});

fn json(event: &Event) -> String {
    serde_json::to_string(event).expect("every record has a JSON form")
}

fn record(text: &str) -> Record {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asserts that a record that can be read from JSON is unchanged after it was written and read again.
fn check_json(text: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<Record>(text) {
        assert_eq!(record(&json(&read)), read);
    }
}

/// Checks the accessors, and that the JSON form and the owner are unchanged after they were written and read again.
fn check_reads(event: &Event) {
    for accessor in ACCESSORS {
        let (field, absent) = (field(accessor), (accessor.is_absent)(event));
        let beyond = field.offset + field.size > event.as_bytes().len();
        assert!(absent || !beyond, "{}", field.name);
        (accessor.holds)(event);
    }
    let _ = (event.classify(), event.sent(), format!("{event:?}"));

    let text = json(event);
    assert_eq!(json(&record(&text)), text);
    let copy = event.to_record();
    assert_eq!(json(&copy), text);
    assert_eq!(copy.size(), RECORD_SIZE as u32);

    let owner = event.owner();
    let mut owned = Record::new();
    owned.set_owner(&owner);
    assert_eq!(owned.owner(), owner);
    assert_eq!(record(&json(&owned)).owner().status(), owner.status());
}

/// Checks that each setter sets its field and no other, and that the host's fields can be restored.
fn check_writes(original: &Event) {
    let mut bytes = original.as_bytes().to_vec();
    let length = bytes.len();
    let Ok(event) = Event::new_mut(&mut bytes) else {
        unreachable!("it has as many bytes as the original");
    };
    for accessor in ACCESSORS {
        (accessor.set)(event);
        let field = field(accessor);
        let within = field.offset + field.size <= length;
        assert_eq!((accessor.holds)(event), within, "{}", field.name);
    }
    let (new, old) = (event.as_bytes(), original.as_bytes());
    let ours = RECORD_SIZE.min(length);
    assert_eq!(new[ours..], old[ours..], "bytes of a newer version");
    event.restore_host_fields(original);
    assert_eq!(host_fields(event), host_fields(original));
    for accessor in ACCESSORS {
        (accessor.clear)(event);
        let optional = field(accessor).presence_bit.is_some();
        assert_eq!((accessor.is_absent)(event), optional, "{}", accessor.name);
    }
}

/// The values of the host's fields.
fn host_fields(event: &Event) -> impl PartialEq + std::fmt::Debug + use<> {
    let counts = (
        event.size(),
        event.cpu(),
        event.cpu_sequence(),
        event.sequence(),
    );
    (counts, event.time(), event.wall_time())
}

fn field(accessor: &Accessor) -> &'static Field {
    let found = FIELDS.iter().find(|field| field.name == accessor.name);
    found.expect("every accessor belongs to a field")
}
