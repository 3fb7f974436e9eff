//! A process's directory in /proc: behind an open one no other process can take the number over.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::openat;

/// Opens it, in the directory where the processes are.
pub fn directory(proc: &Path, pid: u32) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, proc.join(pid.to_string()), flags, Mode::empty())
}

/// When the process was started, in clock ticks since boot: the 22nd field of `stat`. The second, its
/// name, is in brackets and may hold anything.
pub fn started(directory: impl AsFd) -> Option<u64> {
    let stat = read_to_string(directory, "stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Reads a file. The kernel makes all of such a file at the first read.
pub fn read_to_string(directory: impl AsFd, path: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = File::from(openat(directory, path, flags, Mode::empty())?);
    let mut bytes = Vec::with_capacity(8192);
    file.read_to_end(&mut bytes)?;
    // A process's name need not be UTF-8.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
