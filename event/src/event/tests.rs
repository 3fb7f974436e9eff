//! Fields of either presence word, in records of any length. No real field uses the second word
//! yet, so the fields here are made up.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::codec::Address;
use crate::codec::U8;
use crate::codec::U32;
use crate::codec::U64;
use crate::presence::PRESENCE_WORDS;

/// Bytes of the second presence word.
const SECOND: Range<usize> = PRESENCE_WORDS[1]..PRESENCE_WORDS[1] + 8;

/// The byte of a field of the first word, in records with and without the second one.
const BYTE: usize = 287;

/// The first byte after the second word.
const APPENDED: usize = SECOND.end;

fn event(bytes: &mut [u8]) -> &mut Event {
    Event::new_mut(bytes).expect("it is long enough")
}

#[test]
fn a_field_of_the_second_word_is_read_back_and_made_absent_again() {
    for number in [64, 127] {
        let bit = PresenceBit::number(number);
        let mut bytes = [0; APPENDED + 4];
        let event = event(&mut bytes);
        assert_eq!(event.optional::<U32>(bit, APPENDED), None);

        event.set_optional::<U32>(bit, APPENDED, Some(0x1122_3344));
        assert_eq!(event.optional::<U32>(bit, APPENDED), Some(0x1122_3344));
        let word = 1_u64 << (number - 64);
        assert_eq!(event.as_bytes()[SECOND], word.to_le_bytes());
        assert_eq!(event.as_bytes()[8..16], [0; 8], "the first word");

        event.set_optional::<U32>(bit, APPENDED, Some(0));
        assert_eq!(event.optional::<U32>(bit, APPENDED), Some(0), "0 is known");
        event.set_optional::<U32>(bit, APPENDED, Some(7));
        event.set_optional::<U32>(bit, APPENDED, None);
        assert_eq!(event.optional::<U32>(bit, APPENDED), None);
        assert!(event.as_bytes().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_record_without_the_whole_second_word_has_none_of_its_fields() {
    // A field whose bytes every one of these records has, and one behind the word.
    for (offset, first_length) in [(BYTE, SECOND.end), (APPENDED, APPENDED + 1)] {
        for length in [288, 292, 296, 300, 376, 380, 383, 384, 385, 388, 392] {
            for number in [64, 127] {
                let bit = PresenceBit::number(number);
                let mut bytes = [0xff; 392];
                let event = event(&mut bytes[..length]);
                let is_there = length >= first_length;
                let expected = is_there.then_some(0xff);
                assert_eq!(event.optional::<U8>(bit, offset), expected, "{length}");
                event.set_optional::<U8>(bit, offset, Some(7));
                let expected = is_there.then_some(7);
                assert_eq!(event.optional::<U8>(bit, offset), expected, "{length}");
                event.set_optional::<U8>(bit, offset, None);
                assert_eq!(event.optional::<U8>(bit, offset), None);
                let changed = bytes.iter().filter(|byte| **byte != 0xff).count();
                assert_eq!(changed, if is_there { 2 } else { 0 }, "{length}");
            }
        }
    }
}

#[test]
fn a_field_of_the_first_word_needs_no_second_one() {
    for number in [0, 63] {
        let bit = PresenceBit::number(number);
        let mut bytes = [0; 288];
        let event = event(&mut bytes);
        event.set_optional::<U8>(bit, BYTE, Some(7));
        assert_eq!(event.optional::<U8>(bit, BYTE), Some(7));
        assert!(event.has(bit));
        event.forget(bit, BYTE..BYTE + 1);
        assert!(event.as_bytes().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn the_host_puts_back_no_presence_bit() {
    let mut original = [0; APPENDED];
    let mut changed = [0; APPENDED];
    let bits = [0, 63, 64, 127].map(PresenceBit::number);
    for bit in bits {
        event(&mut changed).set_optional::<U8>(bit, BYTE, Some(1));
    }
    event(&mut changed).restore_host_fields(event(&mut original));
    assert!(bits.iter().all(|bit| event(&mut changed).has(*bit)));
}

#[test]
fn a_copy_of_a_shorter_record_has_no_part_of_a_word() {
    for length in CORE_SIZE..APPENDED {
        let mut bytes = [0xff; APPENDED];
        let record = event(&mut bytes[..length]).to_record();
        assert_eq!(record.as_bytes()[SECOND], [0; 8], "{length}");
    }
    let mut bytes = [0xff; APPENDED + 8];
    let record = event(&mut bytes).to_record();
    assert_eq!(record.as_bytes()[SECOND], [0xff; 8], "as in the first word");
}

/// A made-up field, read and written without the code under test.
#[derive(Debug, Clone, Copy)]
struct Field {
    /// Number of the presence bit.
    number: u32,
    offset: usize,
    size: usize,
}

impl Field {
    /// Byte and mask of the presence bit.
    fn bit(self) -> (usize, u8) {
        let word = if self.number < 64 { 8 } else { 376 };
        (
            word + self.number as usize % 64 / 8,
            1 << (self.number % 8) as u8,
        )
    }

    fn is_within(self, length: usize) -> bool {
        let word_end = if self.number < 64 { 16 } else { 384 };
        length >= word_end && length >= self.offset + self.size
    }

    fn get(self, record: &[u8]) -> Option<Vec<u8>> {
        let (byte, mask) = self.bit();
        let known = self.is_within(record.len()) && record[byte] & mask != 0;
        known.then(|| record[self.offset..self.offset + self.size].to_vec())
    }

    fn set(self, record: &mut [u8], value: Option<&[u8]>) {
        if !self.is_within(record.len()) {
            return;
        }
        let (byte, mask) = self.bit();
        match value {
            Some(_) => record[byte] |= mask,
            None => record[byte] &= !mask,
        }
        let zeros = [0; 16];
        let value = value.unwrap_or(&zeros[..self.size]);
        record[self.offset..self.offset + self.size].copy_from_slice(value);
    }
}

/// A field at any offset between the core and the second word, or behind that word.
fn field<C: Codec>() -> impl Strategy<Value = Field> {
    let offset = prop_oneof![
        CORE_SIZE..=SECOND.start - C::SIZE,
        SECOND.end..=SECOND.end + 64
    ];
    (0..128_u32, offset).prop_map(|(number, offset)| Field {
        number,
        offset,
        size: C::SIZE,
    })
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![CORE_SIZE..480, SECOND.start - 4..SECOND.end + 20];
    length.prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length))
}

/// Checks that reads and writes have the results of the model, and that no other byte changes.
fn compare<C: Codec>(record: &[u8], field: Field, value: &[u8]) {
    let bit = PresenceBit::number(field.number);
    let bytes = |value: C::Value| {
        let mut bytes = std::vec![0; C::SIZE];
        C::write(value, &mut bytes);
        bytes
    };
    let (mut actual, mut expected) = (record.to_vec(), record.to_vec());
    let read = |record: &mut [u8]| event(record).optional::<C>(bit, field.offset).map(bytes);
    assert_eq!(read(&mut actual), field.get(&expected));

    event(&mut actual).set_optional::<C>(bit, field.offset, Some(C::read(value)));
    field.set(&mut expected, Some(value));
    assert_eq!(actual, expected);
    assert_eq!(read(&mut actual), field.get(&expected));

    event(&mut actual).set_optional::<C>(bit, field.offset, None);
    field.set(&mut expected, None);
    assert_eq!(actual, expected);
    assert_eq!(read(&mut actual), None);
}

proptest! {
    // One takes Miri seconds.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 2_000 }))]

    #[test]
    fn a_byte_anywhere_is_as_in_the_model(
        record in record(), field in field::<U8>(), value in any::<[u8; 1]>()
    ) {
        compare::<U8>(&record, field, &value);
    }

    #[test]
    fn a_number_anywhere_is_as_in_the_model(
        record in record(), field in field::<U64>(), value in any::<[u8; 8]>()
    ) {
        compare::<U64>(&record, field, &value);
    }

    #[test]
    fn an_address_anywhere_is_as_in_the_model(
        record in record(), field in field::<Address>(), value in any::<[u8; 16]>()
    ) {
        compare::<Address>(&record, field, &value);
    }
}
