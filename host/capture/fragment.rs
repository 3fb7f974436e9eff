//! Fragments: items that travel by themselves, such as in a message of a broker. A fragment is one frame of a capture;
//! the head, which all fragments of a writer have in common, is kept elsewhere.

use std::io;

use super::Head;
use super::frame::FrameError;
use super::frame::FrameKind;
use super::frame::FrameReader;
use super::frame::FrameWriter;
use super::items::Items;
use super::items::encode;
use super::layout::LayoutError;
use super::translate::Translation;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// The head of fragments of this version, as JSON. It names no host, so that all hosts of one version have the same one.
pub fn head() -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Head::new(None, String::new()))
}

/// Collects items, and makes a fragment of them.
#[derive(Default)]
pub struct FragmentWriter {
    items: Vec<u8>,
}

impl FragmentWriter {
    /// Adds an item.
    pub fn item(&mut self, item: &Item) {
        encode(item, &mut self.items);
    }

    /// Size of the items so far, before compression, in bytes.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Makes a fragment of the items so far, which are removed.
    pub fn take(&mut self, frames: &mut FrameWriter) -> io::Result<Vec<u8>> {
        let mut fragment = Vec::new();
        let written = frames.write(&mut fragment, FrameKind::Items, &self.items);
        self.items.clear();
        written.map(|_| fragment)
    }
}

/// Why a fragment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FragmentError {
    /// The head is no JSON of a head.
    #[error("its head cannot be read: {0}")]
    Head(#[from] serde_json::Error),
    /// No record can have the layout of the head.
    #[error("the layout in its head is invalid: {0}")]
    Layout(#[from] LayoutError),
    /// The bytes are not as they were written.
    #[error("{0}")]
    Damaged(String),
}

/// Reads the fragments that have one head.
pub struct FragmentReader {
    head: Head,
    translation: Translation,
}

impl FragmentReader {
    /// Reads fragments with this head.
    pub fn new(head: &[u8]) -> Result<FragmentReader, FragmentError> {
        let head: Head = serde_json::from_slice(head)?;
        let translation = Translation::new(&head)?;
        Ok(FragmentReader { head, translation })
    }

    /// Reads the items of a fragment.
    ///
    /// # Errors
    ///
    /// [`FragmentError::Damaged`] if the bytes are not one whole frame of items; no item of it is returned then.
    pub fn read(&self, fragment: &[u8]) -> Result<Vec<Item>, FragmentError> {
        let damaged = |what: &dyn ToString| FragmentError::Damaged(what.to_string());
        let explain = |error: FrameError| match error {
            FrameError::Cut => damaged(&"it is cut off"),
            error => damaged(&error),
        };
        let mut bytes = Vec::new();
        let reader = FrameReader::new(fragment, 0);
        let mut reader = reader.map_err(|error| damaged(&error))?;
        if reader.read(&mut bytes).map_err(explain)? != Some(FrameKind::Items) {
            return Err(damaged(&"it is no frame of items"));
        }
        if reader.offset() != fragment.len() as u64 {
            return Err(damaged(&"there is data after its frame"));
        }
        let mut decoded = Items::new(&bytes, self.head.record_size as usize, true);
        let mut items = Vec::new();
        loop {
            let translate =
                |records: &[u8], batch: &mut Batch| self.translation.apply(records, batch);
            match decoded.next(Batch::new, translate) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(items),
                Err(error) => return Err(damaged(&error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retrans_event::Record;

    use super::*;
    use crate::stream::moment::Mark;

    fn fragment(lost: u64) -> Vec<u8> {
        let mut batch = Batch::new();
        let mut record = Record::new();
        record.set_sequence(7);
        batch.push(record.as_bytes());
        let mark = Mark {
            time: Duration::from_secs(3),
            wall_time: Duration::from_secs(5),
            lost,
        };
        let mut writer = FragmentWriter::default();
        writer.item(&Item::Events(batch));
        writer.item(&Item::Mark(mark));
        let mut frames = FrameWriter::new().expect("there is memory");
        let fragment = writer.take(&mut frames).expect("it fits");
        assert_eq!(writer.len(), 0);
        fragment
    }

    fn reader() -> FragmentReader {
        FragmentReader::new(&head().expect("JSON")).expect("the own head")
    }

    #[test]
    fn what_is_written_is_read_by_itself() {
        let items = reader().read(&fragment(9)).expect("sound");
        let [Item::Events(batch), Item::Mark(mark)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!(batch.events().next().map(|event| event.sequence()), Some(7));
        assert_eq!((mark.lost, mark.time), (9, Duration::from_secs(3)));
    }

    #[test]
    fn any_damage_is_an_error_and_no_item() {
        let good = fragment(1);
        for cut in 0..good.len() {
            assert!(reader().read(&good[..cut]).is_err(), "{cut}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(reader().read(&bad).is_err(), "{at}");
        }
        assert!(reader().read(&[&good[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_head_that_cannot_be_is_refused() {
        assert!(matches!(
            FragmentReader::new(b"{}"),
            Err(FragmentError::Head(_))
        ));
        let mut head = Head::new(None, String::new());
        head.layout.retain(|field| field.name != "boot_time_ns");
        let head = serde_json::to_vec(&head).expect("JSON");
        assert!(matches!(
            FragmentReader::new(&head),
            Err(FragmentError::Layout(_))
        ));
    }
}
