//! Opens files below a directory, and no other ones.
//!
//! The kernel resolves each path, and refuses every path that leads out of the directory (`openat2` with
//! `RESOLVE_BENEATH`, since Linux 5.6). The host compares no strings, and a rename during the resolution has no effect
//! on safety. Only regular files and directories are opened.

use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Stat;
use rustix::fs::fstat;
use rustix::fs::openat2;
use rustix::io::Errno;
use rustix::path::Arg;

/// Maximum number of times that a path is resolved, if a rename interferes.
const MAX_TRIES: usize = 8;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Its target is opened.
    Yes,
    /// Opening it is an error, unless with O_PATH: then the link itself is opened.
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

/// Opens a descriptor with O_PATH: it gives the metadata of the file, and can be used for nothing else.
pub fn open_path(directory: &OwnedFd, path: &str, follow: Follow) -> Result<OwnedFd, Errno> {
    open_beneath(directory, path, OFlags::PATH | follow.flags())
}

/// Opens a file or a directory to read it.
pub fn open(
    directory: &OwnedFd,
    path: &str,
    follow: Follow,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    // The type is checked before the file is opened: opening alone would wake a process that waits to write to a
    // FIFO, and some devices.
    check_kind(&fstat(open_path(directory, path, follow)?)?)?;
    let flags = flags | follow.flags() | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = open_beneath(directory, path, OFlags::RDONLY | flags)?;
    // The path may lead to another file by now.
    check_kind(&fstat(&file)?)?;
    Ok(file)
}

/// Opens what is at a path below a directory.
pub fn open_beneath(
    directory: &OwnedFd,
    path: impl Arg + Copy,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    // Magic links are those in /proc, which can lead anywhere.
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut tries = MAX_TRIES;
    loop {
        match openat2(directory, path, flags, Mode::empty(), resolve) {
            // AGAIN: a rename interfered while `..` was resolved.
            Err(Errno::AGAIN | Errno::INTR) if tries > 1 => tries -= 1,
            // The path leads out of the directory.
            Err(Errno::XDEV) => return Err(Errno::PERM),
            result => return result,
        }
    }
}

/// Refuses everything except files and directories: opening a FIFO blocks, and opening a device can have any effect.
fn check_kind(stat: &Stat) -> Result<(), Errno> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(()),
        FileType::Symlink => Err(Errno::LOOP),
        _ => Err(Errno::PERM),
    }
}

/// Returns whether an open file is a regular one.
pub fn is_file(file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}
