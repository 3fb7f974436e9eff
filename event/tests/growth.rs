//! Records grow by appending: an old plugin reads a longer record, a newer plugin a shorter one.
#![allow(clippy::unwrap_used)]

mod accessors;
mod v0_1;

use std::time::Duration;

use accessors::ACCESSORS;
use retrans_event::CORE_SIZE;
use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::Kind;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::TooShort;
use retrans_event::synth::Synth;

/// A record of a later version.
const LONGER: usize = RECORD_SIZE + 64;

/// Every length that a record of an older version could have; fewer of them under Miri.
fn lengths() -> impl Iterator<Item = usize> {
    (CORE_SIZE..=RECORD_SIZE).step_by(if cfg!(miri) { 96 } else { 1 })
}

fn field(name: &str) -> &'static Field {
    let found = FIELDS.iter().find(|field| field.name == name);
    found.unwrap_or_else(|| panic!("{name} is gone"))
}

/// A plugin of 0.1 in another language, which reads bytes with its own offsets.
struct OldPlugin<'a>(&'a [u8]);

impl<'a> OldPlugin<'a> {
    fn value(&self, field: &v0_1::OldField) -> Option<&'a [u8]> {
        let present = match field.presence_bit {
            Some(bit) => self.0[bit as usize / 8] >> (bit % 8) & 1 == 1,
            None => true,
        };
        present.then(|| &self.0[field.offset..field.offset + field.size])
    }

    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        let field = v0_1::FIELDS.iter().find(|field| field.name == name);
        self.value(field.unwrap())
    }

    fn number(&self, name: &str) -> Option<u64> {
        let bytes = self.bytes(name)?;
        let add = |sum, byte: &u8| sum << 8 | u64::from(*byte);
        Some(bytes.iter().rev().fold(0, add))
    }
}

#[test]
fn the_fields_of_0_1_stay_where_they_were() {
    for old in v0_1::FIELDS {
        let new = field(old.name);
        assert_eq!(new.offset, old.offset, "offset of {}", old.name);
        assert_eq!(new.size, old.size, "size of {}", old.name);
        assert_eq!(new.format.name(), old.format, "format of {}", old.name);
        assert_eq!(new.presence_bit, old.presence_bit, "{}", old.name);
        assert_eq!(new.json, old.json, "JSON key of {}", old.name);
    }
}

#[test]
fn later_fields_are_appended_and_may_be_absent() {
    const { assert!(RECORD_SIZE >= v0_1::RECORD_SIZE) };
    for field in FIELDS {
        if !v0_1::FIELDS.iter().any(|old| old.name == field.name) {
            assert!(field.offset >= v0_1::END, "{}", field.name);
            assert!(field.presence_bit.is_some(), "{}", field.name);
        }
    }
}

#[test]
fn an_old_plugin_reads_a_longer_record() {
    let mut bytes = [0xee; LONGER];
    bytes[..RECORD_SIZE].fill(0);
    let event = Event::new_mut(&mut bytes).unwrap();
    event.set_size(LONGER as u32);
    event.set_peer_address("192.0.2.7".parse().unwrap());
    event.set_peer_port(443);
    event.set_kind(Kind::Fast);
    event.set_time(Duration::from_nanos(0x0102_0304_0506_0708));
    event.set_uid(Some(0));
    event.set_srtt(Some(Duration::from_micros(1_500)));
    event.set_owner_pid(Some(4_711));

    let plugin = OldPlugin(event.as_bytes());
    assert_eq!(plugin.number("size"), Some(LONGER as u64));
    let mapped = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07";
    assert_eq!(plugin.bytes("peer_address"), Some(mapped.as_slice()));
    assert_eq!(plugin.number("peer_port"), Some(443));
    assert_eq!(plugin.number("kind"), Some(6));
    assert_eq!(plugin.number("boot_time_ns"), Some(0x0102_0304_0506_0708));
    assert_eq!(plugin.number("uid"), Some(0), "root, not unknown");
    assert_eq!(plugin.number("srtt_us"), Some(1_500));
    assert_eq!(plugin.number("owner_pid"), Some(4_711));
    assert_eq!(plugin.number("cgroup_id"), None);
}

#[test]
fn a_longer_record_that_was_written_by_the_offsets_of_0_1_is_read() {
    for old in v0_1::FIELDS {
        let accessor = ACCESSORS.iter().find(|a| a.name == old.name).unwrap();
        let mut sample = [0; LONGER];
        (accessor.set)(Event::new_mut(&mut sample).unwrap());
        let value = OldPlugin(&sample).value(old).unwrap();

        let mut bytes = [0; LONGER];
        bytes[RECORD_SIZE..].fill(0xee);
        bytes[old.offset..old.offset + old.size].copy_from_slice(value);
        if let Some(bit) = old.presence_bit {
            bytes[bit as usize / 8] |= 1 << (bit % 8);
        }
        let event = Event::new(&bytes).unwrap();
        assert!((accessor.holds)(event), "{}", old.name);
        for accessor in ACCESSORS {
            let optional = field(accessor.name).presence_bit.is_some();
            assert_eq!(
                (accessor.is_absent)(event),
                optional && accessor.name != old.name,
                "{} where only {} is known",
                accessor.name,
                old.name
            );
        }
    }
}

