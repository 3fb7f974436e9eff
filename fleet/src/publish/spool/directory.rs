//! The directory of a spool: which files are in it, and that one process alone uses it.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use crate::head::HeadDigest;

/// The file that is locked while a process uses the directory.
const LOCK: &str = "lock";

/// A directory of a spool. It is unlocked when this is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A child process that another thread has just forked has the file open until it executes its program: without
        // this, the directory would stay locked until then.
        let _ = self.lock.unlock();
    }
}

/// A spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has it.
    #[error("another process uses the spool {}: give each publisher a directory of its own", .0.display())]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use the spool {}: {cause}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl Directory {
    /// Opens the directory, and creates it if it is missing.
    pub(super) fn open(path: &Path) -> Result<Directory, SpoolError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| SpoolError::Io { path, cause }
        };
        let mut builder = DirBuilder::new();
        let created = builder.recursive(true).mode(0o700).create(path);
        created.map_err(failed(path))?;
        // It may be a relative one, and the process may change its directory.
        let path = path.canonicalize().map_err(failed(path))?;
        let lock_path = path.join(LOCK);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path, lock }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse(path)),
            Err(TryLockError::Error(cause)) => Err(failed(&lock_path)(cause)),
        }
    }

    /// The file of a segment.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:016x}.frames"))
    }

    /// The numbers of the segments that are there, in order, and the heads.
    pub(super) fn list(&self) -> Result<(Vec<u64>, Vec<HeadDigest>), SpoolError> {
        let failed = |cause| SpoolError::Io {
            path: self.path.clone(),
            cause,
        };
        let (mut segments, mut heads) = (Vec::new(), Vec::new());
        for file in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            match name.rsplit_once('.') {
                Some((number, "frames")) if number.len() == 16 => {
                    segments.extend(u64::from_str_radix(number, 16));
                }
                Some((digest, "head")) => heads.extend(digest.parse::<HeadDigest>()),
                _ => {}
            }
        }
        segments.sort_unstable();
        Ok((segments, heads))
    }

    /// Reads a segment.
    pub(super) fn read_segment(&self, number: u64) -> Result<Vec<u8>, SpoolError> {
        let path = self.segment(number);
        std::fs::read(&path).map_err(|cause| SpoolError::Io { path, cause })
    }

    /// Reads a head. `None` if it is damaged or missing.
    pub(super) fn read_head(&self, digest: HeadDigest) -> Option<Vec<u8>> {
        let head = std::fs::read(self.head(digest)).ok()?;
        (HeadDigest::of(&head) == digest).then_some(head)
    }

    /// Writes a head, unless it is there.
    pub(super) fn write_head(&self, digest: HeadDigest, head: &[u8]) -> Result<(), SpoolError> {
        if self.read_head(digest).is_some() {
            return Ok(());
        }
        let path = self.head(digest);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&path);
        let written = file.and_then(|mut file| file.write_all(head));
        written.map_err(|cause| SpoolError::Io { path, cause })
    }

    /// Removes a head that no frame needs any more.
    pub(super) fn remove_head(&self, digest: HeadDigest) {
        let _ = std::fs::remove_file(self.head(digest));
    }

    fn head(&self, digest: HeadDigest) -> PathBuf {
        self.path.join(format!("{digest}.head"))
    }
}
