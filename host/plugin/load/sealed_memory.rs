//! Memory with a file descriptor (`memfd_create`) that no process can change once it is sealed.
//!
//! The code that was checked in it is the code that runs, because no file of a user backs it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use rustix::fs::SealFlags;
use rustix::fs::fcntl_add_seals;
use rustix::fs::memfd_create;

/// Creates memory that can be written to, and sealed later.
pub(crate) fn create() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(File::from(memfd_create("compiled", flags)?))
}

/// Memory that can no longer be written to, truncated or extended.
#[derive(Debug)]
pub(crate) struct Sealed(File);

impl Sealed {
    /// Seals the memory. Returns an error while a writable mapping of it exists.
    pub(crate) fn new(memory: File) -> io::Result<Sealed> {
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&memory, seals)?;
        Ok(Sealed(memory))
    }

    /// Returns the memory as a file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Returns a path to the memory. It is valid in this process, for as long as this value exists.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}
