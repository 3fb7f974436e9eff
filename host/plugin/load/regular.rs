//! Opens regular files and nothing else.
//!
//! To open a pipe releases its writer, and to open a device may start it. So the file's type is read
//! from an `O_PATH` descriptor, which opens nothing, and that very file is then opened through /proc.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::io::Errno;

/// Why there is no open file.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// A pipe, a socket, a device: it was not opened.
    NotRegular,
    /// The system refused.
    Io(io::Error),
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> OpenError {
        OpenError::Io(error.into())
    }
}

/// Opens a regular file for reading, through links. A directory is `EISDIR`.
pub(crate) fn open(path: &Path) -> Result<File, OpenError> {
    let handle = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&handle)?.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::ISDIR.into()),
        _ => return Err(OpenError::NotRegular),
    }
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Without NONBLOCK, a lease on the file (fcntl F_SETLEASE) would hold this up for 45 s.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match openat(CWD, &through, flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        // The file is open as `handle`: what does not exist is /proc.
        Err(Errno::NOENT) => Err(OpenError::Io(io::Error::other(format!(
            "it cannot be opened through {through}; mount -t proc proc /proc"
        )))),
        Err(error) => Err(error.into()),
    }
}
