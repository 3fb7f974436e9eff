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
pub(super) struct SegmentFile(File);

impl SegmentFile {
    /// Creates a file without entries, which only this user may read.
    pub(super) fn create(path: &Path) -> io::Result<SegmentFile> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = options.open(path)?;
        if let Err(error) = file.write_all_at(&entry::MAGIC, 0) {
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(SegmentFile(file))
    }

    /// Writes an entry at the end, which is at this offset. A part that was written before an error is removed.
    pub(super) fn append(&self, bytes: &[u8], end: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, end).inspect_err(|_| {
            // If this fails as well, the next entry is written over the part.
            let _ = self.0.set_len(end);
        })
    }

    /// Removes all entries.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.0.set_len(entry::MAGIC.len() as u64)
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
