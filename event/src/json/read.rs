//! From JSON to a record.

use core::fmt;
use core::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::Unexpected;
use serde::de::Visitor;

use super::NUMBER;
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
use crate::record::Record;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

/// Reads the JSON form that [`Event`] writes. Keys that are not fields are ignored. A field without its
/// key is absent, or zero where every record has it. A name that this version does not know is accepted
/// where its number is present.
impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        let mut record = Record::new();
        deserializer.deserialize_map(Object {
            event: &mut record,
            group: "",
        })?;
        Ok(record)
    }
}

/// Reads one object, and the objects within it, into the fields of the event.
struct Object<'a> {
    event: &'a mut Event,
    group: &'static str,
}

impl Object<'_> {
    fn value(&mut self, index: usize, is_number: bool) -> Value<'_> {
        Value {
            event: self.event,
            field: &FIELDS[index],
            is_number,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            "" => f.write_str("an object"),
            group => write!(f, "an object for {group}"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        // Keys come in any order, so both are decided at the end: fields whose number was read, and fields
        // whose name is unknown.
        let mut numbered = [false; FIELDS.len()];
        let mut unknown = [false; FIELDS.len()];
        while let Some(slot) = map.next_key_seed(Key { group: self.group })? {
            match slot {
                Slot::Group(group) => {
                    let event = &mut *self.event;
                    map.next_value_seed(Object { event, group })?;
                }
                Slot::Field(index) if !numbered[index] => {
                    let read = map.next_value_seed(self.value(index, false))?;
                    unknown[index] = read == Read::UnknownName;
                }
                Slot::Number(index) => {
                    map.next_value_seed(self.value(index, true))?;
                    numbered[index] = true;
                }
                Slot::Field(_) | Slot::Other => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        for (index, field) in FIELDS.iter().enumerate() {
            if unknown[index] && !numbered[index] {
                return Err(de::Error::custom(format_args!(
                    "unknown name: expected {} for {}, or its number for {1}{NUMBER}",
                    expected(field.format),
                    Path(field),
                )));
            }
        }
        Ok(())
    }
}

/// Meaning of a key. Fields are given by their index in the table.
enum Slot {
    Group(&'static str),
    Field(usize),
    Number(usize),
    Other,
}

struct Key {
    group: &'static str,
}

impl Key {
    fn field(&self, key: &str) -> Option<usize> {
        let same = |field: &Field| field.json == (self.group, key);
        FIELDS.iter().position(same).filter(|_| !key.is_empty())
    }

    fn number(&self, key: &str) -> Option<usize> {
        let index = self.field(key.strip_suffix(NUMBER)?)?;
        has_number(FIELDS[index].format).then_some(index)
    }

    /// The object within this one that has the key.
    fn group(&self, key: &str) -> Option<&'static str> {
        let mut groups = FIELDS.iter().map(|field| field.json.0);
        let is_object = !key.is_empty() && !key.contains('.');
        groups.find(|group| is_object && within(self.group, group) == Some(key))
    }
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Slot, E> {
        let slot = self.field(key).map(Slot::Field);
        Ok(slot
            .or_else(|| self.number(key).map(Slot::Number))
            .or_else(|| self.group(key).map(Slot::Group))
            .unwrap_or(Slot::Other))
    }
}

/// Result of reading a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Done,
    UnknownName,
}

/// Reads the value at a field's key, or at the key of its number.
pub(super) struct Value<'a> {
    pub(super) event: &'a mut Event,
    pub(super) field: &'static Field,
    pub(super) is_number: bool,
}

