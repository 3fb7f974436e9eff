//! From a record to JSON.

use core::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde::ser::SerializeMap;

use super::NUMBER;
use super::within;
use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::fields::FIELDS;
use crate::fields::Field;
use crate::fields::Format;
use crate::names::OwnerStatus;
use crate::record::Record;

impl Event {
    /// Is the field known, and within the record?
    fn knows(&self, field: &Field) -> bool {
        let within = field.offset + field.size <= self.as_bytes().len();
        within && field.bit().is_none_or(|bit| self.has(bit))
    }

    /// Is there anything to write for this field?
    fn shows(&self, field: &Field) -> bool {
        !field.json.1.is_empty() && self.knows(field)
    }

    /// Writes every known field into a map that the caller has begun, and may go on with.
    pub fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.serialize_level("", FIELDS, map)?;
        // As the tool had it that this one comes from.
        if let (Some(OwnerStatus::Held), Some(pid)) = (self.owner_status(), self.owner_pid()) {
            map.serialize_entry("pid", &pid)?;
        }
        Ok(())
    }

    /// Writes the fields of one object, then the objects within it. `fields` are those of all of them.
    fn serialize_level<M: SerializeMap>(
        &self,
        path: &'static str,
        fields: &[Field],
        map: &mut M,
    ) -> Result<(), M::Error> {
        for field in fields.iter().filter(|field| field.json.0 == path) {
            if self.shows(field) {
                self.serialize_field(field, map)?;
            }
        }
        let key = |field: &Field| Some(within(path, field.json.0)?.split('.').next().unwrap_or(""));
        for fields in fields.chunk_by(|a, b| key(a) == key(b)) {
            if let Some(key) = key(&fields[0])
                && fields.iter().any(|field| self.shows(field))
            {
                let (event, path) = (self, fields[0].json.0);
                map.serialize_entry(
                    key,
                    &Group {
                        event,
                        path,
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
            Format::WallTime => map.serialize_entry(key, &Rfc3339(codec::U64::read(bytes))),
            Format::Address => map.serialize_entry(key, &Shown(codec::Address::read(bytes))),
            Format::Text => map.serialize_entry(key, codec::Text::read(bytes).as_str()),
            Format::Kind => map.serialize_entry(key, &Shown(codec::KindCodec::read(bytes))),
            Format::OwnerStatus => map.serialize_entry(key, &Shown(codec::OwnerCodec::read(bytes))),
            Format::Bool => map.serialize_entry(key, &codec::Bool::read(bytes)),
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
    map.serialize_entry(&Shown(format_args!("{key}{NUMBER}")), &number)
}

/// One object of the JSON form, with the objects within it.
struct Group<'a> {
    event: &'a Event,
    path: &'static str,
    fields: &'a [Field],
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.event
            .serialize_level(self.path, self.fields, &mut map)?;
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

/// A time of day in ns, with all nine digits of a second, so that lines sort as text.
struct Rfc3339(u64);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_nanosecond(self.0.into()).map_err(S::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.9}"))
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
