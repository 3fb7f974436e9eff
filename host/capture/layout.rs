//! Checks the layout in the head of a capture, which comes from an untrusted file.

use retrans_event::CORE_SIZE;

use super::head::Field;
use super::head::Head;

/// The largest record size that is accepted, in bytes.
pub const MAX_RECORD_SIZE: u32 = 64 * 1024;

/// Why the layout of a capture is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The record size is out of range.
    #[error("a record size of {0} bytes; it must be {CORE_SIZE} to {MAX_RECORD_SIZE}")]
    RecordSize(u32),
    /// A field or its presence bit is outside the record.
    #[error("its field {0:?} ends beyond the record's {1} bytes")]
    OutOfBounds(String, u32),
    /// Two fields, a field and a presence bit, or two presence bits are at the same position.
    #[error("its fields {0:?} and {1:?} overlap")]
    Overlap(String, String),
    /// Two fields have the same name.
    #[error("it has two fields {0:?}")]
    Duplicate(String),
    /// A field is missing that every record has.
    #[error("it has no field {0}, which every record has")]
    Missing(String),
    /// A field has another type or size in this version.
    #[error("its field {0} is {1:?} of {2} bytes, expected {3} of {4}")]
    Type(String, String, u32, String, u32),
}

/// Checks that a record can have this layout: all fields and presence bits are within the record, none
/// overlap, and names are unique.
pub fn check(head: &Head) -> Result<(), LayoutError> {
    if head.record_size < CORE_SIZE as u32 || head.record_size > MAX_RECORD_SIZE {
        return Err(LayoutError::RecordSize(head.record_size));
    }
    let bits = 8 * u64::from(head.record_size);
    for field in &head.layout {
        let bit_is_within = field
            .presence_bit
            .is_none_or(|position| u64::from(position) < bits);
        if end(field) > head.record_size.into() || !bit_is_within {
            return Err(LayoutError::OutOfBounds(
                field.name.clone(),
                head.record_size,
            ));
        }
    }
    let mut fields: Vec<&Field> = head.layout.iter().collect();
    fields.sort_by_key(|field| field.offset);
    for pair in fields.windows(2) {
        if end(pair[0]) > pair[1].offset.into() {
            return Err(LayoutError::Overlap(
                pair[0].name.clone(),
                pair[1].name.clone(),
            ));
        }
    }
    check_bits(&fields)?;
    fields.sort_by_key(|field| &field.name);
    match fields.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(LayoutError::Duplicate(pair[0].name.clone())),
        None => Ok(()),
    }
}

/// Checks that no two fields share a presence bit, and that no presence bit is within a field. `fields` are
/// ordered by offset and do not overlap.
fn check_bits(fields: &[&Field]) -> Result<(), LayoutError> {
    let overlap = |a: &Field, b: &Field| LayoutError::Overlap(a.name.clone(), b.name.clone());
    let bits = fields
        .iter()
        .filter_map(|field| Some((field.presence_bit?, *field)));
    let mut bits: Vec<(u32, &Field)> = bits.collect();
    for (bit, field) in &bits {
        let byte = bit / 8;
        let before = fields.partition_point(|other| other.offset <= byte);
        if let Some(other) = fields[..before].last()
            && end(other) > byte.into()
        {
            return Err(overlap(field, other));
        }
    }
    bits.sort_by_key(|(bit, _)| *bit);
    match bits.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(overlap(pair[0].1, pair[1].1)),
        None => Ok(()),
    }
}

/// Offset of the first byte after the field.
fn end(field: &Field) -> u64 {
    u64::from(field.offset) + u64::from(field.size)
}
