//! A record that owns its bytes.

use core::fmt;
use core::ops::Deref;
use core::ops::DerefMut;

use crate::event::Event;
use crate::fields::FIELDS;
use crate::fields::RECORD_SIZE;
use crate::presence;

/// One retransmit that owns its bytes, in the layout of this version ([`RECORD_SIZE`] bytes).
/// Dereferences to [`Event`].
#[derive(Clone, PartialEq, Eq)]
pub struct Record([u8; RECORD_SIZE]);

impl Record {
    /// An empty record: addresses are `::`, numbers are 0, and optional fields are absent.
    pub fn new() -> Record {
        let mut record = Record([0; RECORD_SIZE]);
        record.set_size(RECORD_SIZE as u32);
        record
    }

    /// A record from its bytes, in the layout of this version.
    pub fn from_bytes(bytes: [u8; RECORD_SIZE]) -> Record {
        Record(bytes)
    }

    /// Makes fields that end beyond `length` absent: the shorter record may have set their presence bits,
    /// and may have had the first bytes of one of them.
    fn forget_beyond(&mut self, length: usize) {
        for field in FIELDS {
            if let Some(bit) = field.bit()
                && field.offset + field.size > length
            {
                self.forget(bit, field.offset..field.offset + field.size);
            }
        }
    }
}

impl Event {
    /// A copy with [`RECORD_SIZE`] bytes: fields of newer versions are cut off, and fields that a shorter
    /// record does not have are absent.
    pub fn to_record(&self) -> Record {
        let mut record = Record::new();
        let bytes = self.as_bytes();
        let shared = bytes.len().min(RECORD_SIZE);
        record.0[..shared].copy_from_slice(&bytes[..shared]);
        record.set_size(RECORD_SIZE as u32);
        if shared < RECORD_SIZE {
            presence::clear_beyond(&mut record.0, shared);
            record.forget_beyond(shared);
        }
        record
    }
}

impl Default for Record {
    fn default() -> Record {
        Record::new()
    }
}

impl Deref for Record {
    type Target = Event;

    #[inline]
    fn deref(&self) -> &Event {
        match Event::new(&self.0) {
            Ok(event) => event,
            Err(_) => unreachable!("RECORD_SIZE is at least CORE_SIZE"),
        }
    }
}

impl DerefMut for Record {
    #[inline]
    fn deref_mut(&mut self) -> &mut Event {
        match Event::new_mut(&mut self.0) {
            Ok(event) => event,
            Err(_) => unreachable!("RECORD_SIZE is at least CORE_SIZE"),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
