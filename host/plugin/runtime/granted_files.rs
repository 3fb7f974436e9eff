//! The files below the granted directories, which a plugin can read while it is configured.
//!
//! All of them are closed once the plugin is configured, so that events never wait for a disk.
//!
//! The standard library of a plugin looks for the directory that has a path itself. So there is one more directory, `/`,
//! in which nothing is found: it only records which paths the plugin tried to open without a grant.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::fs::readlinkat;
use rustix::io::Errno;
use rustix::io::pread;
use rustix::io::retry_on_intr;

use super::beneath::Follow;
use super::beneath::is_file;
use super::beneath::open;
use super::beneath::open_beneath;
use super::beneath::open_path;
use super::files_read::FilesRead;
use super::files_read::GrantedPath;
use crate::plugin::spec::grants::GrantError;
use crate::system::sandbox;

/// Maximum number of open files, in addition to the granted directories. Many services are limited to 1,024.
const MAX_OPEN: usize = 128;

/// Maximum number of bytes of one read.
const MAX_READ: u64 = 64 << 10;

/// The directory of all paths that no grant covers.
const NOT_GRANTED: &str = "/";

/// The open files of a plugin, by the number of their handle. Numbers are never used twice, so that a handle of a
/// closed file is invalid.
#[derive(Debug)]
pub(crate) struct Files {
    /// Paths of the granted directories. The index of a path is the number of its handle; the number after the last one
    /// is that of [`NOT_GRANTED`].
    granted: Vec<String>,
    open: HashMap<u32, OpenFile>,
    next: u32,
    /// What was read since the granted directories were opened.
    read: FilesRead,
    /// Whether the granted directories are open.
    is_open: bool,
}

#[derive(Debug)]
enum OpenFile {
    /// A file or a directory.
    File {
        file: Arc<OwnedFd>,
        path: GrantedPath,
    },
    /// A file that is read sequentially.
    Stream { file: Arc<OwnedFd>, offset: u64 },
    /// The entries of a directory that were not read yet. Has a buffer of at most 32 KiB.
    Listing(Dir),
}

impl Files {
    pub(crate) fn new(granted: Vec<String>) -> Files {
        Files {
            next: granted.len() as u32 + 1,
            granted,
            open: HashMap::new(),
            read: FilesRead::default(),
            is_open: false,
        }
    }

