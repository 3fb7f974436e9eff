//! Writes a capture.

use std::io;
use std::io::Write;

use super::MAGIC;
use super::frame::FrameKind;
use super::frame::FrameWriter;
use super::head::Head;
use super::items;
use super::target::Target;
use crate::stream::batch::Item;

/// Items are collected up to here, then compressed together: more compress no better.
const FRAME: usize = 256 * 1024;

/// Writes items into a file of their own.
pub struct Writer<W> {
    to: W,
    frames: FrameWriter,
    items: Vec<u8>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    pub fn new(mut to: W, head: &Head) -> io::Result<Writer<W>> {
        let mut frames = FrameWriter::new()?;
        let head = serde_json::to_vec(head).map_err(io::Error::other)?;
        to.write_all(&MAGIC)?;
        let written = MAGIC.len() as u64 + frames.write(&mut to, FrameKind::Head, &head)?;
        to.flush()?;
        Ok(Writer {
            to,
            frames,
            items: Vec::with_capacity(FRAME + FRAME / 2),
            written,
        })
    }

    /// Bytes in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds an item. It may stay in memory until the frame is full, or [`Writer::flush`] is called.
    pub fn item(&mut self, item: &Item) -> io::Result<()> {
        items::encode(item, &mut self.items);
        if self.items.len() >= FRAME {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes everything through.
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

    /// Is nothing left in memory?
    pub fn is_flushed(&self) -> bool {
        self.items.is_empty()
    }

    /// Ends the capture: what has no end was cut off. Nothing may be written behind it.
    pub fn finish(&mut self) -> io::Result<u64> {
        self.flush()?;
        self.written += self.frames.write(&mut self.to, FrameKind::End, &[])?;
        self.to.flush()?;
        Ok(self.written)
    }
}

impl Writer<Target> {
    /// After an error: takes back the part of a frame that was written. Items in memory stay there.
    pub fn cut_back(&mut self) -> io::Result<()> {
        self.to.cut_back(self.written)
    }

    /// Forgets the items that are in memory only.
    pub fn forget_items(&mut self) {
        self.items.clear();
    }

    /// Has the file no name any more?
    pub fn is_deleted(&self) -> bool {
        self.to.is_deleted()
    }
}
