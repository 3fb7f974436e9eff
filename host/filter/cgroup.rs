//! Finds a control group by its directory.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fstatfs;
use rustix::fs::openat;

/// Where version 2 of control groups is mounted: alone, and beside version 1.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The most control groups that the probe compares with, as in `bpf/filter.h`.
pub const MAX_CGROUPS: usize = 16;

/// Magic number of version 2 of control groups (uapi/linux/magic.h).
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// The number of the root group, on every machine.
const ROOT_ID: u64 = 1;

/// The deepest group that is looked for: no machine has groups as deep as this.
const MAX_LEVEL: u64 = 256;

/// A control group of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Its number: the inode of its directory, and `socket.cgroup_id` of events.
    pub id: u64,
    /// Its depth below the root group.
    pub level: u64,
    /// Its directory, as the user wrote it.
    pub name: String,
}

/// Why a control group was not found.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The directory cannot be opened.
    #[error("cannot open {0}: {1}")]
    Unreadable(String, io::Error),
    /// A file, or a directory of another file system, such as version 1 of control groups.
    #[error(
        "{0} is not a control group of version 2; name a directory below {root}, such as system.slice",
        root = ROOTS[0]
    )]
    NotACgroup(String),
    /// The directory of the root group cannot be reached from this one.
    #[error(
        "the depth of {0} is unknown, because this process sees a part of the control groups only; run it outside of \
         the cgroup namespace (docker run --cgroupns=host)"
    )]
    NoRoot(String),
}

/// Finds a control group by its directory. A relative path is below the root group.
pub fn find(text: &str) -> Result<Cgroup, CgroupError> {
    let is_root = |root: &&&str| File::open(root).is_ok_and(is_cgroup);
    let root = ROOTS.iter().find(is_root).unwrap_or(&ROOTS[0]);
    let path = Path::new(root).join(text);
    let name = || path.display().to_string();
    let unreadable = |error| CgroupError::Unreadable(name(), error);
    let directory = File::open(&path).map_err(unreadable)?;
    if !is_cgroup(&directory) {
        return Err(CgroupError::NotACgroup(name()));
    }
    let id = directory.metadata().map_err(unreadable)?.ino();
    let mut level = 0;
    let (mut current, mut current_id) = (directory, id);
    while current_id != ROOT_ID {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = openat(&current, "..", flags, Mode::empty());
        let parent = File::from(parent.map_err(|error| unreadable(error.into()))?);
        level += 1;
        if !is_cgroup(&parent) || level > MAX_LEVEL {
            return Err(CgroupError::NoRoot(name()));
        }
        current_id = parent.metadata().map_err(unreadable)?.ino();
        current = parent;
    }
    Ok(Cgroup {
        id,
        level,
        name: text.to_owned(),
    })
}

fn is_cgroup(directory: impl AsFd) -> bool {
    let kind = fstatfs(directory).map(|system| system.f_type);
    kind == Ok(CGROUP2_MAGIC)
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_control_group_is_refused() {
        for (text, part) in [
            ("/", "/ is not a control group"),
            ("/etc/passwd", "is not a control group"),
            ("/nowhere", "cannot open /nowhere"),
            ("no-such-group", "/no-such-group: No such file"),
        ] {
            let error = find(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_root_group_is_at_level_0() {
        // Other machines have version 1, or see a part of the groups only.
        if let Ok(root) = find("") {
            assert_eq!((root.id, root.level), (ROOT_ID, 0));
        }
    }
}
