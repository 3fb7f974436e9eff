//! A file of the spool.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::entry;

/// A file of the spool that is written.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    length: u64,
}

impl SegmentFile {
    /// Creates a file, which only this user may read.
    pub(super) fn create(path: &Path) -> io::Result<SegmentFile> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        if let Err(error) = file.write_all_at(&entry::MAGIC, 0) {
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(SegmentFile {
            file,
            length: entry::MAGIC.len() as u64,
        })
    }

    /// Appends an entry. Returns where it is. A part that was written before an error is removed.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<Range<u64>> {
        let range = self.length..self.length + bytes.len() as u64;
        if let Err(error) = self.file.write_all_at(bytes, range.start) {
            // If this fails as well, the next entry is written over the part.
            let _ = self.file.set_len(range.start);
            return Err(error);
        }
        self.length = range.end;
        Ok(range)
    }

    /// Removes all entries.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let length = entry::MAGIC.len() as u64;
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }
}

/// The content of a frame.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Memory(Bytes),
    /// In this file, where the entry is.
    File(Arc<PathBuf>, Range<u64>),
}

impl Content {
    /// Reads the frame.
    pub(super) fn read(&self) -> io::Result<Bytes> {
        let (path, range) = match self {
            Content::Memory(bytes) => return Ok(bytes.clone()),
            Content::File(path, range) => (path, range),
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong");
        let size = usize::try_from(range.end - range.start).map_err(|_| damaged())?;
        let mut bytes = vec![0; size];
        File::open(path.as_path())?.read_exact_at(&mut bytes, range.start)?;
        let frame = match entry::decode(&bytes) {
            Some((_, frame, _)) => frame.len(),
            None => return Err(damaged()),
        };
        Ok(Bytes::from(bytes).slice(size - frame..))
    }
}
