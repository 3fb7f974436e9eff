//! Finds the inode of a network namespace by its file, by a process in it, or by its number.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::fstatfs;

/// The largest process number (PID_MAX_LIMIT). Inodes of namespaces are larger: the smallest are those of the
/// initial namespaces, such as 0xeffffff9.
const MAX_PID: u32 = 4 << 20;

/// The most network namespaces that the probe compares with, as in `bpf/filter.h`.
pub const MAX_NETNS: usize = 64;

/// Where `ip netns` keeps namespaces with a name.
const NAMED: &str = "/run/netns";

/// Magic number of the file system of namespaces (uapi/linux/magic.h).
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// The request for the kind of a namespace (uapi/linux/nsfs.h): `_IO(0xb7, 0x3)`.
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;

/// Why a network namespace was not found.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// No process has the number.
    #[error(
        "no process has this number; a larger one is the inode of a namespace (`lsns --type net` lists them)"
    )]
    NoProcess,
    /// The file cannot be opened.
    #[error("cannot open {0}: {1}")]
    Unreadable(String, io::Error),
    /// Another kind of file.
    #[error(
        "{0} is not a network namespace; name one of /run/netns, a file such as /proc/PID/ns/net, a \
         process, or an inode"
    )]
    NotANamespace(String),
    /// A name or a process in a replay.
    #[error(
        "a capture has inodes of network namespaces only, such as 4026531840; a file or a process may be of \
         another machine"
    )]
    NotAnInode,
}

/// Finds a namespace of this machine: by a file such as `/proc/7/ns/net`, by a name that `ip netns` gave, by the
/// number of a process in it, or by its inode.
pub fn find(text: &str) -> Result<u32, NetnsError> {
    match text.parse::<u32>() {
        Ok(inode) if inode > MAX_PID => Ok(inode),
        Ok(pid) => {
            let path = format!("/proc/{pid}/ns/net");
            inode(Path::new(&path)).map_err(|error| match error {
                NetnsError::Unreadable(_, error) if error.kind() == io::ErrorKind::NotFound => {
                    NetnsError::NoProcess
                }
                other => other,
            })
        }
        Err(_) if text.contains('/') => inode(Path::new(text)),
        Err(_) => inode(&Path::new(NAMED).join(text)),
    }
}

/// Parses an inode.
pub fn parse_inode(text: &str) -> Result<u32, NetnsError> {
    let number = text.parse().map_err(|_| NetnsError::NotAnInode)?;
    match number > MAX_PID {
        true => Ok(number),
        false => Err(NetnsError::NotAnInode),
    }
}

fn inode(path: &Path) -> Result<u32, NetnsError> {
    let name = || path.display().to_string();
    let read = || {
        let file = File::open(path)?;
        let is_namespace = fstatfs(&file)?.f_type == NSFS_MAGIC;
        // SAFETY: the descriptor is open, and the request has no argument.
        let kind =
            is_namespace.then(|| unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE as _) });
        Ok((kind, file.metadata()?.ino()))
    };
    let (kind, inode) = read().map_err(|error| NetnsError::Unreadable(name(), error))?;
    let inode = u32::try_from(inode).ok();
    inode
        .filter(|_| kind == Some(libc::CLONE_NEWNET))
        .ok_or_else(|| NetnsError::NotANamespace(name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> u32 {
        let metadata = std::fs::metadata("/proc/self/ns/net").expect("it exists");
        metadata.ino() as u32
    }

    #[test]
    fn a_namespace_is_found_by_file_by_process_and_by_inode() -> Result<(), NetnsError> {
        assert_eq!(find("/proc/self/ns/net")?, own());
        assert_eq!(find(&std::process::id().to_string())?, own());
        assert_eq!(find(&own().to_string())?, own());
        assert_eq!(parse_inode(&own().to_string())?, own());
        Ok(())
    }

    #[test]
    fn what_is_not_a_network_namespace_is_refused() {
        for (text, part) in [
            ("/proc/self/ns/user", "is not a network namespace"),
            ("/etc/passwd", "is not a network namespace"),
            ("/nowhere", "cannot open /nowhere"),
            ("no-such-name", "cannot open /run/netns/no-such-name"),
            ("4194304", "no process has this number"),
            ("0", "no process has this number"),
        ] {
            let error = find(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(matches!(parse_inode("7"), Err(NetnsError::NotAnInode)));
    }
}
