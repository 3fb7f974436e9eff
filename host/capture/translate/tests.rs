//! Layouts of other versions, and layouts that no record can have.

use std::time::Duration;

use retrans_event::CORE_SIZE;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::PRESENCE_WORDS;
use retrans_event::TcpState;
use retrans_event::synth::Synth;

use super::*;
use crate::capture::head::Field;
use crate::capture::layout::MAX_RECORD_SIZE;

fn head() -> Head {
    Head::new(None, String::new())
}

/// The translation for a head of this version with one change.
fn changed(change: impl FnOnce(&mut Head)) -> Result<Translation, LayoutError> {
    let mut head = head();
    change(&mut head);
    Translation::new(&head)
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Head), words: &str) {
    let error = changed(change).expect_err(words).to_string();
    assert!(error.contains(words), "{words:?} is not in: {error}");
}

fn position(head: &Head, name: &str) -> usize {
    let found = head.layout.iter().position(|field| field.name == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

fn field<'a>(head: &'a mut Head, name: &str) -> &'a mut Field {
    let position = position(head, name);
    &mut head.layout[position]
}

/// The translated records of a capture with this head.
fn apply(head: &Head, theirs: &[u8]) -> Vec<Record> {
    let translation = Translation::new(head).expect("the layout is sound");
    let mut batch = Batch::new();
    translation.apply(theirs, &mut batch);
    batch.events().map(Event::to_record).collect()
}

#[test]
fn records_of_this_version_are_taken_as_they_are() {
    assert!(matches!(changed(|_| ()), Ok(Translation::Same)));
    let records: Vec<Record> = Synth::new(3).take(50).collect();
    let bytes: Vec<u8> = records.iter().flat_map(|r| r.as_bytes().to_vec()).collect();
    assert_eq!(apply(&head(), &bytes), records);
    // With the fields in another order, they are translated field by field to the same records.
    let mut reversed = head();
    reversed.layout.reverse();
    assert_eq!(apply(&reversed, &bytes), records);
}

#[test]
fn of_an_older_record_the_new_fields_are_absent() {
    // That version's record ended before the fields of the owner, and their presence bits had no meaning yet.
    let mut older = head();
    older.record_size = 288;
    older
        .layout
        .retain(|field| field.offset + field.size <= 284);
    assert!(older.layout.len() < layout().len());
    let records: Vec<Record> = Synth::new(5).take(200).collect();
    let bytes: Vec<u8> = records
        .iter()
        .flat_map(|record| record.as_bytes()[..288].to_vec())
        .collect();
    let read = apply(&older, &bytes);
    assert_eq!(read.len(), records.len());
    for (read, record) in read.iter().zip(&records) {
        // The crate's own reading of a record of this size.
        let cut = Event::new(&record.as_bytes()[..288]).expect("it is long enough");
        let mut expected = cut.to_record();
        expected.set_sent(None);
        expected.set_fast_open(None);
        expected.set_timer_expired(None);
        expected.set_owner_status(None);
        assert_eq!(read, &expected);
        assert_eq!(read.size(), RECORD_SIZE as u32);
        assert_eq!(read.owner_status(), None);
        assert_eq!(
            (read.segments(), read.srtt()),
            (record.segments(), record.srtt())
        );
    }
}

#[test]
fn of_a_newer_record_the_unknown_fields_are_left_out() {
    let mut newer = head();
    newer.record_size = RECORD_SIZE as u32 + 40;
    let unknown = Field {
        name: "colour".to_owned(),
        offset: RECORD_SIZE as u32,
        size: 40,
        kind: "colour-of-a-segment".to_owned(),
        presence_bit: Some(64 + 63),
    };
    newer.layout.push(unknown);
    let records: Vec<Record> = Synth::new(6).take(200).collect();
    let bytes: Vec<u8> = records
        .iter()
        .flat_map(|record| {
            let mut bytes = record.as_bytes().to_vec();
            bytes[0] = 0xff;
            bytes[15] |= 0x80;
            bytes.extend([0xee; 40]);
            bytes
        })
        .collect();
    assert_eq!(apply(&newer, &bytes), records);
}

#[test]
fn fields_and_presence_bits_may_be_elsewhere() {
    // The fields are in reverse order, and the presence bits are in bytes after all fields.
    let mut theirs = head();
    let mut offset = 0;
    for (index, field) in theirs.layout.iter_mut().rev().enumerate() {
        field.offset = offset;
        offset += field.size;
        if field.presence_bit.is_some() {
            field.presence_bit = Some(8 * 500 + index as u32);
        }
    }
    theirs.record_size = 600;
    let records: Vec<Record> = Synth::new(8).take(100).collect();
    let mut bytes = Vec::new();
    for record in &records {
        let own = record.as_bytes();
        let mut moved = [0; 600];
        for (from, to) in layout().iter().zip(&theirs.layout) {
            let value = &own[from.offset as usize..][..from.size as usize];
            moved[to.offset as usize..][..to.size as usize].copy_from_slice(value);
            if let (Some(own_bit), Some(other_bit)) = (from.presence_bit, to.presence_bit) {
                let bit = own[own_bit as usize / 8] >> (own_bit % 8) & 1;
                moved[other_bit as usize / 8] |= bit << (other_bit % 8);
            }
        }
        bytes.extend(moved);
    }
    assert_eq!(apply(&theirs, &bytes), records);
}

