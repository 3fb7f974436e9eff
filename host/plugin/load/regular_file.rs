//! Opens regular files and nothing else.
//!
//! Opening a pipe releases its writer, and opening a device may start it. So the type of the file is read from an
//! `O_PATH` descriptor, which opens nothing. That very file is then opened through /proc.

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

/// Why a file was not opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It is a pipe, a socket or a device. It was not opened.
    NotRegular,
    /// Error of the system.
    Io(io::Error),
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> OpenError {
        OpenError::Io(error.into())
    }
}

/// Opens a regular file for reading, and follows links. For a directory the error is `EISDIR`.
pub(crate) fn open(path: &Path) -> Result<File, OpenError> {
    let handle = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&handle)?.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::ISDIR.into()),
        _ => return Err(OpenError::NotRegular),
    }
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Without NONBLOCK, a lease on the file (fcntl F_SETLEASE) would block this call for 45 s.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match openat(CWD, &path, flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        // The file exists, because it is open as `handle`. So /proc is not mounted.
        Err(Errno::NOENT) => Err(OpenError::Io(io::Error::other(format!(
            "it cannot be opened through {path}; mount -t proc proc /proc"
        )))),
        Err(error) => Err(error.into()),
    }
}
