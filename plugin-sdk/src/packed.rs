//! Numbers as bytes, for saved counts: LEB128, in which a small number takes one byte.

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
