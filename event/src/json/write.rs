//! From a record to JSON.

use core::fmt;
use core::net::IpAddr;
use core::net::Ipv4Addr;

use jiff::Timestamp;
use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde::ser::SerializeMap;

use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::field::Field;
use crate::fields::FIELDS;
use crate::fields::object;
use crate::format::Format;
use crate::numbers::OwnerStatus;
use crate::record::Record;

impl Event {
    /// Is the field within the record, and present?
    fn knows(&self, field: &Field) -> bool {
        let within = field.offset + field.size <= self.as_bytes().len();
        within && field.bit().is_none_or(|bit| self.has(bit))
    }

    /// Does the JSON form of this event have the field?
    pub(super) fn shows(&self, field: &Field) -> bool {
        !field.json.1.is_empty() && self.knows(field)
    }

    /// Writes every known field into a map that the caller has begun. The caller may add further keys.
    ///
    /// # Errors
    ///
    /// The errors of the serializer.
    pub fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.serialize_object(&ROOT, map)?;
        // The tool that this one replaces wrote this key, and its readers rely on it.
        if let (Some(OwnerStatus::Held), Some(pid)) = (self.owner_status(), self.owner_pid()) {
            map.serialize_entry("pid", &pid)?;
        }
        Ok(())
    }

    /// Writes the known fields of one object, then the inner objects that have known fields.
    fn serialize_object<M: SerializeMap>(
        &self,
        object: &'static Object,
        map: &mut M,
    ) -> Result<(), M::Error> {
        for field in object.fields {
            if self.shows(field) {
                self.serialize_field(field, map)?;
            }
        }
        for object in object.objects {
            if self.shows_any(object) {
                let event = self;
                map.serialize_entry(object.key, &Within { event, object })?;
            }
        }
        Ok(())
    }

    fn shows_any(&self, object: &Object) -> bool {
        let mut fields = object.fields.iter();
        fields.any(|field| self.shows(field))
            || object.objects.iter().any(|inner| self.shows_any(inner))
    }

    fn serialize_field<M: SerializeMap>(
        &self,
        field: &'static Field,
        map: &mut M,
    ) -> Result<(), M::Error> {
        let bytes = &self.as_bytes()[field.offset..field.offset + field.size];
        let key = field.json.1;
        match field.format {
            Format::U8 => map.serialize_entry(key, &codec::U8::read(bytes)),
            Format::U16 => map.serialize_entry(key, &codec::U16::read(bytes)),
            Format::U32 | Format::Micros => map.serialize_entry(key, &codec::U32::read(bytes)),
            Format::U64 | Format::BootTime => map.serialize_entry(key, &codec::U64::read(bytes)),
            Format::WallTime => map.serialize_entry(key, &Rfc3339(codec::U64::read(bytes))),
            Format::Address => match codec::Address::read(bytes) {
                IpAddr::V4(address) => map.serialize_entry(key, &Dotted(address)),
                IpAddr::V6(address) => map.serialize_entry(key, &Shown(address)),
            },
            Format::Text => map.serialize_entry(key, codec::Text::read(bytes).as_str()),
            Format::Kind => {
                let kind = codec::KindCodec::read(bytes);
                map.serialize_entry(key, &Named(kind.name(), kind))
            }
            Format::OwnerStatus => {
                let status = codec::OwnerCodec::read(bytes);
                map.serialize_entry(key, &Named(status.name(), status))
            }
            Format::Bool => map.serialize_entry(key, &codec::Bool::read(bytes)),
            Format::Tracepoint => {
                let origin = codec::TracepointCodec::read(bytes);
                map.serialize_entry(key, &Named(origin.name(), origin))
            }
            Format::TcpState => {
                let state = codec::TcpStateCodec::read(bytes);
                with_number(map, field, Named(state.name(), state), state.number())
            }
            Format::CaState => {
                let state = codec::CaStateCodec::read(bytes);
                with_number(map, field, Named(state.name(), state), state.number())
            }
            Format::Timer => {
                let timer = codec::TimerCodec::read(bytes);
                with_number(map, field, Named(timer.name(), timer), timer.number())
            }
            Format::TcpFlags => {
                let flags = codec::FlagsCodec::read(bytes);
                with_number(map, field, Shown(flags), flags.0)
            }
            Format::SendError => {
                let error = codec::ErrorCodec::read(bytes);
                with_number(map, field, Named(error.name(), error), error.0)
            }
        }
    }
}

