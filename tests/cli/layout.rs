//! The record has the same layout in C, which writes it, and in Rust, which reads it.

use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::RECORD_SIZE;

/// Name, offset and size of each member of `struct retrans_event`, from the BTF of the probe.
const C_LAYOUT: &[(&str, usize, usize)] = include!(concat!(env!("OUT_DIR"), "/c_layout.rs"));

/// Members without a field: the presence bits, and room for more fields.
const NO_FIELDS: [&str; 2] = ["present", "reserved"];

fn member(name: &str) -> Option<(usize, usize)> {
    let member = C_LAYOUT.iter().find(|(member, ..)| *member == name);
    member.map(|(_, offset, size)| (*offset, *size))
}

fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

#[test]
fn every_field_is_where_the_probe_writes_it() {
    for field in FIELDS {
        let name = field.name;
        assert_eq!(member(name), Some((field.offset, field.size)), "{name}");
    }
}

#[test]
fn the_probe_writes_nothing_that_has_no_name() {
    for (name, ..) in C_LAYOUT {
        let known = field(name).is_some() || NO_FIELDS.contains(name);
        assert!(known, "{name} is in the probe's record alone");
    }
}

#[test]
fn the_record_is_equally_long() {
    let ends = C_LAYOUT.iter().map(|(_, offset, size)| offset + size);
    assert_eq!(ends.max(), Some(RECORD_SIZE));
}

#[test]
fn presence_bits_are_within_the_presence_word_and_no_two_fields_share_one() {
    let (offset, size) = member("present").expect("the record has presence bits");
    let word = 8 * offset as u32..8 * (offset + size) as u32;
    let mut seen = Vec::new();
    for field in FIELDS {
        let Some(bit) = field.presence_bit else {
            continue;
        };
        assert!(
            word.contains(&bit),
            "{}: {bit} is not in {word:?}",
            field.name
        );
        assert!(!seen.contains(&bit), "{}: {bit} is taken", field.name);
        seen.push(bit);
    }
}
