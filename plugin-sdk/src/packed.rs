//! Numbers as bytes, for saved counts: LEB128, in which a small number takes one byte.

use std::fmt;

use serde::Deserializer;
use serde::de;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// The bit of a byte that says that the number continues in the next byte.
pub(crate) const CONTINUES: u8 = 0x80;

/// Appends a number.
#[inline]
pub(crate) fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(CONTINUES) {
        bytes.push(number as u8 | CONTINUES);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a number, and removes it from the beginning of the bytes.
#[inline]
pub(crate) fn read_number(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("the bytes end within a number")?;
        *bytes = rest;
        let bits = u64::from(byte & !CONTINUES);
        if shift >= u64::BITS || bits > u64::MAX >> shift {
            return Err("a number is too large");
        }
        number |= bits << shift;
        if *byte < CONTINUES {
            break;
        }
    }
    Ok(number)
}

/// Deserializes a value that was serialized as bytes: `read` gets all of them. `expecting` names them in errors.
pub(crate) fn deserialize<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
    read: fn(&[u8]) -> Result<T, &'static str>,
) -> Result<T, D::Error> {
    deserializer.deserialize_byte_buf(Bytes { expecting, read })
}

struct Bytes<T> {
    expecting: &'static str,
    read: fn(&[u8]) -> Result<T, &'static str>,
}

impl<'de, T> Visitor<'de> for Bytes<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        (self.read)(bytes).map_err(E::custom)
    }

    /// Reads the bytes from a list of numbers, for formats without a type for bytes, such as JSON.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_numbers_are_read_as_they_were_written() {
        for number in [0, 0x7f, 0x80, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write(&mut bytes, number);
            assert_eq!(read_number(&mut bytes.as_slice()), Ok(number));
        }
    }
}
