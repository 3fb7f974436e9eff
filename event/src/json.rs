//! The JSON form (feature `serde`), in both directions, driven by the table of fields.
//!
//! Unknown is absent. Where the number is the kernel's, both the name and, under the key with
//! `_number` appended, the number are written; on reading, the number wins.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde::ser::SerializeMap;

use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::fields::FIELDS;
use crate::fields::Field;
use crate::fields::Format;
use crate::record::Record;

/// What is appended to the key of a name to make the key of its number.
const NUMBER: &str = "_number";

impl Event {
    /// Is the field known, and within the record?
    fn knows(&self, field: &Field) -> bool {
        let within = field.offset + field.size <= self.as_bytes().len();
        within && field.bit().is_none_or(|bit| self.has(bit))
    }

    /// Writes every known field into a map that the caller has begun, and may go on with.
    pub fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let known = |field: &&Field| !field.json.1.is_empty() && self.knows(field);
        for field in FIELDS.iter().filter(|field| field.json.0.is_empty()) {
            if known(&field) {
                self.serialize_field(field, map)?;
            }
        }
        for fields in FIELDS.chunk_by(|a, b| a.json.0 == b.json.0) {
            let group = fields[0].json.0;
            if !group.is_empty() && fields.iter().any(|field| known(&field)) {
                map.serialize_entry(
                    group,
                    &Group {
                        event: self,
                        fields,
                    },
                )?;
            }
        }
        Ok(())
    }

    fn serialize_field<M: SerializeMap>(&self, field: &Field, map: &mut M) -> Result<(), M::Error> {
        let bytes = &self.as_bytes()[field.offset..field.offset + field.size];
        let key = field.json.1;
        match field.format {
            Format::U8 => map.serialize_entry(key, &codec::U8::read(bytes)),
            Format::U16 => map.serialize_entry(key, &codec::U16::read(bytes)),
            Format::U32 | Format::Micros => map.serialize_entry(key, &codec::U32::read(bytes)),
            Format::U64 | Format::BootTime => map.serialize_entry(key, &codec::U64::read(bytes)),
            Format::WallTime => map.serialize_entry(key, &Rfc3339(codec::Nanos::read(bytes))),
            Format::Address => map.serialize_entry(key, &Shown(codec::Address::read(bytes))),
            Format::Text => map.serialize_entry(key, codec::Text::read(bytes).as_str()),
            Format::Kind => map.serialize_entry(key, &Shown(codec::KindCodec::read(bytes))),
            Format::Origin => map.serialize_entry(key, &Shown(codec::OriginCodec::read(bytes))),
            Format::State => {
                let state = codec::StateCodec::read(bytes);
                with_number(map, key, state, state.number())
            }
            Format::CaState => {
                let state = codec::CaStateCodec::read(bytes);
                with_number(map, key, state, state.number())
            }
            Format::Timer => {
                let timer = codec::TimerCodec::read(bytes);
                with_number(map, key, timer, timer.number())
            }
            Format::TcpFlags => {
                let flags = codec::FlagsCodec::read(bytes);
                with_number(map, key, flags, flags.0)
            }
            Format::SendError => {
                let error = codec::ErrorCodec::read(bytes);
                with_number(map, key, error, error.0)
            }
        }
    }
}

fn with_number<M: SerializeMap>(
    map: &mut M,
    key: &'static str,
    name: impl fmt::Display,
    number: impl Serialize,
) -> Result<(), M::Error> {
    map.serialize_entry(key, &Shown(name))?;
    map.serialize_entry(&Joined(key, NUMBER), &number)
}

/// One object of the JSON form.
struct Group<'a> {
    event: &'a Event,
    fields: &'a [Field],
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.fields {
            if !field.json.1.is_empty() && self.event.knows(field) {
                self.event.serialize_field(field, &mut map)?;
            }
        }
        map.end()
    }
}

/// Written as its `Display` form.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Joined(&'static str, &'static str);

impl Serialize for Joined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{}", self.0, self.1))
    }
}

/// A time of day with all nine digits of a second, so that lines sort as text.
struct Rfc3339(Duration);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = i128::try_from(self.0.as_nanos()).unwrap_or(i128::MAX);
        match Timestamp::from_nanosecond(nanos) {
            Ok(time) => serializer.collect_str(&format_args!("{time:.9}")),
            Err(_) => Err(serde::ser::Error::custom(
                "a time of day after the year 9999",
            )),
        }
    }
}

/// `"type":"retransmit"`, then every known field.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "retransmit")?;
        self.serialize_fields(&mut map)?;
        map.end()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Event::serialize(self, serializer)
    }
}