    /// Opens the granted directories. Files below them can be opened from then on.
    pub(crate) fn open_granted(&mut self) -> Result<(), GrantError> {
        self.read = FilesRead::default();
        for (number, path) in (0..).zip(&self.granted) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = openat(CWD, path.as_str(), flags, Mode::empty());
            let directory = opened.map_err(|error| GrantError::Directory {
                path: path.clone(),
                error: sandbox::explained(Path::new(path), error.into()),
            })?;
            let opened = OpenFile::File {
                file: Arc::new(directory),
                path: GrantedPath {
                    granted: PathBuf::from(path),
                    rest: PathBuf::new(),
                },
            };
            self.open.insert(number, opened);
        }
        self.is_open = true;
        Ok(())
    }

    /// Closes all files and directories. Handles that the plugin still has become invalid.
    pub(crate) fn close_all(&mut self) {
        self.open = HashMap::new();
        self.is_open = false;
    }

    /// Returns what was read while the granted directories were open the last time.
    pub(crate) fn read_so_far(&self) -> &FilesRead {
        &self.read
    }

    /// Returns numbers and paths of the granted directories and of the one for all other paths, whether they are open or
    /// not. A standard library asks for them once, possibly before `configure`.
    pub(crate) fn preopens(&self) -> impl Iterator<Item = (u32, &str)> {
        // For a standard library, `.` is the same directory as `/`: it would look in one of them only.
        let is_root = |path: &String| path.bytes().all(|byte| matches!(byte, b'/' | b'.'));
        let others = match self.granted.iter().any(is_root) {
            true => None,
            false => Some((self.granted.len() as u32, NOT_GRANTED)),
        };
        let granted = (0..).zip(self.granted.iter().map(String::as_str));
        others.into_iter().chain(granted)
    }

    /// Closes the file of a handle that the plugin has dropped. Granted directories stay open, because the plugin can
    /// request handles of them again.
    pub(crate) fn drop_handle(&mut self, number: u32) {
        if number as usize > self.granted.len() {
            self.open.remove(&number);
        }
    }

    /// Opens a file or a directory below a directory. Returns the number of its handle.
    pub(crate) fn open_at(
        &mut self,
        directory: u32,
        path: &str,
        follow: Follow,
        flags: OFlags,
    ) -> Result<u32, Errno> {
        if self.is_not_granted(directory) {
            self.read.add_not_granted(path);
        }
        let (directory, above) = self.open_file(directory)?;
        let granted = above.join(path);
        let file = match open(directory, path, follow, flags) {
            Err(Errno::NOENT) => {
                self.read.add_missing(granted);
                return Err(Errno::NOENT);
            }
            opened => opened?,
        };
        if is_file(&file) {
            self.read.add(granted.clone(), &file);
        }
        self.add(OpenFile::File {
            file: Arc::new(file),
            path: granted,
        })
    }

    /// Returns the metadata of an open file or directory.
    pub(crate) fn stat(&self, file: u32) -> Result<Stat, Errno> {
        fstat(self.file(file)?)
    }

    /// Returns the type of a file. Preopened directories have theirs also before files can be opened: the adapter of WASI
    /// preview 1 asks for it when the runtime of Go starts, and ends the plugin where there is none.
    pub(crate) fn file_type(&self, file: u32) -> Result<FileType, Errno> {
        if self.preopens().any(|(number, _)| number == file) {
            return Ok(FileType::Directory);
        }
        Ok(FileType::from_raw_mode(self.stat(file)?.st_mode))
    }

    /// Returns the metadata of the file at a path, without opening it.
    pub(crate) fn stat_at(
        &self,
        directory: u32,
        path: &str,
        follow: Follow,
    ) -> Result<Stat, Errno> {
        fstat(open_path(self.file(directory)?, path, follow)?)
    }

    /// Returns the target of a symbolic link. An absolute target is an error.
    pub(crate) fn read_link(&self, directory: u32, path: &str) -> Result<String, Errno> {
        let link = open_path(self.file(directory)?, path, Follow::No)?;
        // An absolute path would reveal what is outside of the granted directory.
        match text(readlinkat(link, "", Vec::new())?.into_bytes())? {
            target if target.starts_with('/') => Err(Errno::PERM),
            target => Ok(target),
        }
    }

    /// Reads up to `length` bytes from `offset`. A short read does not mean the end of the file; an empty one does.
    pub(crate) fn read(&self, file: u32, length: u64, offset: u64) -> Result<Vec<u8>, Errno> {
        read(self.file(file)?, length, offset)
    }

    /// Opens a stream that reads a file sequentially from `offset`. Returns the number of its handle.
    pub(crate) fn stream(&mut self, file: u32, offset: u64) -> Result<u32, Errno> {
        let file = Arc::clone(self.file(file)?);
        self.add(OpenFile::Stream { file, offset })
    }

    /// Reads up to `length` bytes from a stream, and advances it.
    pub(crate) fn read_stream(&mut self, stream: u32, length: u64) -> Result<Vec<u8>, Errno> {
        let Some(OpenFile::Stream { file, offset }) = self.open.get_mut(&stream) else {
            return Err(Errno::PERM);
        };
        let bytes = read(file, length, *offset)?;
        *offset = offset.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    /// Opens a listing of a directory. Returns the number of its handle.
    pub(crate) fn list(&mut self, directory: u32) -> Result<u32, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let (directory, path) = self.open_file(directory)?;
        let (directory, path) = (open_beneath(directory, ".", flags)?, path.clone());
        self.read.add(path, &directory);
        self.add(OpenFile::Listing(Dir::new(directory)?))
    }

    /// Returns the next entry of a listing, or `None` at its end.
    pub(crate) fn next_entry(&mut self, list: u32) -> Result<Option<(FileType, String)>, Errno> {
        let Some(OpenFile::Listing(entries)) = self.open.get_mut(&list) else {
            return Err(Errno::PERM);
        };
        let real = |name: &[u8]| name != b"." && name != b"..";
        let entry = entries.find(|entry| {
            entry
                .as_ref()
                .map_or(true, |entry| real(entry.file_name().to_bytes()))
        });
        let Some(entry) = entry.transpose()? else {
            return Ok(None);
        };
        let name = text(entry.file_name().to_bytes().to_vec())?;
        Ok(Some((entry.file_type(), name)))
    }

    /// Returns the open file or directory of a handle. After [`Files::close_all`] every handle is an error.
    fn file(&self, number: u32) -> Result<&Arc<OwnedFd>, Errno> {
        self.open_file(number).map(|(file, _)| file)
    }

    /// The same, with its path.
    fn open_file(&self, number: u32) -> Result<(&Arc<OwnedFd>, &GrantedPath), Errno> {
        match self.open.get(&number) {
            Some(OpenFile::File { file, path }) => Ok((file, path)),
            _ if self.is_not_granted(number) => Err(Errno::NOENT),
            _ => Err(Errno::PERM),
        }
    }

    /// Returns whether this is the handle of [`NOT_GRANTED`], while files can be opened.
    fn is_not_granted(&self, number: u32) -> bool {
        self.is_open && number as usize == self.granted.len()
    }

    fn add(&mut self, open: OpenFile) -> Result<u32, Errno> {
        let number = self.next;
        let next = number.checked_add(1).ok_or(Errno::DQUOT)?;
        if self.open.len() >= self.granted.len() + MAX_OPEN {
            return Err(Errno::DQUOT);
        }
        self.open.insert(number, open);
        self.next = next;
        Ok(number)
    }
}

fn read(file: &OwnedFd, length: u64, offset: u64) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; length.min(MAX_READ) as usize];
    let read = retry_on_intr(|| pread(file, &mut bytes, offset))?;
    bytes.truncate(read);
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, Errno> {
    String::from_utf8(bytes).map_err(|_| Errno::ILSEQ)
}

#[cfg(test)]
mod tests;
