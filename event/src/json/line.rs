//! From a record to a line of JSON, without serde: the same text as [`Serialize`](serde::Serialize) writes.
//!
//! A serializer is handed a line of two kilobytes in hundreds of pieces. In WebAssembly each costs a check of the
//! buffer's capacity and, since its length is not a constant, a call of `memory.copy`. Here the keys are arrays of one
//! size with their quotes, and the buffer has room for the longest line.

use core::fmt;
use core::fmt::Write as _;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;

use jiff::Timestamp;

use super::write::Object;
use super::write::ROOT;
use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::field::Field;
use crate::fields::FIELDS;
use crate::format::Format;
use crate::numbers::OwnerStatus;
use crate::tcp_flags::TcpFlags;

/// Size of the array of a key. All keys are shorter with their quotes and their colon.
const KEY_SIZE: usize = 32;

// Each has a bit in `LineWriter::wanted`.
const _: () = assert!(FIELDS.len() <= u128::BITS as usize);

/// Longest value: sixteen characters, each written as `\u0000`, with quotes.
const MAX_VALUE: usize = 16 * 6 + 2;

/// Bytes of the longest line, and of what is copied beyond its end.
const MAX_LINE: usize = FIELDS.len() * 2 * (KEY_SIZE + MAX_VALUE + 1) + 32 * KEY_SIZE;

/// A key with its quotes and its colon.
#[derive(Clone, Copy)]
struct Key {
    bytes: [u8; KEY_SIZE],
    length: usize,
}

impl Key {
    const NONE: Key = Key {
        bytes: [0; KEY_SIZE],
        length: 0,
    };

    const fn new(name: &str) -> Key {
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

/// For each of [`FIELDS`] its key, and the key of its number.
static KEYS: [[Key; 2]; FIELDS.len()] = {
    let mut keys = [[Key::NONE; 2]; FIELDS.len()];
    let mut index = 0;
    while index < FIELDS.len() {
        let field = &FIELDS[index];
        keys[index] = [Key::new(field.json.1), Key::new(field.number_key)];
        index += 1;
    }
    keys
};

/// A path that is not in the JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no field of the JSON form, such as source.ip or retransmit.kind, no object of it, such as tcp, and not labels"
)]
pub struct UnknownPath;

/// Writes events as lines of JSON: all fields, or some.
pub struct LineWriter {
    bytes: [u8; MAX_LINE],
    /// Bytes of the line so far.
    length: usize,
    /// The fields that are written: bit `n` is field `n` of [`FIELDS`].
    wanted: u128,
    wants_pid: bool,
    wants_labels: bool,
    /// The day of the last timestamp, counted from 1970, and its text as in `2026-11-27T`.
    day: u64,
    day_text: [u8; DAY_LENGTH],
}

const DAY_LENGTH: usize = "2026-11-27T".len();

impl Default for LineWriter {
    /// Writes all fields.
    fn default() -> LineWriter {
        LineWriter {
            bytes: [0; MAX_LINE],
            length: 0,
            wanted: u128::MAX,
            wants_pid: true,
            wants_labels: true,
            day: 0,
            day_text: *b"1970-01-01T",
        }
    }
}

impl LineWriter {
    /// Writes the fields with these paths: `source.ip` is a field, `tcp` are all fields of an object, and `labels` are
    /// labels. They have the order of the JSON form, and `type` is always written.
    ///
    /// # Errors
    ///
    /// The number of a path that is none, counted from 0.
    pub fn only<'a>(
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<LineWriter, (usize, UnknownPath)> {
        let mut writer = LineWriter {
            wanted: 0,
            wants_pid: false,
            wants_labels: false,
            ..LineWriter::default()
        };
        for (number, path) in paths.into_iter().enumerate() {
            let mut is_known = true;
            match path {
                "type" => {}
                "pid" => writer.wants_pid = true,
                "labels" => writer.wants_labels = true,
                path => is_known = writer.want(path),
            }
            if !is_known {
                return Err((number, UnknownPath));
            }
        }
        Ok(writer)
    }

    /// Wants a field, or all fields of an object. Returns false if there is none of this path.
    fn want(&mut self, path: &str) -> bool {
        let mut is_known = false;
        if path.is_empty() {
            return is_known;
        }
        for (index, field) in FIELDS.iter().enumerate() {
            let (object, key) = field.json;
            let is_field = !key.is_empty()
                && match path.rsplit_once('.') {
                    Some((outer, last)) => {
                        outer == object && (last == key || last == field.number_key)
                    }
                    None => object.is_empty() && (path == key || path == field.number_key),
                };
            let is_within = object == path || super::within(path, object).is_some();
            if is_field || is_within && !key.is_empty() {
                self.wanted |= 1 << index;
                is_known = true;
            }
        }
        is_known
    }

    /// Whether labels are to be written.
    pub fn wants_labels(&self) -> bool {
        self.wants_labels
    }

