//! Reads a capture.

use std::io;
use std::io::Read;

use super::CENSUS_VERSION;
use super::FIRST_VERSION;
use super::MAGIC;
use super::MAGIC_SIZE;
use super::frame::FrameError;
use super::frame::FrameKind;
use super::frame::FrameReader;
use super::head::Head;
use super::items::Items;
use super::layout::LayoutError;
use super::translate::Translation;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Why a capture cannot be read, or cannot be read to its end. Offsets count bytes from the start of the file.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file is not a capture.
    #[error("not a capture: {0}")]
    NotACapture(&'static str),
    /// A later version of the format.
    #[error(
        "it has version {0} of the format, and this program reads versions up to {CENSUS_VERSION}; use a newer one"
    )]
    Version(u8),
    /// The head describes a layout that no record can have.
    #[error("its layout is invalid: {0}")]
    Layout(LayoutError),
    /// The file was cut off. Everything before the cut is valid and was read.
    #[error("it was cut off at byte {offset}; everything before that is good")]
    Cut {
        /// End of the last whole frame.
        offset: u64,
    },
    /// The contents of a frame are not as they were written.
    #[error("it is damaged at byte {offset}: {what}")]
    Damaged {
        /// Start of the damaged frame.
        offset: u64,
        /// The part that is invalid.
        what: String,
    },
    /// An I/O error of the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Without a head, the records that follow cannot be interpreted.
const NO_HEAD: CaptureError =
    CaptureError::NotACapture("the file was cut off before its first event");

/// Reads the items of a capture, in order.
pub struct Reader<R> {
    frames: FrameReader<R>,
    head: Head,
    translation: Translation,
    /// The decompressed content of the current frame.
    bytes: Vec<u8>,
    /// How many of these bytes were read.
    read: usize,
    /// Start of the current frame in the file.
    offset: u64,
    /// Whether the end frame or an error was reached.
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the magic bytes and the head.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NotACapture`] if the file is empty, does not begin with [`MAGIC`], or ends within the
    /// head; [`CaptureError::Damaged`] or [`CaptureError::Layout`] if the head is invalid.
    pub fn new(mut from: R) -> Result<Reader<R>, CaptureError> {
        let mut magic = Vec::new();
        from.by_ref()
            .take(MAGIC_SIZE as u64)
            .read_to_end(&mut magic)?;
        if magic.is_empty() {
            return Err(CaptureError::NotACapture("the file is empty"));
        }
        if magic.len() < MAGIC_SIZE && MAGIC.starts_with(&magic[..magic.len().min(MAGIC.len())]) {
            return Err(NO_HEAD);
        }
        let version = match magic.strip_prefix(&MAGIC) {
            Some(&[version @ FIRST_VERSION..=CENSUS_VERSION]) => version,
            Some(&[version]) => return Err(CaptureError::Version(version)),
            _ => {
                return Err(CaptureError::NotACapture(
                    "it does not begin with the magic bytes of a capture",
                ));
            }
        };
        let mut frames = FrameReader::new(from, MAGIC_SIZE as u64)?;
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
        let head = Head {
            has_census: version >= CENSUS_VERSION,
            ..head
        };
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

    /// The head: the recording host and the layout of the records.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Reads the next item; `None` at the end of the capture. `empty` provides an empty batch for events.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Cut`] if the file ends without an end frame, [`CaptureError::Damaged`] if a frame or
    /// an item is invalid. After an error every further call returns `None`.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, CaptureError> {
        while self.read == self.bytes.len() {
            if self.ended || !self.frame()? {
                return Ok(None);
            }
        }
        let mut items = Items::new(
            &self.bytes[self.read..],
            self.head.record_size as usize,
            self.head.has_census,
        );
        let translation = &self.translation;
        let item = items.next(empty, |records, batch| translation.apply(records, batch));
        self.read = self.bytes.len() - items.rest().len();
        item.map_err(|what| {
            self.ended = true;
            self.read = self.bytes.len();
            damaged(self.offset, what)
        })
    }

    /// Reads the next frame into `bytes`. Returns false at the end frame.
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
                        "there is data after its end frame",
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
