//! Records of another version, read through the layout that the capture brings along.

use retrans_event::CORE_SIZE;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;

use super::head::Field;
use super::head::Head;
use super::head::layout;
use crate::stream::batch::Batch;

/// The largest record that is believed.
const MAX_BYTES: u32 = 64 * 1024;

/// A layout that no record can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Records too short or too long.
    #[error("its records are said to have {0} bytes")]
    Size(u32),
    /// A field beyond the end of the record.
    #[error("its field {0:?} ends beyond the record's {1} bytes")]
    Beyond(String, u32),
    /// Two fields in one place.
    #[error("its fields {0:?} and {1:?} overlap")]
    Overlap(String, String),
    /// One name twice.
    #[error("it has two fields {0:?}")]
    Twice(String),
    /// A field that every record has is not there.
    #[error("it has no field {0}, which every record has")]
    Missing(String),
    /// A field that is something else here.
    #[error("its field {0} is {1:?} of {2} bytes, expected {3} of {4}")]
    Kind(String, String, u32, String, u32),
}

/// How to make records of this version of the capture's.
#[derive(Debug)]
pub enum Translation {
    /// They are the same.
    Same,
    /// Field by field.
    Fields {
        /// Bytes of the capture's records.
        record_size: usize,
        /// The fields that both have.
        moves: Vec<Move>,
    },
}

/// One field's way.
#[derive(Debug)]
pub struct Move {
    from: usize,
    to: usize,
    size: usize,
    /// Positions of the presence bits: there, if it is not always there, and here.
    presence: Option<(Option<usize>, usize)>,
}

impl Translation {
    /// From the layout of a capture to that of this version. Fields that are not known here are left
    /// out; those that the capture does not have are absent.
    pub fn new(head: &Head) -> Result<Translation, LayoutError> {
        check(head)?;
        let ours = layout();
        if head.record_size as usize == RECORD_SIZE && head.layout == ours {
            return Ok(Translation::Same);
        }
        let mut moves = Vec::new();
        for field in &ours {
            let Some(theirs) = head.layout.iter().find(|theirs| theirs.name == field.name) else {
                if field.presence_bit.is_none() {
                    return Err(LayoutError::Missing(field.name.clone()));
                }
                continue;
            };
            if (theirs.size, &theirs.kind) != (field.size, &field.kind) {
                return Err(LayoutError::Kind(
                    field.name.clone(),
                    theirs.kind.clone(),
                    theirs.size,
                    field.kind.clone(),
                    field.size,
                ));
            }
            moves.push(Move {
                from: theirs.offset as usize,
                to: field.offset as usize,
                size: field.size as usize,
                presence: field.presence_bit.map(|here| {
                    (
                        theirs.presence_bit.map(|there| there as usize),
                        here as usize,
                    )
                }),
            });
        }
        let record_size = head.record_size as usize;
        Ok(Translation::Fields { record_size, moves })
    }

    /// Adds records of the capture to a batch.
    pub fn apply(&self, theirs: &[u8], batch: &mut Batch) {
        match self {
            Translation::Same => batch.extend(theirs),
            Translation::Fields { record_size, moves } => {
                for theirs in theirs.chunks_exact(*record_size) {
                    batch.push(translate(theirs, moves).as_bytes());
                }
            }
        }
    }
}

fn translate(theirs: &[u8], moves: &[Move]) -> Record {
    let mut bytes = [0; RECORD_SIZE];
    for field in moves {
        if let Some((there, here)) = field.presence {
            if there.is_some_and(|there| theirs[there / 8] >> (there % 8) & 1 == 0) {
                continue;
            }
            bytes[here / 8] |= 1 << (here % 8);
        }
        bytes[field.to..field.to + field.size]
            .copy_from_slice(&theirs[field.from..field.from + field.size]);
    }
    let mut record = Record::from_bytes(bytes);
    record.set_size(RECORD_SIZE as u32);
    record
}

/// Could a record be laid out like this?
fn check(head: &Head) -> Result<(), LayoutError> {
    if head.record_size < CORE_SIZE as u32 || head.record_size > MAX_BYTES {
        return Err(LayoutError::Size(head.record_size));
    }
    let bits = 8 * u64::from(head.record_size);
    for field in &head.layout {
        let bit_is_within = field
            .presence_bit
            .is_none_or(|position| u64::from(position) < bits);
        if end(field) > head.record_size.into() || !bit_is_within {
            return Err(LayoutError::Beyond(field.name.clone(), head.record_size));
        }
    }
    let mut fields: Vec<&Field> = head.layout.iter().collect();
    fields.sort_by_key(|field| field.offset);
    for pair in fields.windows(2) {
        if end(pair[0]) > pair[1].offset.into() {
            return Err(LayoutError::Overlap(
                pair[0].name.clone(),
                pair[1].name.clone(),
            ));
        }
    }
    check_bits(&fields)?;
    fields.sort_by_key(|field| &field.name);
    match fields.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(LayoutError::Twice(pair[0].name.clone())),
        None => Ok(()),
    }
}

