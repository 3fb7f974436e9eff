//! The record has the same layout in C and in Rust.

use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::RECORD_SIZE;

/// Name, offset and size of each member of `struct retrans_event`, from the BTF of the probe.
const C_LAYOUT: &[(&str, usize, usize)] = include!(concat!(env!("OUT_DIR"), "/c_layout.rs"));

/// Members without a field: the presence bits.
const NO_FIELDS: [&str; 2] = ["present", "present_high"];

fn member(name: &str) -> Option<(usize, usize)> {
    let member = C_LAYOUT.iter().find(|(member, ..)| *member == name);
    member.map(|(_, offset, size)| (*offset, *size))
}

fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

#[test]
fn every_field_is_where_c_declares_it() {
    for field in FIELDS {
        let name = field.name;
        assert_eq!(member(name), Some((field.offset, field.size)), "{name}");
    }
}

#[test]
fn c_declares_nothing_that_has_no_name() {
    for (name, ..) in C_LAYOUT {
        let known = field(name).is_some() || NO_FIELDS.contains(name);
        assert!(known, "{name} is declared in C alone");
    }
}

#[test]
fn the_record_is_equally_long() {
    let ends = C_LAYOUT.iter().map(|(_, offset, size)| offset + size);
    assert_eq!(ends.max(), Some(RECORD_SIZE));
}

#[test]
fn presence_bits_are_within_the_presence_words_and_no_two_fields_share_one() {
    let words = ["present", "present_high"].map(|name| {
        let (offset, size) = member(name).expect("the record has presence bits");
        8 * offset as u32..8 * (offset + size) as u32
    });
    let mut seen = Vec::new();
    for field in FIELDS {
        let Some(bit) = field.presence_bit else {
            continue;
        };
        assert!(
            words.iter().any(|word| word.contains(&bit)),
            "{}: {bit} is not in {words:?}",
            field.name
        );
        assert!(!seen.contains(&bit), "{}: {bit} is taken", field.name);
        seen.push(bit);
    }
}
