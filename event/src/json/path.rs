//! Paths of the JSON form, and the values at them as text: for other forms that have the same names, such as tables.

use core::fmt;
use core::iter;
use core::net::IpAddr;

use jiff::Timestamp;

use super::has_number;
use super::within;
use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::field::Field;
use crate::fields::FIELDS;
use crate::format::Format;
use crate::name::Name;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::OwnerStatus;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

// `FieldPath::index` has eight bits.
const _: () = assert!(FIELDS.len() <= 1 << u8::BITS);

/// The path of a value in the JSON form, such as `source.ip`, `state` or `state_number`. `labels`, and `pid` on the top
/// level, are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldPath {
    /// The number of the field in [`FIELDS`].
    index: u8,
    /// Whether this is the kernel's number beside a name.
    is_number: bool,
}

impl FieldPath {
    /// All paths, in the order of the JSON form.
    pub fn all() -> impl Iterator<Item = FieldPath> {
        let shown = FIELDS.iter().zip(0..);
        let shown = shown.filter(|(field, _)| !field.json.1.is_empty());
        shown.flat_map(|(field, index)| {
            let name = FieldPath {
                index,
                is_number: false,
            };
            let number = FieldPath {
                is_number: true,
                ..name
            };
            iter::once(name).chain(has_number(field.format).then_some(number))
        })
    }

    /// The path that reads as `text`, or all paths within the object that does, such as `tcp`. Nothing if there is none.
    pub fn find(text: &str) -> impl Iterator<Item = FieldPath> {
        FieldPath::all().filter(move |path| path.is(text) || path.is_within(text))
    }

    /// The value of an event at this path; `None` if it is unknown.
    pub fn value(self, event: &Event) -> Option<FieldValue> {
        let field = self.field();
        if !event.shows(field) {
            return None;
        }
        let bytes = &event.as_bytes()[field.offset..field.offset + field.size];
        let value = FieldValue::read(field.format, bytes);
        Some(match self.is_number {
            true => value.number(),
            false => value,
        })
    }

    /// The format of the field that the value is of.
    pub fn format(self) -> Format {
        self.field().format
    }

    /// Whether the value is the kernel's number beside a name, as at `state_number`.
    pub fn is_number(self) -> bool {
        self.is_number
    }

    fn field(self) -> &'static Field {
        &FIELDS[usize::from(self.index)]
    }

    /// The object and the key.
    fn parts(self) -> (&'static str, &'static str) {
        let field = self.field();
        match self.is_number {
            true => (field.json.0, field.number_key),
            false => field.json,
        }
    }

    fn is(self, text: &str) -> bool {
        let (object, key) = self.parts();
        within(object, text) == Some(key)
    }

    fn is_within(self, text: &str) -> bool {
        let (object, _) = self.parts();
        !text.is_empty() && (object == text || within(text, object).is_some())
    }
}

/// The path, as in `owner.last.comm`.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            ("", key) => f.write_str(key),
            (object, key) => write!(f, "{object}.{key}"),
        }
    }
}

/// A value of the JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A number.
    Unsigned(u64),
    /// A number that may be negative.
    Signed(i32),
    /// A boolean.
    Bool(bool),
    /// A time of day in ns since 1970-01-01T00:00:00Z.
    WallTime(u64),
    /// An address.
    Address(IpAddr),
    /// A text that others choose, as a process chooses its name: it may have any character but NUL.
    Text(Name),
    /// A cause.
    Kind(Kind),
    /// A tracepoint.
    Tracepoint(Tracepoint),
    /// A state of a connection.
    TcpState(TcpState),
    /// A state of congestion control.
    CaState(CaState),
    /// A timer.
    Timer(Timer),
    /// Flags.
    TcpFlags(TcpFlags),
    /// The result of an attempt.
    SendError(SendError),
    /// A status of an owner.
    OwnerStatus(OwnerStatus),
}

impl FieldValue {
    fn read(format: Format, bytes: &[u8]) -> FieldValue {
        match format {
            Format::U8 => FieldValue::Unsigned(codec::U8::read(bytes).into()),
            Format::U16 => FieldValue::Unsigned(codec::U16::read(bytes).into()),
            Format::U32 | Format::Micros => FieldValue::Unsigned(codec::U32::read(bytes).into()),
            Format::U64 | Format::BootTime => FieldValue::Unsigned(codec::U64::read(bytes)),
            Format::WallTime => FieldValue::WallTime(codec::U64::read(bytes)),
            Format::Address => FieldValue::Address(codec::Address::read(bytes)),
            Format::Text => FieldValue::Text(codec::Text::read(bytes)),
            Format::Bool => FieldValue::Bool(codec::Bool::read(bytes)),
            Format::Kind => FieldValue::Kind(codec::KindCodec::read(bytes)),
            Format::Tracepoint => FieldValue::Tracepoint(codec::TracepointCodec::read(bytes)),
            Format::TcpState => FieldValue::TcpState(codec::TcpStateCodec::read(bytes)),
            Format::CaState => FieldValue::CaState(codec::CaStateCodec::read(bytes)),
            Format::Timer => FieldValue::Timer(codec::TimerCodec::read(bytes)),
            Format::TcpFlags => FieldValue::TcpFlags(codec::FlagsCodec::read(bytes)),
            Format::SendError => FieldValue::SendError(codec::ErrorCodec::read(bytes)),
            Format::OwnerStatus => FieldValue::OwnerStatus(codec::OwnerCodec::read(bytes)),
        }
    }

    /// The kernel's number of a name; the value itself if it is no such name.
    fn number(self) -> FieldValue {
        match self {
            FieldValue::TcpState(state) => FieldValue::Unsigned(state.number().into()),
            FieldValue::CaState(state) => FieldValue::Unsigned(state.number().into()),
            FieldValue::Timer(timer) => FieldValue::Unsigned(timer.number().into()),
            FieldValue::TcpFlags(flags) => FieldValue::Unsigned(flags.0.into()),
            FieldValue::SendError(error) => FieldValue::Signed(error.0),
            other => other,
        }
    }
}

/// The value as the JSON form has it, without quotes and escapes.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Unsigned(number) => number.fmt(f),
            FieldValue::Signed(number) => number.fmt(f),
            FieldValue::Bool(value) => value.fmt(f),
            FieldValue::WallTime(nanos) => {
                const SECOND: u64 = 1_000_000_000;
                // A number of 64 bits of ns ends in the year 2554.
                let time = Timestamp::new((nanos / SECOND) as i64, (nanos % SECOND) as i32);
                write!(f, "{:.9}", time.unwrap_or(Timestamp::MAX))
            }
            FieldValue::Address(address) => address.fmt(f),
            FieldValue::Text(text) => text.fmt(f),
            FieldValue::Kind(kind) => kind.fmt(f),
            FieldValue::Tracepoint(tracepoint) => tracepoint.fmt(f),
            FieldValue::TcpState(state) => state.fmt(f),
            FieldValue::CaState(state) => state.fmt(f),
            FieldValue::Timer(timer) => timer.fmt(f),
            FieldValue::TcpFlags(flags) => flags.fmt(f),
            FieldValue::SendError(error) => error.fmt(f),
            FieldValue::OwnerStatus(status) => status.fmt(f),
        }
    }
}