/// A presence bit is a field's own, and within no field. The fields are in order.
fn check_bits(fields: &[&Field]) -> Result<(), LayoutError> {
    let overlap = |a: &Field, b: &Field| LayoutError::Overlap(a.name.clone(), b.name.clone());
    let bits = fields
        .iter()
        .filter_map(|field| Some((field.presence_bit?, *field)));
    let mut bits: Vec<(u32, &Field)> = bits.collect();
    for (bit, field) in &bits {
        let byte = bit / 8;
        let before = fields.partition_point(|other| other.offset <= byte);
        if let Some(other) = fields[..before].last()
            && end(other) > byte.into()
        {
            return Err(overlap(field, other));
        }
    }
    bits.sort_by_key(|(bit, _)| *bit);
    match bits.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(overlap(pair[0].1, pair[1].1)),
        None => Ok(()),
    }
}

fn end(field: &Field) -> u64 {
    u64::from(field.offset) + u64::from(field.size)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retrans_event::Event;
    use retrans_event::Kind;
    use retrans_event::PRESENCE_WORDS;
    use retrans_event::TcpState;
    use retrans_event::synth::Synth;

    use super::*;

    fn head() -> Head {
        Head::new(None, String::new())
    }

    /// A head of this version with one thing changed.
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

    fn place(head: &Head, name: &str) -> usize {
        let found = head.layout.iter().position(|field| field.name == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    fn field<'a>(head: &'a mut Head, name: &str) -> &'a mut Field {
        let place = place(head, name);
        &mut head.layout[place]
    }

    /// The records of a capture with this head, as records of this version.
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
        // In another order of the fields they are the same as well, field by field.
        let mut reversed = head();
        reversed.layout.reverse();
        assert_eq!(apply(&reversed, &bytes), records);
    }

    #[test]
    fn of_an_older_record_the_new_fields_are_absent() {
        // It ended before the owner's fields, whose presence bits meant nothing yet.
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
            // What the crate itself makes of a record that is so short.
            let cut = Event::new(&record.as_bytes()[..288]).expect("it is long enough");
            let mut expected = cut.to_record();
            expected.set_sent(None);
            expected.set_fast_open(None);
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
        // Backwards: the first field last, and the bits in bytes behind all of them.
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
            let ours = record.as_bytes();
            let mut moved = [0; 600];
            for (from, to) in layout().iter().zip(&theirs.layout) {
                let value = &ours[from.offset as usize..][..from.size as usize];
                moved[to.offset as usize..][..to.size as usize].copy_from_slice(value);
                if let (Some(here), Some(there)) = (from.presence_bit, to.presence_bit) {
                    let bit = ours[here as usize / 8] >> (here % 8) & 1;
                    moved[there as usize / 8] |= bit << (there % 8);
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
        let there = 8 * PRESENCE_WORDS[1] + 63;
        let mut theirs = head();
        let here = field(&mut theirs, "segments").presence_bit;
        let here = here.expect("it may be absent") as usize;
        field(&mut theirs, "segments").presence_bit = Some(there as u32);
        let mut records: Vec<Record> = Synth::new(10).take(100).collect();
        let mut bytes = Vec::new();
        for (index, record) in records.iter_mut().enumerate() {
            let mut moved = record.as_bytes().to_vec();
            moved[here / 8] &= !(1 << (here % 8));
            if index % 2 == 0 {
                moved[there / 8] |= 1 << (there % 8);
            } else {
                record.set_segments(None);
            }
            bytes.extend(moved);
        }
        assert_eq!(apply(&theirs, &bytes), records);
    }

    #[test]
    fn a_presence_bit_may_be_in_the_second_word_of_this_version() {
        // No field is there yet: a made-up one, in a byte that no field has.
        let here = 8 * PRESENCE_WORDS[1] + 63;
        for known in [false, true] {
            let mut theirs = [0; CORE_SIZE];
            theirs[8] = u8::from(known);
            theirs[87] = 7;
            let made_up = Move {
                from: 87,
                to: 287,
                size: 1,
                presence: Some((Some(64), here)),
            };
            let record = translate(&theirs, &[made_up]);
            let mut expected = [0; RECORD_SIZE];
            if known {
                expected[287] = 7;
                expected[here / 8] = 1 << (here % 8);
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
        refused(|head| head.record_size = 0, "said to have 0 bytes");
        refused(|head| head.record_size = u32::MAX, "4294967295 bytes");
        refused(|head| head.record_size = MAX_BYTES + 1, "65537 bytes");
        refused(
            |head| head.record_size = 100,
            "beyond the record's 100 bytes",
        );
        refused(|head| head.layout.clear(), "no field wall_time_ns");
        for field in layout() {
            if field.presence_bit.is_none() {
                let name = field.name.as_str();
                let missing = format!("no field {name}, which");
                refused(|head| drop(head.layout.remove(place(head, name))), &missing);
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
        // A name cannot steer a terminal.
        refused(
            |head| {
                let odd = field(head, "seq");
                odd.name = "\x1b[31m".to_owned();
                odd.size = u32::MAX;
            },
            "\\u{1b}[31m",
        );
    }
}
