//! Presence bits: which of the optional fields a record has.
//!
//! The bits are in words of 64. Like fields, words are appended and never move: every record has the
//! first one, and the second one was appended to records of 376 bytes. In a record that does not have the
//! whole of a word, the fields of that word are absent.

use core::ops::Range;

/// Offsets of the presence words in bytes. Bit `n` is bit `n % 64` of word `n / 64`; a word is a
/// little-endian number of 64 bits.
pub const PRESENCE_WORDS: [usize; 2] = [8, 376];

/// Bytes and bits of a word.
const WORD_BYTES: usize = 8;
const WORD_BITS: u32 = u64::BITS;

// Aligned words: the position of a bit gives its word without a search.
const _: () = {
    let mut word = 0;
    while word < PRESENCE_WORDS.len() {
        assert!(PRESENCE_WORDS[word].is_multiple_of(WORD_BYTES));
        word += 1;
    }
};

/// One presence bit, by its position from the start of the record (byte × 8 + bit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PresenceBit(u32);

impl PresenceBit {
    /// The bit with this number: 0 to 63 are in the first word, 64 to 127 in the second.
    pub(crate) const fn number(number: u32) -> PresenceBit {
        let word = PRESENCE_WORDS[(number / WORD_BITS) as usize];
        PresenceBit(8 * word as u32 + number % WORD_BITS)
    }

    /// The bit at this position.
    pub(crate) const fn at(position: u32) -> PresenceBit {
        PresenceBit(position)
    }

    /// Distance in bits from the start of the record.
    pub(crate) const fn position(self) -> u32 {
        self.0
    }

    const fn word(self) -> Range<usize> {
        let start = (self.0 / WORD_BITS) as usize * WORD_BYTES;
        start..start + WORD_BYTES
    }

    const fn mask(self) -> u64 {
        1 << (self.0 % WORD_BITS)
    }

    /// Does the record have the whole word?
    #[inline]
    pub(crate) fn is_within(self, record: &[u8]) -> bool {
        self.word().end <= record.len()
    }

    /// Is the bit set? `false` in a record without the whole word.
    #[inline]
    pub(crate) fn is_set(self, record: &[u8]) -> bool {
        let word = record.get(self.word());
        word.is_some_and(|word| number(word) & self.mask() != 0)
    }

    /// Sets or clears the bit. Does nothing in a record without the whole word.
    #[inline]
    pub(crate) fn set(self, record: &mut [u8], present: bool) {
        if let Some(word) = record.get_mut(self.word()) {
            let others = number(word) & !self.mask();
            let bit = if present { self.mask() } else { 0 };
            word.copy_from_slice(&(others | bit).to_le_bytes());
        }
    }
}

/// Clears the words that end beyond `length` bytes, of which a shorter record had nothing or a part
/// only.
pub(crate) fn clear_beyond(record: &mut [u8], length: usize) {
    for start in PRESENCE_WORDS {
        if start + WORD_BYTES > length {
            record[start..start + WORD_BYTES].fill(0);
        }
    }
}

#[inline]
fn number(word: &[u8]) -> u64 {
    let mut bytes = [0; WORD_BYTES];
    bytes.copy_from_slice(word);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_through_both_words() {
        for (number, position, word, mask) in [
            (0, 64, 8..16, 1),
            (63, 127, 8..16, 1 << 63),
            (64, 8 * 376, 376..384, 1),
            (127, 8 * 376 + 63, 376..384, 1 << 63),
        ] {
            let bit = PresenceBit::number(number);
            assert_eq!(bit.position(), position);
            assert_eq!((bit.word(), bit.mask()), (word, mask), "{number}");
            assert_eq!(PresenceBit::at(position), bit);
        }
    }

    #[test]
    fn a_bit_is_in_the_byte_that_its_position_says() {
        for number in 0..128 {
            let bit = PresenceBit::number(number);
            let mut record = [0; 384];
            bit.set(&mut record, true);
            assert!(bit.is_set(&record));
            let (byte, mask) = (bit.position() as usize / 8, 1 << (bit.position() % 8));
            assert_eq!(record[byte], mask);
            assert_eq!(record.iter().filter(|byte| **byte != 0).count(), 1);

            record.fill(0xff);
            bit.set(&mut record, false);
            assert!(!bit.is_set(&record));
            assert_eq!(record[byte], !mask);
            assert_eq!(record.iter().filter(|byte| **byte != 0xff).count(), 1);
        }
    }
}
