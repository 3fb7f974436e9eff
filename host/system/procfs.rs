//! Reads the directory of a process in /proc. An open directory never refers to a later process with the same number.

use std::fs;
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

/// Maximum size in bytes of a file that is read. The kernel's files have some KiB, and paths in them have 4 KiB at
/// most.
const MAX_FILE_SIZE: u64 = 64 * 1_024;

/// Opens the directory of a process. `proc` is `/proc`, except in tests.
pub fn directory(proc: &Path, pid: u32) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, proc.join(pid.to_string()), flags, Mode::empty())
}

/// The start time of the process in clock ticks since boot: the 22nd field of `stat`. The second field, the name, is
/// in parentheses and may contain any character.
pub fn started(directory: impl AsFd) -> Option<u64> {
    let stat = read_to_string(directory, "stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The value of a key in `/proc/self/status`.
pub fn own_status(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Some(line?.strip_prefix(':')?.trim().to_owned())
}

/// A value of the kernel in `/proc/sys/kernel`, such as `hostname` or `osrelease`; `unknown` if it cannot be read.
pub fn of_kernel(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// Returns whether this signal is ignored. Before a handler is registered, this is so if the signal was ignored when
/// the process was started, as `nohup` does with SIGHUP, and a shell with SIGINT for background jobs.
pub fn ignores(signal: i32) -> bool {
    let ignored = own_status("SigIgn").and_then(|set| u64::from_str_radix(&set, 16).ok());
    ignored.is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

/// Reads a file of at most 64 KiB. The kernel generates the whole content of such a file at the first read.
pub fn read_to_string(directory: impl AsFd, path: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = File::from(openat(directory, path, flags, Mode::empty())?);
    let mut bytes = Vec::with_capacity(8192);
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // A process's name need not be UTF-8.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_not_read() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let open = File::open(directory.path())?;
        let longest = "a".repeat(MAX_FILE_SIZE as usize);
        fs::write(directory.path().join("cgroup"), &longest)?;
        assert_eq!(read_to_string(&open, "cgroup")?, longest);
        fs::write(directory.path().join("cgroup"), longest + "a")?;
        let error = read_to_string(&open, "cgroup").map_err(|error| error.kind());
        assert_eq!(error, Err(io::ErrorKind::FileTooLarge));
        Ok(())
    }
}
