//! Translates records of a capture of another version, using the layout in its head.

use retrans_event::RECORD_SIZE;
use retrans_event::Record;

use super::head::Head;
use super::head::layout;
use super::layout::LayoutError;
use super::layout::check;
use crate::stream::batch::Batch;

/// How to translate the records of a capture to records of this version.
#[derive(Debug)]
pub enum Translation {
    /// The layouts are the same: records are copied as they are.
    Same,
    /// The layouts differ: each field is copied by itself.
    Fields {
        /// Size of the capture's records in bytes.
        record_size: usize,
        /// The fields that both layouts have.
        copies: Vec<FieldCopy>,
    },
}

/// How to copy one field. Offsets and sizes are in bytes, positions of presence bits in bits
/// from the start of the record.
#[derive(Debug)]
pub struct FieldCopy {
    from: usize,
    to: usize,
    size: usize,
    presence: Option<Presence>,
}

/// The presence bit of a field that may be absent in this version.
#[derive(Debug)]
struct Presence {
    /// Position in the capture's record; `None` if the field is always present there.
    from: Option<usize>,
    /// Position in the record of this version.
    to: usize,
}

impl Translation {
    /// The translation from the layout in `head` to the layout of this version. Fields that this version does
    /// not know are ignored. Fields that the capture lacks are absent.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if no record can have the layout, if a field that every record has is missing, or if a
    /// field has another type in this version.
    pub fn new(head: &Head) -> Result<Translation, LayoutError> {
        check(head)?;
        let own = layout();
        if head.record_size as usize == RECORD_SIZE && head.layout == own {
            return Ok(Translation::Same);
        }
        let mut copies = Vec::new();
        for to in &own {
            let Some(from) = head.layout.iter().find(|from| from.name == to.name) else {
                if to.presence_bit.is_none() {
                    return Err(LayoutError::Missing(to.name.clone()));
                }
                continue;
            };
            if (from.size, &from.kind) != (to.size, &to.kind) {
                return Err(LayoutError::Type(
                    to.name.clone(),
                    from.kind.clone(),
                    from.size,
                    to.kind.clone(),
                    to.size,
                ));
            }
            copies.push(FieldCopy {
                from: from.offset as usize,
                to: to.offset as usize,
                size: to.size as usize,
                presence: to.presence_bit.map(|bit| Presence {
                    from: from.presence_bit.map(|bit| bit as usize),
                    to: bit as usize,
                }),
            });
        }
        let record_size = head.record_size as usize;
        Ok(Translation::Fields {
            record_size,
            copies,
        })
    }

    /// Translates `records` of the capture and appends them to `batch`.
    pub fn apply(&self, records: &[u8], batch: &mut Batch) {
        match self {
            Translation::Same => batch.extend(records),
            Translation::Fields {
                record_size,
                copies,
            } => {
                for record in records.chunks_exact(*record_size) {
                    batch.push(translate(record, copies).as_bytes());
                }
            }
        }
    }
}

fn translate(record: &[u8], copies: &[FieldCopy]) -> Record {
    let mut bytes = [0; RECORD_SIZE];
    for field in copies {
        if let Some(Presence { from, to }) = field.presence {
            if from.is_some_and(|bit| record[bit / 8] >> (bit % 8) & 1 == 0) {
                continue;
            }
            bytes[to / 8] |= 1 << (to % 8);
        }
        bytes[field.to..field.to + field.size]
            .copy_from_slice(&record[field.from..field.from + field.size]);
    }
    let mut record = Record::from_bytes(bytes);
    record.set_size(RECORD_SIZE as u32);
    record
}

#[cfg(test)]
mod tests;
