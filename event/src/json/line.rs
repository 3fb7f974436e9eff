//! From a record to a line of JSON, without serde: the same text as [`Serialize`](serde::Serialize) writes.
//!
//! A serializer is handed a line of two kilobytes in hundreds of pieces. In WebAssembly each costs a check of the
//! buffer's capacity and, since its length is not a constant, a call of `memory.copy`. Here the keys are arrays of one
//! size with their quotes, and the buffer has room for the longest line.

mod buffer;

use core::fmt;
use core::fmt::Write as _;

use jiff::Timestamp;

use self::buffer::Buffer;
use self::buffer::Key;
use super::write::Object;
use super::write::ROOT;
use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::field::Field;
use crate::fields::FIELDS;
use crate::format::Format;
use crate::numbers::OwnerStatus;

// Each has a bit in `LineWriter::wanted`.
const _: () = assert!(FIELDS.len() <= u128::BITS as usize);

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
    line: Buffer,
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
            line: Buffer::new(),
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
        self.line.truncate(0);
        self.line.put(*br#"{"type":"retransmit","#);
        self.object_fields(event, &ROOT);
        if self.wants_pid
            && let (Some(OwnerStatus::Held), Some(pid)) = (event.owner_status(), event.owner_pid())
        {
            self.line.put(*br#""pid":"#);
            self.line.number(pid.into());
            self.line.put([b',']);
        }
        // Without the comma of the last key.
        let line = self.line.as_bytes();
        &line[..line.len() - 1]
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
            let before = self.line.len();
            self.line.put([b'"']);
            self.line.short(inner.key.as_bytes());
            self.line.put(*br#"":{"#);
            let begin = self.line.len();
            self.object_fields(event, inner);
            if self.line.len() == begin {
                // It has no known field.
                self.line.truncate(before);
                continue;
            }
            self.line.close_object();
        }
    }

    fn field(&mut self, event: &Event, field: &Field, [key, number_key]: &[Key; 2]) {
        let bytes = &event.as_bytes()[field.offset..field.offset + field.size];
        self.line.key(key);
        // The number of the kernel beside the name.
        let number = match field.format {
            Format::U8 => return self.line.number_value(codec::U8::read(bytes).into()),
            Format::U16 => return self.line.number_value(codec::U16::read(bytes).into()),
            Format::U32 | Format::Micros => {
                return self.line.number_value(codec::U32::read(bytes).into());
            }
            Format::U64 | Format::BootTime => {
                return self.line.number_value(codec::U64::read(bytes));
            }
            Format::WallTime => return self.time(codec::U64::read(bytes)),
            Format::Address => return self.line.address(codec::Address::read(bytes)),
            Format::Text => return self.line.text(codec::Text::read(bytes).as_str()),
            Format::Bool => {
                match codec::Bool::read(bytes) {
                    true => self.line.put(*b"true,"),
                    false => self.line.put(*b"false,"),
                }
                return;
            }
            Format::Kind => {
                let kind = codec::KindCodec::read(bytes);
                return self.line.name(kind.name(), kind);
            }
            Format::OwnerStatus => {
                let status = codec::OwnerCodec::read(bytes);
                return self.line.name(status.name(), status);
            }
            Format::Tracepoint => {
                let tracepoint = codec::TracepointCodec::read(bytes);
                return self.line.name(tracepoint.name(), tracepoint);
            }
            Format::TcpState => {
                let state = codec::TcpStateCodec::read(bytes);
                self.line.name(state.name(), state);
                state.number().into()
            }
            Format::CaState => {
                let state = codec::CaStateCodec::read(bytes);
                self.line.name(state.name(), state);
                state.number().into()
            }
            Format::Timer => {
                let timer = codec::TimerCodec::read(bytes);
                self.line.name(timer.name(), timer);
                timer.number().into()
            }
            Format::TcpFlags => {
                let flags = codec::FlagsCodec::read(bytes);
                self.line.flags(flags);
                flags.0.into()
            }
            Format::SendError => {
                let error = codec::ErrorCodec::read(bytes);
                self.line.name(error.name(), error);
                i64::from(error.0)
            }
        };
        self.line.key(number_key);
        if number < 0 {
            self.line.put([b'-']);
        }
        self.line.number_value(number.unsigned_abs());
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
        self.line.put([b'"']);
        self.line.put(self.day_text);
        self.line.digits(second / 3_600, 2);
        self.line.put([b':']);
        self.line.digits(second / 60 % 60, 2);
        self.line.put([b':']);
        self.line.digits(second % 60, 2);
        self.line.put([b'.']);
        self.line.digits(nanos, 9);
        self.line.put(*b"Z\",");
    }

    /// Determines the text of a day, once for all of its times.
    #[cold]
    fn begin_day(&mut self, day: u64) {
        let begin = self.line.len();
        // A number of 64 bits of ns ends in the year 2554.
        let time = Timestamp::from_second((day * 24 * 3_600) as i64).unwrap_or_default();
        let _ = write!(self.line, "{time}");
        if let Some(text) = self.line.as_bytes()[begin..].first_chunk() {
            self.day_text = *text;
        }
        self.day = day;
        self.line.truncate(begin);
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