/// Reads what [`Event`] writes. Keys that are no field are passed over; a field without its key is
/// absent, or zero where every record has it.
impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        let mut record = Record::new();
        deserializer.deserialize_map(Object {
            record: &mut record,
            group: "",
        })?;
        Ok(record)
    }
}

/// Reads one object into the fields of that group; at the top level, the other objects too.
struct Object<'a> {
    record: &'a mut Record,
    group: &'static str,
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
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(slot) = map.next_key_seed(Key { group: self.group })? {
            let record = &mut *self.record;
            match slot {
                Slot::Group(group) => map.next_value_seed(Object { record, group })?,
                Slot::Field(field) => map.next_value_seed(Value { record, field })?,
                Slot::Other => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// What a key stands for.
enum Slot {
    Group(&'static str),
    Field(&'static Field),
    Other,
}

struct Key {
    group: &'static str,
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
        let name = key.strip_suffix(NUMBER).unwrap_or(key);
        let field = FIELDS.iter().find(|field| field.json == (self.group, name));
        let group = FIELDS
            .iter()
            .find(|field| self.group.is_empty() && field.json.0 == key);
        Ok(match (field, group) {
            (Some(field), _) => Slot::Field(field),
            (None, Some(of_group)) if !key.is_empty() => Slot::Group(of_group.json.0),
            _ => Slot::Other,
        })
    }
}

/// Reads one field's value, a name or a number.
struct Value<'a> {
    record: &'a mut Record,
    field: &'static Field,
}

impl Value<'_> {
    fn put<C: Codec>(self, value: C::Value) {
        match self.field.bit() {
            Some(bit) => self
                .record
                .set_optional::<C>(bit, self.field.offset, Some(value)),
            None => self.record.set_core::<C>(self.field.offset, value),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, key) = self.field.json;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{} as {group}{dot}{key}", self.field.format.name())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        use Format::*;
        let invalid = E::invalid_value(de::Unexpected::Unsigned(number), &self);
        match self.field.format {
            U8 | Kind | Origin | State | CaState | Timer => {
                self.put::<codec::U8>(number.try_into().map_err(|_| invalid)?)
            }
            U16 | TcpFlags => self.put::<codec::U16>(number.try_into().map_err(|_| invalid)?),
            U32 | Micros => self.put::<codec::U32>(number.try_into().map_err(|_| invalid)?),
            SendError => self.put::<codec::I32>(number.try_into().map_err(|_| invalid)?),
            U64 | BootTime => self.put::<codec::U64>(number),
            WallTime | Address | Text => {
                return Err(E::invalid_type(de::Unexpected::Unsigned(number), &self));
            }
        }
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        let invalid = E::invalid_value(de::Unexpected::Signed(number), &self);
        match self.field.format {
            Format::SendError => self.put::<codec::I32>(number.try_into().map_err(|_| invalid)?),
            _ => return self.visit_u64(number.try_into().map_err(|_| invalid)?),
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        use Format::*;
        let invalid = E::invalid_value(de::Unexpected::Str(text), &self);
        match self.field.format {
            Kind => self.put::<codec::KindCodec>(text.parse().map_err(|_| invalid)?),
            Origin => self.put::<codec::OriginCodec>(text.parse().map_err(|_| invalid)?),
            State => self.put::<codec::StateCodec>(text.parse().map_err(|_| invalid)?),
            CaState => self.put::<codec::CaStateCodec>(text.parse().map_err(|_| invalid)?),
            Timer => self.put::<codec::TimerCodec>(text.parse().map_err(|_| invalid)?),
            TcpFlags => self.put::<codec::FlagsCodec>(text.parse().map_err(|_| invalid)?),
            SendError => self.put::<codec::ErrorCodec>(text.parse().map_err(|_| invalid)?),
            Text => self.put::<codec::Text>(text.parse().map_err(|_| invalid)?),
            Address => self.put::<codec::Address>(text.parse::<IpAddr>().map_err(|_| invalid)?),
            WallTime => {
                let time: Timestamp = text.parse().map_err(|_| invalid)?;
                let nanos = u64::try_from(time.as_nanosecond()).map_err(|_| {
                    E::invalid_value(de::Unexpected::Str(text), &"a time from 1970 to 2554")
                })?;
                self.put::<codec::Nanos>(Duration::from_nanos(nanos));
            }
            U8 | U16 | U32 | U64 | BootTime | Micros => {
                return Err(E::invalid_type(de::Unexpected::Str(text), &self));
            }
        }
        Ok(())
    }
}