#[test]
fn a_capture_without_the_second_presence_word_is_read() {
    let mut older = head();
    older.record_size = 376;
    let records: Vec<Record> = Synth::new(9).take(100).collect();
    let bytes: Vec<u8> = records
        .iter()
        .flat_map(|record| record.as_bytes()[..376].to_vec())
        .collect();
    assert_eq!(apply(&older, &bytes), records);
}

#[test]
fn a_presence_bit_may_be_in_the_second_word_of_the_capture() {
    let other_bit = 8 * PRESENCE_WORDS[1] + 63;
    let mut theirs = head();
    let own_bit = field(&mut theirs, "segments").presence_bit;
    let own_bit = own_bit.expect("it may be absent") as usize;
    field(&mut theirs, "segments").presence_bit = Some(other_bit as u32);
    let mut records: Vec<Record> = Synth::new(10).take(100).collect();
    let mut bytes = Vec::new();
    for (index, record) in records.iter_mut().enumerate() {
        let mut moved = record.as_bytes().to_vec();
        moved[own_bit / 8] &= !(1 << (own_bit % 8));
        if index % 2 == 0 {
            moved[other_bit / 8] |= 1 << (other_bit % 8);
        } else {
            record.set_segments(None);
        }
        bytes.extend(moved);
    }
    assert_eq!(apply(&theirs, &bytes), records);
}

#[test]
fn a_presence_bit_may_be_in_the_second_word_of_this_version() {
    // The second word has no field yet: the test uses a made-up one, in a byte that belongs to no field.
    let own_bit = 8 * PRESENCE_WORDS[1] + 63;
    for known in [false, true] {
        let mut theirs = [0; CORE_SIZE];
        theirs[8] = u8::from(known);
        theirs[87] = 7;
        let made_up = FieldCopy {
            from: 87,
            to: 287,
            size: 1,
            presence: Some(Presence {
                from: Some(64),
                to: own_bit,
            }),
        };
        let record = translate(&theirs, &[made_up]);
        let mut expected = [0; RECORD_SIZE];
        if known {
            expected[287] = 7;
            expected[own_bit / 8] = 1 << (own_bit % 8);
        }
        assert_eq!(record.as_bytes()[4..], expected[4..]);
    }
}

#[test]
fn a_field_that_was_always_there_is_present() {
    let mut theirs = head();
    field(&mut theirs, "segments").presence_bit = None;
    let mut record = Record::new();
    record.set_state(TcpState::Established);
    record.set_kind(Kind::Fast);
    record.set_time(Duration::from_secs(1));
    let [read] = &apply(&theirs, record.as_bytes())[..] else {
        panic!("one record")
    };
    assert_eq!(read.segments(), Some(0));
    record.set_segments(Some(0));
    assert_eq!(read, &record);
}

#[test]
fn a_layout_that_cannot_be_is_refused() {
    refused(|head| head.record_size = 0, "a record size of 0 bytes");
    refused(|head| head.record_size = u32::MAX, "4294967295 bytes");
    refused(|head| head.record_size = MAX_RECORD_SIZE + 1, "65537 bytes");
    refused(
        |head| head.record_size = 100,
        "beyond the record's 100 bytes",
    );
    refused(|head| head.layout.clear(), "no field wall_time_ns");
    for field in layout() {
        if field.presence_bit.is_none() {
            let name = field.name.as_str();
            let missing = format!("no field {name}, which");
            refused(
                |head| drop(head.layout.remove(position(head, name))),
                &missing,
            );
        }
    }
    refused(
        |head| field(head, "seq").offset += 2,
        "\"seq\" and \"end_seq\" overlap",
    );
    refused(
        |head| field(head, "seq").offset = u32::MAX,
        "\"seq\" ends beyond",
    );
    refused(
        |head| field(head, "seq").size = u32::MAX,
        "\"seq\" ends beyond",
    );
    refused(
        |head| field(head, "seq").presence_bit = Some(u32::MAX),
        "\"seq\" ends beyond",
    );
    refused(|head| field(head, "seq").size = 3, "expected u32 of 4");
    refused(
        |head| field(head, "seq").kind = "text".to_owned(),
        "expected u32",
    );
    refused(
        |head| field(head, "seq").presence_bit = Some(64),
        "\"error\" and \"seq\" overlap",
    );
    refused(
        |head| field(head, "seq").presence_bit = Some(8 * 50),
        "\"seq\" and \"local_address\" overlap",
    );
    refused(
        |head| {
            let mut twice = head.layout[0].clone();
            twice.offset = head.record_size;
            head.record_size += twice.size;
            head.layout.push(twice);
        },
        "two fields \"wall_time_ns\"",
    );
    // A name cannot send control sequences to a terminal.
    refused(
        |head| {
            let odd = field(head, "seq");
            odd.name = "\x1b[31m".to_owned();
            odd.size = u32::MAX;
        },
        "\\u{1b}[31m",
    );
}
