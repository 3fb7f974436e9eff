//! A checked view over the bytes of one record.

use core::ops::Range;

use crate::codec::Codec;
use crate::presence::PresenceBit;

/// Size in bytes of the part that every record has: the fields without a presence bit.
pub const CORE_SIZE: usize = 88;

/// Bytes that no plugin may change: size and CPU, then sequence, time since boot, time of day and
/// the sequence number on the CPU.
const HOST_FIELDS: [Range<usize>; 2] = [0..8, 16..48];

/// Too few bytes for a record; has their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record has at least {CORE_SIZE} bytes, this one has {0}")]
pub struct TooShort(pub usize);

/// One retransmit: a view over the bytes of a record of any version.
///
/// A field that the kernel did not know, or that a shorter record does not have, is `None`, never 0.
#[derive(PartialEq, Eq)]
#[repr(transparent)]
pub struct Event([u8]);

impl Event {
    /// A view over the bytes of one record.
    ///
    /// # Errors
    ///
    /// For fewer than [`CORE_SIZE`] bytes.
    #[inline]
    pub fn new(bytes: &[u8]) -> Result<&Event, TooShort> {
        if bytes.len() < CORE_SIZE {
            return Err(TooShort(bytes.len()));
        }
        // SAFETY: `Event` is a transparent wrapper of `[u8]`, so that both references have the
        // same layout, and any bytes are a valid `Event`.
        Ok(unsafe { &*(core::ptr::from_ref(bytes) as *const Event) })
    }

    /// A view that can change fields.
    ///
    /// # Errors
    ///
    /// For fewer than [`CORE_SIZE`] bytes.
    #[inline]
    pub fn new_mut(bytes: &mut [u8]) -> Result<&mut Event, TooShort> {
        if bytes.len() < CORE_SIZE {
            return Err(TooShort(bytes.len()));
        }
        // SAFETY: as in `new`; the result has the exclusive borrow.
        Ok(unsafe { &mut *(core::ptr::from_mut(bytes) as *mut Event) })
    }

    /// The bytes of the record, including fields of newer versions.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Restores the fields that belong to the host, which no plugin may change: `size`, `cpu`, `sequence`,
    /// `cpu_sequence`, `boot_time_ns` and `wall_time_ns`.
    pub fn restore_host_fields(&mut self, original: &Event) {
        for range in HOST_FIELDS {
            self.0[range.clone()].copy_from_slice(&original.0[range]);
        }
    }

    #[inline]
    pub(crate) fn has(&self, bit: PresenceBit) -> bool {
        bit.is_set(&self.0)
    }

    /// Makes the field at these bytes absent: clears its presence bit and its bytes.
    pub(crate) fn forget(&mut self, bit: PresenceBit, bytes: Range<usize>) {
        bit.set(&mut self.0, false);
        self.0[bytes].fill(0);
    }

    /// Reads a field that every record has.
    #[inline]
    pub(crate) fn core<C: Codec>(&self, offset: usize) -> C::Value {
        C::read(&self.0[offset..offset + C::SIZE])
    }

    #[inline]
    pub(crate) fn set_core<C: Codec>(&mut self, offset: usize, value: C::Value) {
        C::write(value, &mut self.0[offset..offset + C::SIZE]);
    }

    /// Reads an optional field. It is absent where its presence bit is not set, and where the field or
    /// its presence word ends beyond the record.
    #[inline]
    pub(crate) fn optional<C: Codec>(&self, bit: PresenceBit, offset: usize) -> Option<C::Value> {
        let bytes = self.0.get(offset..offset + C::SIZE)?;
        self.has(bit).then(|| C::read(bytes))
    }

    #[inline]
    pub(crate) fn set_optional<C: Codec>(
        &mut self,
        bit: PresenceBit,
        offset: usize,
        value: Option<C::Value>,
    ) {
        if !bit.is_within(&self.0) {
            return;
        }
        let Some(bytes) = self.0.get_mut(offset..offset + C::SIZE) else {
            return;
        };
        match value {
            Some(value) => C::write(value, bytes),
            None => bytes.fill(0),
        }
        bit.set(&mut self.0, value.is_some());
    }
}

#[cfg(test)]
mod tests;
