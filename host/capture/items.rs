//! Encoding of the items of the stream.
//!
//! The first byte of an item is its kind. A mark contains the time since boot, the time of day, and the
//! number of lost events. A batch contains the number of lost events, the number of events and of label
//! columns, the records, and the columns. Every other item has its length after the kind, so that a reader can skip
//! kinds that it does not know; a census contains rows. Numbers are little-endian. `docs/captures.md` specifies the format.

use std::time::Duration;

use retrans_event::CensusRow;

use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::census::Census;
use crate::stream::labels::Column;
use crate::stream::labels::MAX_COLUMNS;
use crate::stream::moment::Mark;

const EVENTS: u8 = 1;
const MARK: u8 = 2;
const END: u8 = 3;
const CENSUS: u8 = 4;

/// Kinds from this number on are followed by the length of the item, 32 bits. Captures of version 1 have none of them.
const FIRST_WITH_LENGTH: u8 = CENSUS;

/// The bytes are not a valid item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadItem(pub &'static str);

/// Appends the encoded item to `to`.
pub fn encode(item: &Item, to: &mut Vec<u8>) {
    match item {
        Item::Events(batch) => encode_events(batch, to),
        Item::Mark(mark) => encode_mark(MARK, mark, to),
        Item::End(mark) => encode_mark(END, mark, to),
        Item::Census(census) => {
            to.push(CENSUS);
            put_length(to, census.as_bytes().len());
            to.extend_from_slice(census.as_bytes());
        }
    }
}

fn encode_mark(kind: u8, mark: &Mark, to: &mut Vec<u8>) {
    to.push(kind);
    for time in [mark.time, mark.wall_time] {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        to.extend_from_slice(&nanos.to_le_bytes());
    }
    to.extend_from_slice(&mark.lost.to_le_bytes());
}

fn encode_events(batch: &Batch, to: &mut Vec<u8>) {
    to.push(EVENTS);
    to.extend_from_slice(&batch.lost.to_le_bytes());
    put_length(to, batch.len());
    put_length(to, batch.labels.columns().len());
    to.extend_from_slice(batch.records());
    for column in batch.labels.columns() {
        let (events, ends, text) = column.parts();
        put_text(to, &column.key);
        put_length(to, events.len());
        for number in events.iter().chain(ends) {
            to.extend_from_slice(&number.to_le_bytes());
        }
        put_text(to, text);
    }
}

fn put_length(to: &mut Vec<u8>, length: usize) {
    to.extend_from_slice(&(length as u32).to_le_bytes());
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_length(to, text.len());
    to.extend_from_slice(text.as_bytes());
}

/// Decodes items in order.
pub struct Items<'a> {
    bytes: &'a [u8],
    record_size: usize,
    /// Whether there may be items with a length.
    has_lengths: bool,
}

