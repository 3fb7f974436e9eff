//! The bytes of a line, and how keys and values are written into them: each value with the comma that follows it.

use core::fmt;
use core::fmt::Write as _;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;

use crate::fields::FIELDS;
use crate::tcp_flags::TcpFlags;

/// Size of the array of a key. All keys are shorter with their quotes and their colon.
const KEY_SIZE: usize = 32;

/// Longest value: sixteen characters, each written as `\u0000`, with quotes.
const MAX_VALUE: usize = 16 * 6 + 2;

/// Bytes of the longest line, and of what is copied beyond its end.
const MAX_LINE: usize = FIELDS.len() * 2 * (KEY_SIZE + MAX_VALUE + 1) + 32 * KEY_SIZE;

/// A key with its quotes and its colon.
#[derive(Clone, Copy)]
pub struct Key {
    bytes: [u8; KEY_SIZE],
    length: usize,
}

impl Key {
    /// No key.
    pub const NONE: Key = Key {
        bytes: [0; KEY_SIZE],
        length: 0,
    };

    /// The key with this name.
    pub const fn new(name: &str) -> Key {
        let name = name.as_bytes();
        let mut bytes = [0; KEY_SIZE];
        bytes[0] = b'"';
        let mut index = 0;
        while index < name.len() {
            bytes[index + 1] = name[index];
            index += 1;
        }
        bytes[index + 1] = b'"';
        bytes[index + 2] = b':';
        Key {
            bytes,
            length: name.len() + 3,
        }
    }
}

/// A line that is being written. It has room for the longest one.
pub struct Buffer {
    bytes: [u8; MAX_LINE],
    length: usize,
}

impl Buffer {
    /// An empty line.
    pub const fn new() -> Buffer {
        Buffer {
            bytes: [0; MAX_LINE],
            length: 0,
        }
    }

    /// The line so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Length of the line so far in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Removes everything beyond `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Replaces the comma at the end by the brace that closes an object, and a comma.
    pub fn close_object(&mut self) {
        self.length -= 1;
        self.put(*b"},");
    }

    /// Writes a key.
    #[inline]
    pub fn key(&mut self, key: &Key) {
        self.bytes[self.length..self.length + KEY_SIZE].copy_from_slice(&key.bytes);
        self.length += key.length;
    }

