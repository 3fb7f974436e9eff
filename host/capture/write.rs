//! Writes a capture.

use std::io;
use std::io::Write;

use super::CENSUS_VERSION;
use super::FIRST_VERSION;
use super::MAGIC;
use super::MAGIC_SIZE;
use super::frame::FrameKind;
use super::frame::FrameWriter;
use super::head::Head;
use super::items;
use super::output::CaptureOutput;
use crate::stream::batch::Item;

/// Bytes of items that are collected and compressed together as one frame. Larger frames compress no better.
const FRAME_SIZE: usize = 256 * 1024;

/// Writes a capture.
pub struct Writer<W> {
    to: W,
    frames: FrameWriter,
    /// Encoded items that are not written yet.
    items: Vec<u8>,
    /// Bytes of whole frames that were written, including the magic bytes.
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a capture: writes the magic bytes and the head.
    pub fn new(mut to: W, head: &Head) -> io::Result<Writer<W>> {
        let mut frames = FrameWriter::new()?;
        let version = match head.has_census {
            true => CENSUS_VERSION,
            false => FIRST_VERSION,
        };
        let head = serde_json::to_vec(head).map_err(io::Error::other)?;
        to.write_all(&MAGIC)?;
        to.write_all(&[version])?;
        let written = MAGIC_SIZE as u64 + frames.write(&mut to, FrameKind::Head, &head)?;
        to.flush()?;
        Ok(Writer {
            to,
            frames,
            items: Vec::with_capacity(FRAME_SIZE + FRAME_SIZE / 2),
            written,
        })
    }

    /// Bytes that were written to the output. Items in memory are not included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds an item. It stays in memory until the frame is full or [`Writer::flush`] is called.
    pub fn item(&mut self, item: &Item) -> io::Result<()> {
        items::encode(item, &mut self.items);
        if self.items.len() >= FRAME_SIZE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the items that are in memory as a frame, and flushes the output.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.items.is_empty() {
            return Ok(());
        }
        self.written += self
            .frames
            .write(&mut self.to, FrameKind::Items, &self.items)?;
        self.items.clear();
        self.to.flush()
    }

    /// Returns whether all items were written.
    pub fn is_flushed(&self) -> bool {
        self.items.is_empty()
    }

    /// Writes the items that are in memory and the end frame. A capture without an end frame counts as cut
    /// off. Nothing may be written after it. Returns the size of the capture in bytes.
    pub fn finish(&mut self) -> io::Result<u64> {
        self.flush()?;
        self.written += self.frames.write(&mut self.to, FrameKind::End, &[])?;
        self.to.flush()?;
        Ok(self.written)
    }
}

impl Writer<CaptureOutput> {
    /// Removes the part of a frame that a failed write has left in the file. Items in memory are kept.
    ///
    /// # Errors
    ///
    /// `Unsupported` for standard output, from which nothing can be taken back.
    pub fn cut_back(&mut self) -> io::Result<()> {
        self.to.cut_back(self.written)
    }

    /// Discards the items that are in memory.
    pub fn discard_items(&mut self) {
        self.items.clear();
    }

    /// Returns whether the file has no name any more, because it was deleted or replaced.
    pub fn is_deleted(&self) -> bool {
        self.to.is_deleted()
    }
}