    /// Writes the object of an event, without the brace that closes it: the caller may add further keys, each after a
    /// comma.
    pub fn write(&mut self, event: &Event) -> &[u8] {
        self.length = 0;
        self.put(*br#"{"type":"retransmit","#);
        self.object_fields(event, &ROOT);
        if self.wants_pid
            && let (Some(OwnerStatus::Held), Some(pid)) = (event.owner_status(), event.owner_pid())
        {
            self.put(*br#""pid":"#);
            self.number(pid.into());
            self.put([b',']);
        }
        // Without the comma of the last key.
        &self.bytes[..self.length - 1]
    }

    /// Writes the known fields of an object, then the inner objects that have known fields. Each ends with a comma.
    fn object_fields(&mut self, event: &Event, object: &'static Object) {
        let mut wanted = self.wanted & object.own;
        while wanted != 0 {
            let index = wanted.trailing_zeros() as usize;
            wanted &= wanted - 1;
            let field = &FIELDS[index];
            if event.shows(field) {
                self.field(event, field, &KEYS[index]);
            }
        }
        for inner in object.objects {
            if self.wanted & inner.all == 0 {
                continue;
            }
            let before = self.length;
            self.put([b'"']);
            self.short(inner.key.as_bytes());
            self.put(*br#"":{"#);
            let begin = self.length;
            self.object_fields(event, inner);
            if self.length == begin {
                // It has no known field.
                self.length = before;
                continue;
            }
            self.bytes[self.length - 1] = b'}';
            self.put([b',']);
        }
    }

    fn field(&mut self, event: &Event, field: &Field, [key, number_key]: &[Key; 2]) {
        let bytes = &event.as_bytes()[field.offset..field.offset + field.size];
        self.key(key);
        // The number of the kernel beside the name.
        let number = match field.format {
            Format::U8 => return self.last_number(codec::U8::read(bytes).into()),
            Format::U16 => return self.last_number(codec::U16::read(bytes).into()),
            Format::U32 | Format::Micros => {
                return self.last_number(codec::U32::read(bytes).into());
            }
            Format::U64 | Format::BootTime => return self.last_number(codec::U64::read(bytes)),
            Format::WallTime => return self.time(codec::U64::read(bytes)),
            Format::Address => return self.address(codec::Address::read(bytes)),
            Format::Text => return self.text(codec::Text::read(bytes).as_str()),
            Format::Bool => {
                match codec::Bool::read(bytes) {
                    true => self.put(*b"true,"),
                    false => self.put(*b"false,"),
                }
                return;
            }
            Format::Kind => {
                let kind = codec::KindCodec::read(bytes);
                return self.name(kind.name(), kind);
            }
            Format::OwnerStatus => {
                let status = codec::OwnerCodec::read(bytes);
                return self.name(status.name(), status);
            }
            Format::Tracepoint => {
                let tracepoint = codec::TracepointCodec::read(bytes);
                return self.name(tracepoint.name(), tracepoint);
            }
            Format::TcpState => {
                let state = codec::TcpStateCodec::read(bytes);
                self.name(state.name(), state);
                state.number().into()
            }
            Format::CaState => {
                let state = codec::CaStateCodec::read(bytes);
                self.name(state.name(), state);
                state.number().into()
            }
            Format::Timer => {
                let timer = codec::TimerCodec::read(bytes);
                self.name(timer.name(), timer);
                timer.number().into()
            }
            Format::TcpFlags => {
                let flags = codec::FlagsCodec::read(bytes);
                self.flags(flags);
                flags.0.into()
            }
            Format::SendError => {
                let error = codec::ErrorCodec::read(bytes);
                self.name(error.name(), error);
                i64::from(error.0)
            }
        };
        self.key(number_key);
        if number < 0 {
            self.put([b'-']);
        }
        self.last_number(number.unsigned_abs());
    }

    #[inline]
    fn key(&mut self, key: &Key) {
        self.bytes[self.length..self.length + KEY_SIZE].copy_from_slice(&key.bytes);
        self.length += key.length;
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.length..self.length + N].copy_from_slice(&bytes);
        self.length += N;
    }

    /// Writes at most 32 bytes, by two copies of a fixed size that may overlap.
    #[inline]
    fn short(&mut self, bytes: &[u8]) {
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

    #[inline]
    fn last_number(&mut self, number: u64) {
        self.number(number);
        self.put([b',']);
    }

    #[inline]
    fn number(&mut self, number: u64) {
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
    fn digits(&mut self, mut number: u32, count: usize) {
        let to = &mut self.bytes[self.length..self.length + count];
        for digit in to.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.length += count;
    }

    /// Writes a time of day as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) with nine digits after the point.
    fn time(&mut self, nanos: u64) {
        const SECOND: u64 = 1_000_000_000;
        const DAY: u64 = 24 * 3_600;
        let (seconds, nanos) = (nanos / SECOND, (nanos % SECOND) as u32);
        let (day, second) = (seconds / DAY, (seconds % DAY) as u32);
        if day != self.day {
            self.begin_day(day);
        }
        self.put([b'"']);
        self.put(self.day_text);
        self.digits(second / 3_600, 2);
        self.put([b':']);
        self.digits(second / 60 % 60, 2);
        self.put([b':']);
        self.digits(second % 60, 2);
        self.put([b'.']);
        self.digits(nanos, 9);
        self.put(*b"Z\",");
    }

    /// Determines the text of a day, once for all of its times.
    #[cold]
    fn begin_day(&mut self, day: u64) {
        let begin = self.length;
        // A number of 64 bits of ns ends in the year 2554.
        let time = Timestamp::from_second((day * 24 * 3_600) as i64).unwrap_or_default();
        let _ = write!(self, "{time}");
        if let Some(text) = self.bytes[begin..].first_chunk() {
            self.day_text = *text;
        }
        self.day = day;
        self.length = begin;
    }

    fn address(&mut self, address: IpAddr) {
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
    fn name(&mut self, name: Option<&'static str>, value: impl fmt::Display) {
        self.put([b'"']);
        match name {
            Some(name) => self.short(name.as_bytes()),
            // The buffer does not fail.
            None => drop(write!(self, "{value}")),
        }
        self.put(*b"\",");
    }

    fn flags(&mut self, flags: TcpFlags) {
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
    fn text(&mut self, text: &str) {
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

impl fmt::Write for LineWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.short(text.as_bytes());
        Ok(())
    }
}

/// What it writes, not its buffer.
impl fmt::Debug for LineWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