fn with_number<M: SerializeMap>(
    map: &mut M,
    field: &'static Field,
    name: impl Serialize,
    number: impl Serialize,
) -> Result<(), M::Error> {
    map.serialize_entry(field.json.1, &name)?;
    map.serialize_entry(field.number_key, &number)
}

/// Is written as its name, or in its `Display` form where it has no name.
struct Named<T>(Option<&'static str>, T);

impl<T: fmt::Display> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&self.1),
        }
    }
}

/// One object of the JSON form.
pub struct Object {
    pub(super) key: &'static str,
    fields: &'static [Field],
    pub(super) objects: &'static [Object],
    /// Its fields, as bits: bit `n` is field `n` of [`FIELDS`].
    pub(super) own: u128,
    /// The same with those of inner objects.
    pub(super) all: u128,
}

impl Object {
    const fn new(key: &'static str, object: u8, objects: &'static [Object]) -> Object {
        let (begin, fields) = fields_of(object);
        let own = ((1 << fields.len()) - 1) << begin;
        let mut all = own;
        let mut index = 0;
        while index < objects.len() {
            all |= objects[index].all;
            index += 1;
        }
        Object {
            key,
            fields,
            objects,
            own,
            all,
        }
    }
}

/// The top level, with all objects in their order.
pub static ROOT: Object = Object::new(
    "",
    object!(""),
    &[
        Object::new("source", object!("source"), &[]),
        Object::new("destination", object!("destination"), &[]),
        Object::new("record", object!("record"), &[]),
        Object::new("retransmit", object!("retransmit"), &[]),
        Object::new("tcp", object!("tcp"), &[]),
        Object::new("netns", object!("netns"), &[]),
        Object::new("socket", object!("socket"), &[]),
        Object::new(
            "owner",
            object!("owner"),
            &[Object::new("last", object!("owner.last"), &[])],
        ),
    ],
);

/// The number of an object's first field, and its fields, which are next to each other in the table: the build fails where they are
/// not.
const fn fields_of(object: u8) -> (usize, &'static [Field]) {
    let mut begin = FIELDS.len();
    let mut end = 0;
    let mut count = 0;
    let mut index = 0;
    while index < FIELDS.len() {
        if FIELDS[index].object == object && !FIELDS[index].json.1.is_empty() {
            if count == 0 {
                begin = index;
            }
            end = index + 1;
            count += 1;
        }
        index += 1;
    }
    assert!(count > 0 && end - begin == count);
    (begin, FIELDS.split_at(end).0.split_at(begin).1)
}

/// An object of this event.
struct Within<'a> {
    event: &'a Event,
    object: &'static Object,
}

impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.event.serialize_object(self.object, &mut map)?;
        map.end()
    }
}

/// Is written in its `Display` form.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An IPv4 address, written without `fmt`, which takes more time in a plugin than all the digits.
struct Dotted(Ipv4Addr);

impl Serialize for Dotted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; "255.255.255.255".len()];
        let mut length = 0;
        let mut push = |byte| {
            text[length] = byte;
            length += 1;
        };
        for (place, number) in self.0.octets().into_iter().enumerate() {
            if place > 0 {
                push(b'.');
            }
            if number >= 100 {
                push(b'0' + number / 100);
            }
            if number >= 10 {
                push(b'0' + number / 10 % 10);
            }
            push(b'0' + number % 10);
        }
        let text = core::str::from_utf8(&text[..length]).map_err(S::Error::custom)?;
        serializer.serialize_str(text)
    }
}

/// A time of day in ns since 1970, written with nine digits after the decimal point, so that lines sort as
/// text.
pub(super) struct Rfc3339(pub(super) u64);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const SECOND: u64 = 1_000_000_000;
        // Not from_nanosecond: WebAssembly has no division of 128 bits.
        let time = Timestamp::new((self.0 / SECOND) as i64, (self.0 % SECOND) as i32);
        let time = time.map_err(S::Error::custom)?;
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
