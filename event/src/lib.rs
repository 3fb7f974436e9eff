//! The record of one TCP retransmit: the kernel probe writes it, plugins read and change it.
//!
//! [`FIELDS`] is the single source for all fields. Four things are generated from it: the accessors of
//! [`Event`], the JSON form (feature `serde`), the answer to a plugin's `layout()`, and the tables in
//! `docs/events.md`. `bpf/event.h` declares the same fields in C; the build of the host fails where the two
//! differ.
//!
//! An [`Event`] is a view over bytes, not a struct: fields are read little-endian at alignment 1,
//! and records grow by appending. In a record that is shorter than [`RECORD_SIZE`] the missing fields are
//! absent; the bytes of a longer record that this version does not know are kept as they are.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(test)]
extern crate std;

mod build;
mod cause;
mod census;
mod codec;
mod derived;
mod event;
mod field;
mod fields;
mod format;
#[cfg(feature = "serde")]
mod json;
mod name;
mod number_names;
mod numbers;
mod owner;
mod presence;
mod record;
mod send_error;
#[cfg(feature = "synth")]
pub mod synth;
mod tcp_flags;

pub use census::CENSUS_FIELDS;
pub use census::CENSUS_ROW_SIZE;
pub use census::CensusField;
pub use census::CensusRow;
pub use census::CensusRows;
pub use census::RTT_BUCKETS;
pub use codec::nanos;
pub use event::CORE_SIZE;
pub use event::Event;
pub use event::TooShort;
pub use field::Field;
pub use fields::FIELDS;
pub use fields::RECORD_SIZE;
pub use format::Format;
#[cfg(feature = "serde")]
pub use json::FieldPath;
#[cfg(feature = "serde")]
pub use json::FieldValue;
#[cfg(feature = "serde")]
pub use json::LineWriter;
#[cfg(feature = "serde")]
pub use json::UnknownPath;
pub use name::Name;
pub use number_names::NumberName;
pub use number_names::number_names;
pub use numbers::CaState;
pub use numbers::Kind;
pub use numbers::OwnerStatus;
pub use numbers::TcpState;
pub use numbers::Timer;
pub use numbers::Tracepoint;
pub use numbers::UnknownName;
pub use owner::Owner;
pub use owner::Process;
pub use presence::PRESENCE_WORDS;
pub use record::Record;
pub use send_error::SendError;
pub use tcp_flags::TcpFlags;