#[test]
fn too_few_bytes_are_no_record() {
    for length in 0..CORE_SIZE {
        let mut bytes = vec![0xff; length];
        assert_eq!(Event::new(&bytes), Err(TooShort(length)));
        assert_eq!(Event::new_mut(&mut bytes), Err(TooShort(length)));
    }
    assert_eq!(
        TooShort(3).to_string(),
        "a record has at least 88 bytes, this one has 3"
    );
}

#[test]
fn a_newer_plugin_finds_what_a_shorter_record_lacks_absent() {
    for length in lengths() {
        // All presence bits are set, including those of fields beyond the end.
        let bytes = vec![0xff; length];
        let event = Event::new(&bytes).unwrap();
        for accessor in ACCESSORS {
            let field = field(accessor.name);
            let beyond = field.offset + field.size > length;
            let absent = (accessor.is_absent)(event);
            assert_eq!(absent, beyond, "{} in {length} bytes", field.name);
        }
    }
}

#[test]
fn a_newer_plugin_cannot_set_what_a_shorter_record_lacks() {
    for length in lengths() {
        let mut bytes = vec![0; length];
        for accessor in ACCESSORS {
            let field = field(accessor.name);
            let before = bytes.clone();
            let event = Event::new_mut(&mut bytes).unwrap();
            (accessor.set)(event);
            if field.offset + field.size <= length {
                assert!((accessor.holds)(event), "{}", field.name);
            } else {
                assert!((accessor.is_absent)(event), "{}", field.name);
                assert_eq!(bytes, before, "{} in {length} bytes", field.name);
                (accessor.clear)(Event::new_mut(&mut bytes).unwrap());
                assert_eq!(bytes, before, "{} in {length} bytes", field.name);
            }
        }
    }
}

#[test]
fn a_shorter_record_can_be_classified_shown_and_copied() {
    for length in lengths() {
        let bytes = vec![0xff; length];
        let event = Event::new(&bytes).unwrap();
        event.classify();
        assert!(format!("{event:?}").starts_with("Event { local: "));

        let record = event.to_record();
        assert_eq!(record.as_bytes().len(), RECORD_SIZE);
        assert_eq!(record.size(), RECORD_SIZE as u32);
        for accessor in ACCESSORS {
            assert_eq!(
                (accessor.is_absent)(&record),
                (accessor.is_absent)(event),
                "{} in {length} bytes",
                accessor.name
            );
        }
    }
}

#[test]
fn a_longer_record_is_copied_without_what_is_not_known() {
    let mut bytes = [0xee; LONGER];
    let event = Event::new_mut(&mut bytes).unwrap();
    event.set_size(LONGER as u32);
    event.set_segments(Some(2));
    let record = event.to_record();
    assert_eq!(record.size(), RECORD_SIZE as u32);
    assert_eq!(record.segments(), Some(2));
    assert_eq!(record.as_bytes()[4..], event.as_bytes()[4..RECORD_SIZE]);
}

#[test]
fn a_changed_record_keeps_the_bytes_and_the_presence_bits_of_later_fields() {
    let mut bytes = [0; LONGER];
    bytes[v0_1::END..].fill(0xee);
    // The bits that 0.1 does not use.
    bytes[8..16].copy_from_slice(&(u64::MAX << 45).to_le_bytes());
    let event = Event::new_mut(&mut bytes).unwrap();
    for old in v0_1::FIELDS {
        let accessor = ACCESSORS.iter().find(|a| a.name == old.name).unwrap();
        (accessor.set)(event);
        (accessor.clear)(event);
    }
    assert!(bytes[v0_1::END..].iter().all(|byte| *byte == 0xee));
    assert_eq!(bytes[8..16], (u64::MAX << 45).to_le_bytes());
}

/// FNV-1a over the fields that 0.1 had.
fn fingerprint(events: impl Iterator<Item = Record>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for event in events {
        let plugin = OldPlugin(event.as_bytes());
        for old in v0_1::FIELDS.iter().filter(|old| old.name != "size") {
            // Version 0.1 set this field on no event.
            let value = plugin.value(old).filter(|_| old.name != "owner_pid");
            for byte in [u8::from(value.is_some())]
                .iter()
                .chain(value.unwrap_or(&[]))
            {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    hash
}

#[test]
fn a_seed_gives_the_events_that_it_gave_in_0_1() {
    assert_eq!(fingerprint(Synth::new(42).take(100)), 0x22b4_4caa_2078_eaff);
}