    /// Writes these bytes.
    #[inline]
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.length..self.length + N].copy_from_slice(&bytes);
        self.length += N;
    }

    /// Writes these bytes: up to 32 by two copies of a fixed size, which may overlap.
    #[inline]
    pub fn short(&mut self, bytes: &[u8]) {
        match bytes.len() {
            0 => {}
            1 => self.put([bytes[0]]),
            2..4 => self.ends::<2>(bytes),
            4..8 => self.ends::<4>(bytes),
            8..16 => self.ends::<8>(bytes),
            16..=32 => self.ends::<16>(bytes),
            length => {
                self.bytes[self.length..self.length + length].copy_from_slice(bytes);
                self.length += length;
            }
        }
    }

    /// Writes `N` to `2 * N` bytes.
    #[inline]
    fn ends<const N: usize>(&mut self, bytes: &[u8]) {
        let to = &mut self.bytes[self.length..self.length + bytes.len()];
        if let (Some(from), Some(to)) = (bytes.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
            *to = *from;
        }
        if let (Some(from), Some(to)) = (bytes.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
            *to = *from;
        }
        self.length += bytes.len();
    }

    /// Writes a number.
    #[inline]
    pub fn number_value(&mut self, number: u64) {
        self.number(number);
        self.put([b',']);
    }

    /// Writes a number without a comma.
    #[inline]
    pub fn number(&mut self, number: u64) {
        match u32::try_from(number) {
            Ok(small) if small < 10 => self.put([b'0' + small as u8]),
            Ok(small) => {
                let count = small.ilog10() as usize + 1;
                self.digits(small, count);
            }
            // Divisions of 64 bits are slow: nine digits at a time.
            Err(_) => {
                const NINE_DIGITS: u64 = 1_000_000_000;
                self.number(number / NINE_DIGITS);
                self.digits((number % NINE_DIGITS) as u32, 9);
            }
        }
    }

    /// Writes a number with `count` digits.
    #[inline]
    pub fn digits(&mut self, mut number: u32, count: usize) {
        let to = &mut self.bytes[self.length..self.length + count];
        for digit in to.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.length += count;
    }

    /// Writes an address.
    pub fn address(&mut self, address: IpAddr) {
        self.put([b'"']);
        match address {
            IpAddr::V4(v4) => self.ipv4(v4),
            IpAddr::V6(v6) => self.ipv6(v6),
        }
        self.put(*b"\",");
    }

    fn ipv4(&mut self, address: Ipv4Addr) {
        for (place, number) in address.octets().into_iter().enumerate() {
            if place > 0 {
                self.put([b'.']);
            }
            self.number(number.into());
        }
    }

    /// Writes an address as [RFC 5952](https://www.rfc-editor.org/rfc/rfc5952) has it: the first of the longest runs of
    /// at least two zeros is `::`.
    fn ipv6(&mut self, address: Ipv6Addr) {
        let segments = address.segments();
        let (mut longest, mut longest_length) = (segments.len(), 1);
        let mut begin = 0;
        for (end, segment) in segments.iter().enumerate() {
            if *segment != 0 {
                begin = end + 1;
            } else if end + 1 - begin > longest_length {
                (longest, longest_length) = (begin, end + 1 - begin);
            }
        }
        let mut index = 0;
        while let Some(segment) = segments.get(index) {
            if index == longest {
                self.put(*b"::");
                index += longest_length;
                continue;
            }
            if index > 0 && index != longest + longest_length {
                self.put([b':']);
            }
            self.hexadecimal(*segment);
            index += 1;
        }
    }

    fn hexadecimal(&mut self, number: u16) {
        let digits = (16 - number.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = number >> (4 * place) & 0xf;
            self.put([b"0123456789abcdef"[usize::from(digit)]]);
        }
    }

    /// Writes a name, or the `Display` form of a value without a name. Neither has characters to escape.
    pub fn name(&mut self, name: Option<&'static str>, value: impl fmt::Display) {
        self.put([b'"']);
        match name {
            Some(name) => self.short(name.as_bytes()),
            // The buffer does not fail.
            None => drop(write!(self, "{value}")),
        }
        self.put(*b"\",");
    }

    /// Writes the names of flags.
    pub fn flags(&mut self, flags: TcpFlags) {
        self.put([b'"']);
        let begin = self.length;
        for (bit, name) in TcpFlags::NAMES {
            if flags.0 & bit != 0 {
                if self.length > begin {
                    self.put([b'|']);
                }
                self.short(name.as_bytes());
            }
        }
        self.put(*b"\",");
    }

    /// Writes text of at most sixteen bytes.
    pub fn text(&mut self, text: &str) {
        self.put([b'"']);
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            self.short(text.as_bytes());
        } else {
            text.bytes().for_each(|byte| self.escaped(byte));
        }
        self.put(*b"\",");
    }

    /// Writes a byte of a text, escaped as serde_json does it.
    fn escaped(&mut self, byte: u8) {
        match byte {
            b'"' => self.put(*b"\\\""),
            b'\\' => self.put(*b"\\\\"),
            0x08 => self.put(*b"\\b"),
            0x0c => self.put(*b"\\f"),
            b'\n' => self.put(*b"\\n"),
            b'\r' => self.put(*b"\\r"),
            b'\t' => self.put(*b"\\t"),
            0..b' ' => {
                self.put(*b"\\u00");
                self.put([
                    b'0' + byte / 16,
                    b"0123456789abcdef"[usize::from(byte % 16)],
                ]);
            }
            byte => self.put([byte]),
        }
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.short(text.as_bytes());
        Ok(())
    }
}
