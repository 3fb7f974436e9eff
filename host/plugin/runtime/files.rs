//! The files that a plugin reads while it is configured: those beneath the granted directories.
//!
//! The kernel resolves each path, and refuses whatever leads out of the directory (`openat2` with
//! `RESOLVE_BENEATH`, since Linux 5.6): the host compares no strings, and no rename in the middle
//! makes a difference. Only regular files and directories are opened. Once the plugin is configured
//! nothing stays open, so that events never wait for a disk.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Stat;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::fs::openat2;
use rustix::fs::readlinkat;
use rustix::io::Errno;
use rustix::io::pread;
use rustix::io::retry_on_intr;

use crate::plugin::spec::grants::GrantError;

/// The most that is open at a time: many services may have no more than 1,024 files.
const MAX_OPEN: usize = 128;

/// The most bytes read at once.
const MAX_READ: u64 = 64 << 10;

/// How often a path is resolved anew because something was renamed meanwhile.
const MAX_TRIES: usize = 8;

/// What is open for a plugin, by the number that its handle stands for. No number stands for two
/// things: a handle that was kept for too long finds nothing.
#[derive(Debug)]
pub(crate) struct Files {
    /// Paths of the granted directories. Each has its place here as its number, always.
    granted: Vec<String>,
    open: HashMap<u32, Open>,
    next: u32,
}

#[derive(Debug)]
enum Open {
    /// A file or a directory.
    File(Arc<OwnedFd>),
    /// A file that is read from its front to its end.
    Stream { file: Arc<OwnedFd>, offset: u64 },
    /// The entries of a directory. A buffer of at most 32 KiB.
    Listing(Dir),
}

impl Files {
    pub(crate) fn new(granted: Vec<String>) -> Files {
        Files {
            next: granted.len() as u32,
            granted,
            open: HashMap::new(),
        }
    }

    /// Opens the granted directories: files can be read from here on.
    pub(crate) fn open(&mut self) -> Result<(), GrantError> {
        for (number, path) in (0..).zip(&self.granted) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = openat(CWD, path.as_str(), flags, Mode::empty());
            let directory = opened.map_err(|error| GrantError::Directory {
                path: path.clone(),
                error: error.into(),
            })?;
            self.open.insert(number, Open::File(Arc::new(directory)));
        }
        Ok(())
    }

    /// Closes all there is. The plugin may still have handles, which are good for nothing.
    pub(crate) fn close(&mut self) {
        self.open = HashMap::new();
    }

    /// Numbers and paths of the granted directories, whether they are open or not: a standard library
    /// asks once, and it may do so early.
    pub(crate) fn granted(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).zip(self.granted.iter().map(String::as_str))
    }

    /// A handle is gone. Those of granted directories are given out as often as the plugin asks.
    pub(crate) fn forget(&mut self, number: u32) {
        if number as usize >= self.granted.len() {
            self.open.remove(&number);
        }
    }

    /// Opens a file or a directory.
    pub(crate) fn open_at(
        &mut self,
        directory: u32,
        path: &str,
        follow: Follow,
        flags: OFlags,
    ) -> Result<u32, Errno> {
        let directory = self.file(directory)?;
        // Looked at before it is opened: that alone would wake who writes to a FIFO, and some devices.
        check_kind(&fstat(look(directory, path, follow)?)?)?;
        let flags = flags | follow.flags() | OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = beneath(directory, path, OFlags::RDONLY | flags)?;
        // It may be another one by now.
        check_kind(&fstat(&file)?)?;
        self.add(Open::File(Arc::new(file)))
    }

    /// Metadata of what is open.
    pub(crate) fn stat(&self, file: u32) -> Result<Stat, Errno> {
        fstat(self.file(file)?)
    }

    /// Metadata of anything, without opening it.
    pub(crate) fn stat_at(
        &self,
        directory: u32,
        path: &str,
        follow: Follow,
    ) -> Result<Stat, Errno> {
        fstat(look(self.file(directory)?, path, follow)?)
    }

    /// Where a symbolic link leads, unless that is an absolute path.
    pub(crate) fn read_link(&self, directory: u32, path: &str) -> Result<String, Errno> {
        let link = look(self.file(directory)?, path, Follow::No)?;
        // A plugin learns nothing of what is elsewhere.
        match text(readlinkat(link, "", Vec::new())?.into_bytes())? {
            target if target.starts_with('/') => Err(Errno::PERM),
            target => Ok(target),
        }
    }

    /// Reads from this offset. Fewer bytes than asked for are no sign of the end, none are.
    pub(crate) fn read(&self, file: u32, length: u64, offset: u64) -> Result<Vec<u8>, Errno> {
        read(self.file(file)?, length, offset)
    }

    /// Begins to read a file from this offset on.
    pub(crate) fn stream(&mut self, file: u32, offset: u64) -> Result<u32, Errno> {
        let file = Arc::clone(self.file(file)?);
        self.add(Open::Stream { file, offset })
    }

    /// Reads on.
    pub(crate) fn read_on(&mut self, stream: u32, length: u64) -> Result<Vec<u8>, Errno> {
        let Some(Open::Stream { file, offset }) = self.open.get_mut(&stream) else {
            return Err(Errno::PERM);
        };
        let bytes = read(file, length, *offset)?;
        *offset = offset.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    /// Begins to list a directory.
    pub(crate) fn list(&mut self, directory: u32) -> Result<u32, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = beneath(self.file(directory)?, ".", flags)?;
        self.add(Open::Listing(Dir::new(directory)?))
    }

    /// The next entry of a directory.
    pub(crate) fn next_entry(&mut self, list: u32) -> Result<Option<(FileType, String)>, Errno> {
        let Some(Open::Listing(entries)) = self.open.get_mut(&list) else {
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

    /// What a handle stands for, as long as files may be read.
    fn file(&self, number: u32) -> Result<&Arc<OwnedFd>, Errno> {
        match self.open.get(&number) {
            Some(Open::File(file)) => Ok(file),
            _ => Err(Errno::PERM),
        }
    }

    fn add(&mut self, open: Open) -> Result<u32, Errno> {
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

/// What becomes of a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

impl Follow {
    fn flags(self) -> OFlags {
        match self {
            Follow::Yes => OFlags::empty(),
            Follow::No => OFlags::NOFOLLOW,
        }
    }
}

/// A descriptor that says what is there, and can be used for nothing else.
fn look(directory: &OwnedFd, path: &str, follow: Follow) -> Result<OwnedFd, Errno> {
    beneath(directory, path, OFlags::PATH | follow.flags())
}

fn beneath(directory: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    // Magic links are those in /proc, which lead anywhere.
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut tries = MAX_TRIES;
    loop {
        match openat2(directory, path, flags, Mode::empty(), resolve) {
            // Something was renamed while `..` was resolved.
            Err(Errno::AGAIN | Errno::INTR) if tries > 1 => tries -= 1,
            // It leads out of the directory.
            Err(Errno::XDEV) => return Err(Errno::PERM),
            result => return result,
        }
    }
}

/// Nothing but a file or a directory: a FIFO makes its reader wait, a device does whatever it does.
fn check_kind(stat: &Stat) -> Result<(), Errno> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(()),
        FileType::Symlink => Err(Errno::LOOP),
        _ => Err(Errno::PERM),
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
