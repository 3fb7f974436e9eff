//! Reads a capture.

use std::io;
use std::io::Read;

use super::MAGIC;
use super::frame::FrameError;
use super::frame::FrameKind;
use super::frame::FrameReader;
use super::head::Head;
use super::items::Items;
use super::translate::LayoutError;
use super::translate::Translation;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Not a capture at all.
    #[error("it is no capture: {0}")]
    NotACapture(&'static str),
    /// A layout that cannot be.
    #[error("its layout makes no sense: {0}")]
    Layout(LayoutError),
    /// Cut off: what was before is good.
    #[error("it was cut off at byte {offset}; everything before that is good")]
    Cut {
        /// Where the last whole frame ends.
        offset: u64,
    },
    /// Bytes were changed.
    #[error("it is damaged at byte {offset}: {what}")]
    Damaged {
        /// Where the bad frame begins.
        offset: u64,
        /// What does not fit.
        what: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Without a head nothing is known of what follows.
const NO_HEAD: CaptureError = CaptureError::NotACapture("it was cut off before its first event");

/// Reads the items of a capture, in order.
pub struct Reader<R> {
    frames: FrameReader<R>,
    head: Head,
    translation: Translation,
    /// The frame that is being read, and how much of it was.
    bytes: Vec<u8>,
    read: usize,
    /// Where that frame begins in the file.
    offset: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    pub fn new(mut from: R) -> Result<Reader<R>, CaptureError> {
        let mut magic = Vec::new();
        from.by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        if magic.is_empty() {
            return Err(CaptureError::NotACapture("it is empty"));
        }
        if magic.len() < MAGIC.len() && MAGIC.starts_with(&magic) {
            return Err(NO_HEAD);
        }
        if magic != MAGIC {
            return Err(CaptureError::NotACapture(
                "it does not begin as captures of this version do",
            ));
        }
        let mut frames = FrameReader::new(from, MAGIC.len() as u64)?;
        let mut bytes = Vec::new();
        let offset = frames.offset();
        match frames.read(&mut bytes) {
            Ok(Some(FrameKind::Head)) => {}
            Ok(Some(_)) => return Err(damaged(offset, "the head is missing")),
            Ok(None) | Err(FrameError::Cut) => return Err(NO_HEAD),
            Err(error) => return Err(explain(error, offset)),
        }
        let head: Head = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(offset, format_args!("the head: {error}")))?;
        let translation = Translation::new(&head).map_err(CaptureError::Layout)?;
        Ok(Reader {
            frames,
            head,
            translation,
            bytes: Vec::new(),
            read: 0,
            offset,
            ended: false,
        })
    }

    /// Who recorded it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next item; `None` at the end. After an error there are no more. `empty` makes the batch
    /// that events are put into.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, CaptureError> {
        while self.read == self.bytes.len() {
            if self.ended || !self.frame()? {
                return Ok(None);
            }
        }
        let mut items = Items::new(&self.bytes[self.read..], self.head.record_size as usize);
        let translation = &self.translation;
        let item = items.next(empty, |records, batch| translation.apply(records, batch));
        self.read = self.bytes.len() - items.rest().len();
        item.map_err(|what| {
            self.ended = true;
            self.read = self.bytes.len();
            damaged(self.offset, what)
        })
    }

    /// Reads the next frame; false at the end.
    fn frame(&mut self) -> Result<bool, CaptureError> {
        self.offset = self.frames.offset();
        self.bytes.clear();
        self.read = 0;
        let kind = self.frames.read(&mut self.bytes).map_err(|error| {
            self.ended = true;
            self.bytes.clear();
            explain(error, self.offset)
        })?;
        match kind {
            Some(FrameKind::Items) => return Ok(true),
            Some(FrameKind::End) => {
                self.ended = true;
                self.bytes.clear();
                if !self.frames.is_at_end()? {
                    return Err(damaged(
                        self.frames.offset(),
                        "there is more behind its end",
                    ));
                }
            }
            Some(FrameKind::Head) => {
                self.ended = true;
                self.bytes.clear();
                return Err(damaged(self.offset, "a second head"));
            }
            None => {
                self.ended = true;
                return Err(CaptureError::Cut {
                    offset: self.offset,
                });
            }
        }
        Ok(false)
    }
}

fn damaged(offset: u64, what: impl ToString) -> CaptureError {
    CaptureError::Damaged {
        offset,
        what: what.to_string(),
    }
}

fn explain(error: FrameError, offset: u64) -> CaptureError {
    match error {
        FrameError::Cut => CaptureError::Cut { offset },
        FrameError::Damaged(what) => damaged(offset, what),
        FrameError::Io(error) => CaptureError::Io(error),
    }
}
