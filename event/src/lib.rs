//! The record of one TCP retransmit, as the kernel probe writes it and as a plugin reads it.
//!
//! [`FIELDS`] is the one table from which everything is made: the accessors of [`Event`], the JSON
//! form (feature `serde`), what plugins ask for as `layout()`, and `docs/events.md`. The same fields
//! are declared in C in `bpf/event.h`; the build of the host fails where the two differ.
//!
//! An [`Event`] is a view over bytes, not a struct: fields are read little-endian at alignment 1,
//! and records grow by appending. Code that is newer than a record sees the missing fields as
//! absent; code that is older does not look at what it does not know.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(test)]
extern crate std;

mod cause;
mod codec;
mod derived;
mod event;
mod field;
mod fields;
mod format;
#[cfg(feature = "serde")]
mod json;
mod name;
mod numbers;
mod owner;
mod presence;
mod record;
mod send_error;
#[cfg(feature = "synth")]
pub mod synth;
mod tcp_flags;

pub use codec::nanos;
pub use event::CORE_SIZE;
pub use event::Event;
pub use event::TooShort;
pub use field::Field;
pub use fields::FIELDS;
pub use fields::RECORD_SIZE;
pub use format::Format;
pub use name::Name;
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
