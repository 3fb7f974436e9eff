//! Memory that looks like a file and, once sealed, cannot be changed by any process.
//!
//! Code that is checked in there is the code that is run: no file of a user's is involved.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use rustix::fs::SealFlags;
use rustix::fs::fcntl_add_seals;
use rustix::fs::memfd_create;

/// Memory that is still written to.
pub(crate) fn memory() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(File::from(memfd_create("compiled", flags)?))
}

/// Memory that cannot be written to, cut off or lengthened any more.
#[derive(Debug)]
pub(crate) struct Sealed(File);

impl Sealed {
    /// Seals what is in there. Fails while it is mapped writable anywhere.
    pub(crate) fn new(memory: File) -> io::Result<Sealed> {
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&memory, seals)?;
        Ok(Sealed(memory))
    }

    /// The memory as a file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// A path to it, for this process and as long as this exists.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}