impl<'a> Items<'a> {
    /// Decodes `bytes`, in which each record has `record_size` bytes. `has_lengths`: they are of version 2 or later.
    pub fn new(bytes: &'a [u8], record_size: usize, has_lengths: bool) -> Items<'a> {
        Items {
            bytes,
            record_size,
            has_lengths,
        }
    }

    /// The bytes that are not decoded yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Decodes the next item, and skips those of kinds that this version does not know; `None` at the end of the bytes. `batch` provides an empty batch for events.
    /// `translate` appends the records of the capture to that batch, as records of this version.
    ///
    /// # Errors
    ///
    /// [`BadItem`] if the bytes are not a valid item. The position is then undefined.
    pub fn next(
        &mut self,
        batch: impl FnOnce() -> Batch,
        translate: impl FnOnce(&[u8], &mut Batch),
    ) -> Result<Option<Item>, BadItem> {
        let kind = loop {
            let Some((kind, rest)) = self.bytes.split_first() else {
                return Ok(None);
            };
            self.bytes = rest;
            if *kind <= CENSUS || !self.has_lengths {
                break *kind;
            }
            let length = self.read_u32()?;
            self.take(length as usize)?;
        };
        if kind >= FIRST_WITH_LENGTH && !self.has_lengths {
            return Err(BadItem("an item of an unknown kind"));
        }
        let item = match kind {
            EVENTS => {
                let mut batch = batch();
                self.events(&mut batch, translate)?;
                Item::Events(batch)
            }
            MARK => Item::Mark(self.mark()?),
            END => Item::End(self.mark()?),
            CENSUS => Item::Census(self.census()?),
            _ => return Err(BadItem("an item of an unknown kind")),
        };
        Ok(Some(item))
    }

    fn events(
        &mut self,
        batch: &mut Batch,
        translate: impl FnOnce(&[u8], &mut Batch),
    ) -> Result<(), BadItem> {
        batch.lost = self.read_u64()?;
        let (count, columns) = (self.read_u32()? as usize, self.read_u32()?);
        if !(1..=MAX_EVENTS).contains(&count) {
            return Err(BadItem("a batch of an impossible size"));
        }
        if columns as usize > MAX_COLUMNS {
            return Err(BadItem("more columns of labels than a host writes"));
        }
        translate(self.take(count * self.record_size)?, batch);
        for _ in 0..columns {
            let key = self.read_text()?;
            let labelled = self.read_u32()? as usize;
            if labelled > count {
                return Err(BadItem("more labels than events"));
            }
            let mut numbers = Vec::with_capacity(2 * labelled);
            for _ in 0..2 * labelled {
                numbers.push(self.read_u32()?);
            }
            let ends = numbers.split_off(labelled);
            let column = Column::check(key, numbers, ends, self.read_text()?, count as u32);
            let column = column.map_err(|_| BadItem("labels that do not fit their events"))?;
            batch.labels.annotate(column);
        }
        Ok(())
    }

    /// Rows of a later version are longer: they are cut to what this one knows.
    fn census(&mut self) -> Result<Census, BadItem> {
        let length = self.read_u32()?;
        let bytes = self.take(length as usize)?;
        let mut rows = CensusRow::rows(bytes);
        let census = Census::new(&mut rows);
        match rows.is_at_end() {
            true => Ok(census),
            false => Err(BadItem("a census with bytes that are no row")),
        }
    }

    fn mark(&mut self) -> Result<Mark, BadItem> {
        Ok(Mark {
            time: Duration::from_nanos(self.read_u64()?),
            wall_time: Duration::from_nanos(self.read_u64()?),
            lost: self.read_u64()?,
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BadItem> {
        let taken = self.bytes.split_at_checked(length);
        let (taken, rest) = taken.ok_or(BadItem("an item that is cut off"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn read_u32(&mut self) -> Result<u32, BadItem> {
        let mut number = [0; 4];
        number.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(number))
    }

    fn read_u64(&mut self) -> Result<u64, BadItem> {
        let mut number = [0; 8];
        number.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(number))
    }

    fn read_text(&mut self) -> Result<String, BadItem> {
        let length = self.read_u32()? as usize;
        let text = String::from_utf8(self.take(length)?.to_vec());
        text.map_err(|_| BadItem("a label that is not text"))
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::RECORD_SIZE;
    use retrans_event::Record;

    use super::*;

    /// An encoded batch of one event, with this number of columns without labels.
    fn empty_columns(columns: u32) -> Vec<u8> {
        let mut bytes = vec![EVENTS];
        bytes.extend_from_slice(&0u64.to_le_bytes());
        put_length(&mut bytes, 1);
        put_length(&mut bytes, columns as usize);
        bytes.extend_from_slice(Record::new().as_bytes());
        for column in 0..columns {
            put_text(&mut bytes, &column.to_string());
            put_length(&mut bytes, 0);
            put_text(&mut bytes, "");
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Option<Item>, BadItem> {
        Items::new(bytes, RECORD_SIZE, false)
            .next(Batch::new, |records, batch| batch.extend(records))
    }

    #[test]
    fn columns_that_no_host_writes_are_refused_before_they_cost_anything() {
        assert!(read(&empty_columns(0)).is_ok_and(|item| item.is_some()));
        assert!(read(&empty_columns(MAX_COLUMNS as u32)).is_ok_and(|item| item.is_some()));
        let refused = read(&empty_columns(1_000_000)).expect_err("refused");
        assert!(refused.0.contains("more columns"), "{refused}");
    }

    #[test]
    fn a_census_is_read_and_a_kind_of_a_later_version_is_skipped() {
        let census = Census::new([CensusRow {
            segments: 7,
            ..CensusRow::EMPTY
        }]);
        let mut bytes = Vec::new();
        encode(&Item::Census(census.clone()), &mut bytes);
        let later = [&[9, 3, 0, 0, 0, 1, 2, 3][..], &bytes].concat();
        for bytes in [&bytes, &later] {
            let mut items = Items::new(bytes, RECORD_SIZE, true);
            let item = items.next(Batch::new, |_, _| {}).expect("sound");
            assert!(matches!(item, Some(Item::Census(read)) if read == census));
            assert!(items.rest().is_empty());
            // The first version has no such items.
            assert!(read(bytes).is_err());
        }
        for cut in 1..later.len() {
            let mut items = Items::new(&later[..cut], RECORD_SIZE, true);
            let item = items.next(Batch::new, |_, _| {});
            // Where the later kind ends, so do the items.
            assert_eq!(item.is_err(), cut != 8, "{cut}: {item:?}");
        }
        let mut odd = bytes;
        odd[1] -= 1;
        odd.pop();
        let mut items = Items::new(&odd, RECORD_SIZE, true);
        assert!(items.next(Batch::new, |_, _| {}).is_err());
    }
}
