//! The table of fields gives every byte of a record its field, and the accessors agree with the table.
#![allow(clippy::unwrap_used)]

mod accessors;

use std::collections::BTreeSet;
use std::ops::Range;

use accessors::ACCESSORS;
use retrans_event::CORE_SIZE;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::PRESENCE_WORDS;
use retrans_event::RECORD_SIZE;

/// Bytes of the presence words.
fn presence_words() -> [Range<usize>; 2] {
    PRESENCE_WORDS.map(|start| start..start + 8)
}

fn field(name: &str) -> &'static Field {
    let found = FIELDS.iter().find(|field| field.name == name);
    found.unwrap_or_else(|| panic!("the table has no field {name}"))
}

#[test]
fn every_byte_belongs_to_one_field() {
    let mut owner = [None; RECORD_SIZE];
    for range in presence_words() {
        owner[range].fill(Some("no field"));
    }
    for field in FIELDS {
        for byte in &mut owner[field.offset..field.offset + field.size] {
            let before = byte.replace(field.name);
            assert_eq!(before, None, "{} has a byte of another", field.name);
        }
    }
    let free: Vec<usize> = (0..RECORD_SIZE).filter(|b| owner[*b].is_none()).collect();
    assert!(free.is_empty(), "bytes of no field: {free:?}");
}

#[test]
fn fields_are_naturally_aligned_as_in_c() {
    for field in FIELDS {
        // Addresses and text are arrays of bytes.
        let alignment = if field.size == 16 { 1 } else { field.size };
        assert_eq!(field.offset % alignment, 0, "{}", field.name);
    }
}

#[test]
fn what_every_record_has_is_the_core_and_nothing_else() {
    for field in FIELDS {
        let within = field.offset + field.size <= CORE_SIZE;
        assert_eq!(within, field.presence_bit.is_none(), "{}", field.name);
    }
}

#[test]
fn presence_bits_are_in_the_presence_words_and_none_is_left_out() {
    let mut fields: Vec<&Field> = FIELDS.iter().filter(|f| f.presence_bit.is_some()).collect();
    fields.sort_by_key(|field| field.presence_bit);
    let numbers: Vec<u32> = fields.iter().filter_map(|f| f.presence_bit).collect();
    let bits = presence_words().map(|word| 8 * word.start as u32..8 * word.end as u32);
    let expected: Vec<u32> = bits.into_iter().flatten().take(fields.len()).collect();
    assert_eq!(numbers, expected, "a bit is used twice, or left out");
}

#[test]
fn the_presence_words_are_where_they_always_were() {
    assert_eq!(PRESENCE_WORDS, [8, 376]);
}

#[test]
fn names_and_json_keys_are_snake_case_and_used_once() {
    let mut names = BTreeSet::new();
    let mut paths = BTreeSet::new();
    let snake = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for field in FIELDS {
        assert!(snake(field.name), "{}", field.name);
        assert!(names.insert(field.name), "{} twice", field.name);
        let (group, key) = field.json;
        assert!(group.is_empty() || group.split('.').all(snake), "{group}");
        // The size says nothing about an event in the JSON form.
        if field.name == "size" {
            assert_eq!(field.json, ("", ""));
        } else {
            assert!(snake(key), "{key:?} of {}", field.name);
            assert!(paths.insert(field.json), "{group}.{key} twice");
        }
    }
    // A field's key must differ from the objects and from the line's own keys.
    let groups: BTreeSet<&str> = FIELDS.iter().map(|field| field.json.0).collect();
    for path in groups.iter().copied().chain(["type", "labels", "pid"]) {
        let path = path.rsplit_once('.').unwrap_or(("", path));
        assert!(!paths.contains(&path), "{path:?} is an object's key");
    }
}

/// Checks that equal objects are next to each other.
fn stand_together(objects: impl Iterator<Item = &'static str>) {
    let mut objects: Vec<&str> = objects.filter(|object| !object.is_empty()).collect();
    objects.dedup();
    let once: BTreeSet<&str> = objects.iter().copied().collect();
    assert_eq!(objects.len(), once.len(), "{objects:?}");
}

#[test]
fn fields_of_one_json_object_stand_together() {
    let groups = || FIELDS.iter().map(|field| field.json.0);
    stand_together(groups());
    stand_together(groups().filter_map(|group| group.split('.').next()));
}

#[test]
fn fields_of_an_object_come_before_the_objects_within_it() {
    for (index, field) in FIELDS.iter().enumerate() {
        if let Some((outer, _)) = field.json.0.rsplit_once('.') {
            let mut before = FIELDS[..index].iter();
            assert!(
                before.any(|before| before.json.0 == outer),
                "{}",
                field.name
            );
        }
    }
}

#[test]
fn every_field_says_what_it_is_and_where_it_comes_from() {
    for field in FIELDS {
        let doc = field.doc;
        assert!(doc.ends_with('.'), "{}: {doc:?}", field.name);
        assert_eq!(doc.trim(), doc, "{}", field.name);
        assert!(!doc.contains("  "), "{}: {doc:?}", field.name);
        assert!(!field.source.is_empty(), "{}", field.name);
        let (major, minor) = field.since.split_once('.').unwrap();
        let since: (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
        assert!(since >= (5, 8), "the probe's ring buffer came with 5.8");
    }
}

#[test]
fn there_is_an_accessor_for_every_field() {
    let tested: BTreeSet<&str> = ACCESSORS.iter().map(|accessor| accessor.name).collect();
    let fields: BTreeSet<&str> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(tested, fields);
}

#[test]
fn a_setter_writes_the_bytes_of_its_field_and_its_presence_bit_alone() {
    for accessor in ACCESSORS {
        let field = field(accessor.name);
        let mut bytes = [0; RECORD_SIZE];
        let event = Event::new_mut(&mut bytes).unwrap();
        let optional = field.presence_bit.is_some();
        assert_eq!((accessor.is_absent)(event), optional, "{}", field.name);

        (accessor.set)(event);
        assert!((accessor.holds)(event), "{} is not read back", field.name);
        assert!(!(accessor.is_absent)(event));

        let mut expected: BTreeSet<usize> = (field.offset..field.offset + field.size).collect();
        if let Some(bit) = field.presence_bit {
            let (byte, bit) = (bit as usize / 8, bit % 8);
            assert_eq!(bytes[byte], 1 << bit, "presence of {}", field.name);
            expected.insert(byte);
        }
        let written: BTreeSet<usize> = (0..RECORD_SIZE).filter(|b| bytes[*b] != 0).collect();
        assert_eq!(written, expected, "{}", field.name);
    }
}

#[test]
fn no_field_disturbs_another() {
    let mut bytes = [0; RECORD_SIZE];
    let event = Event::new_mut(&mut bytes).unwrap();
    for accessor in ACCESSORS {
        (accessor.set)(event);
    }
    for accessor in ACCESSORS {
        assert!((accessor.holds)(event), "{}", accessor.name);
    }
    for accessor in ACCESSORS {
        (accessor.clear)(event);
        assert_eq!(
            (accessor.is_absent)(event),
            field(accessor.name).presence_bit.is_some(),
            "{}",
            accessor.name
        );
    }
    assert!(bytes[8..16].iter().all(|byte| *byte == 0), "presence");
    assert!(
        bytes[CORE_SIZE..].iter().all(|byte| *byte == 0),
        "the bytes of absent fields are zero"
    );
}