impl Value<'_> {
    fn put<C: Codec>(&mut self, value: C::Value) {
        match self.field.bit() {
            Some(bit) => self
                .event
                .set_optional::<C>(bit, self.field.offset, Some(value)),
            None => self.event.set_core::<C>(self.field.offset, value),
        }
    }

    /// Returns `false` where the field is too small for the number.
    fn put_number<C: Codec>(&mut self, number: i128) -> bool
    where
        C::Value: TryFrom<i128>,
    {
        let value = C::Value::try_from(number);
        value.map(|value| self.put::<C>(value)).is_ok()
    }

    /// Returns `false` where the text is not a valid name or address.
    fn put_text<C: Codec>(&mut self, text: &str) -> bool
    where
        C::Value: FromStr,
    {
        let value = text.parse();
        value.map(|value| self.put::<C>(value)).is_ok()
    }

    fn visit_number<E: de::Error>(
        mut self,
        number: i128,
        unexpected: Unexpected<'_>,
    ) -> Result<Read, E> {
        let fits = match self.field.format {
            Format::U8 => self.put_number::<codec::U8>(number),
            Format::U16 => self.put_number::<codec::U16>(number),
            Format::U32 | Format::Micros => self.put_number::<codec::U32>(number),
            Format::U64 | Format::BootTime => self.put_number::<codec::U64>(number),
            _ if !self.is_number => return Err(E::invalid_type(unexpected, &self)),
            Format::SendError => self.put_number::<codec::I32>(number),
            Format::TcpFlags => self.put_number::<codec::U16>(number),
            _ => self.put_number::<codec::U8>(number),
        };
        match fits {
            true => Ok(Read::Done),
            false => Err(E::invalid_value(unexpected, &self)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Path(self.field);
        if self.is_number {
            let bits = 8 * self.field.size;
            write!(f, "a number of {bits} bits for {path}{NUMBER}")
        } else {
            write!(f, "{} for {path}", expected(self.field.format))
        }
    }

    fn visit_bool<E: de::Error>(mut self, truth: bool) -> Result<Read, E> {
        match self.field.format {
            Format::Bool => self.put::<codec::Bool>(truth),
            _ => return Err(E::invalid_type(Unexpected::Bool(truth), &self)),
        }
        Ok(Read::Done)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Read, E> {
        self.visit_number(number.into(), Unexpected::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Read, E> {
        self.visit_number(number.into(), Unexpected::Signed(number))
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<Read, E> {
        let understood = match self.field.format {
            _ if self.is_number => return Err(E::invalid_type(Unexpected::Str(text), &self)),
            Format::OwnerStatus => self.put_text::<codec::OwnerCodec>(text),
            Format::Kind => self.put_text::<codec::KindCodec>(text),
            Format::Tracepoint => self.put_text::<codec::TracepointCodec>(text),
            Format::TcpState => self.put_text::<codec::TcpStateCodec>(text),
            Format::CaState => self.put_text::<codec::CaStateCodec>(text),
            Format::Timer => self.put_text::<codec::TimerCodec>(text),
            Format::TcpFlags => self.put_text::<codec::FlagsCodec>(text),
            Format::SendError => self.put_text::<codec::ErrorCodec>(text),
            Format::Text => self.put_text::<codec::Text>(text),
            Format::Address => self.put_text::<codec::Address>(text),
            Format::WallTime => match text.parse::<Timestamp>() {
                Ok(time) => self.put_number::<codec::U64>(time.as_nanosecond()),
                Err(_) => false,
            },
            Format::U8
            | Format::U16
            | Format::U32
            | Format::U64
            | Format::BootTime
            | Format::Micros
            | Format::Bool => return Err(E::invalid_type(Unexpected::Str(text), &self)),
        };
        match understood {
            true => Ok(Read::Done),
            false if has_number(self.field.format) => Ok(Read::UnknownName),
            false => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// The path of a field in the JSON form, such as `retransmit.kind`.
struct Path<'a>(&'a Field);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.json {
            ("", key) => f.write_str(key),
            (group, key) => write!(f, "{group}.{key}"),
        }
    }
}

/// Description of a valid value, for error messages.
fn expected(format: Format) -> &'static str {
    match format {
        Format::U8 => "a number from 0 to 255",
        Format::U16 => "a number from 0 to 65535",
        Format::U32 => "a number from 0 to 4294967295",
        Format::U64 => "a number from 0 to 18446744073709551615",
        Format::BootTime => "nanoseconds since boot",
        Format::Micros => "microseconds from 0 to 4294967295",
        Format::WallTime => "a time from 1970 to 2554 such as 2026-01-01T00:00:00Z",
        Format::Address => "an IP address",
        Format::Text => Name::EXPECTED,
        Format::Kind => Kind::EXPECTED,
        Format::Tracepoint => Tracepoint::EXPECTED,
        Format::TcpState => TcpState::EXPECTED,
        Format::CaState => CaState::EXPECTED,
        Format::Timer => Timer::EXPECTED,
        Format::TcpFlags => TcpFlags::EXPECTED,
        Format::SendError => SendError::EXPECTED,
        Format::OwnerStatus => OwnerStatus::EXPECTED,
        Format::Bool => "true or false",
    }
}
