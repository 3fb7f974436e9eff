//! Mounts of file systems that may not answer: opening a file there can block for as long as a server is down.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::path::PathBuf;

/// File systems of a network, and automounters. Those in user space have names that begin with `fuse`.
const MAY_NOT_ANSWER: [&str; 12] = [
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "gfs2", "lustre", "nfs", "nfs4", "ocfs2",
    "smb3",
];

/// The mounts that this process sees.
pub(super) struct Mounts(Vec<Mount>);

struct Mount {
    point: PathBuf,
    may_not_answer: bool,
}

impl Mounts {
    /// Those of now. None if the kernel does not tell.
    pub(super) fn read() -> Mounts {
        Mounts::parse(&fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    /// Reads lines as in `/proc/self/mountinfo` (proc(5)). Lines that it does not understand are ignored.
    fn parse(lines: &[u8]) -> Mounts {
        let mounts = lines.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut words = line.split(|byte| *byte == b' ');
            let point = words.nth(4)?;
            words.find(|word| *word == b"-")?;
            let kind = words.next()?;
            let named = |name: &&str| name.as_bytes() == kind;
            Some(Mount {
                point: unescaped(point),
                may_not_answer: kind.starts_with(b"fuse") || MAY_NOT_ANSWER.iter().any(named),
            })
        });
        Mounts(mounts.collect())
    }

    /// Returns whether `path`, which is absolute, is on a file system that may not answer. Symbolic links are not
    /// followed, because that alone may block.
    pub(super) fn may_not_answer(&self, path: &Path) -> bool {
        let around = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        // Of several mounts at one point the last one is on top: it is the one that max_by_key() returns.
        let nearest = around.max_by_key(|mount| mount.point.as_os_str().len());
        nearest.is_some_and(|mount| mount.may_not_answer)
    }
}

/// The path that the kernel has written with `\040` for a space, and likewise for tab, newline and backslash.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [byte, after @ ..] = rest {
        let digits = after.first_chunk::<3>().filter(|_| *byte == b'\\');
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) => {
                path.push(escaped);
                rest = &after[3..];
            }
            None => {
                path.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[u8] = br"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /home rw shared:7 master:1 - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/local rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/a\040b rw - fuse.sshfs server: rw
33 22 0:43 / /net rw - autofs /etc/auto.net rw
34 22 0:44 / /top rw - cifs //server/top rw
35 34 0:45 / /top rw - tmpfs none rw
a line that is none
";

    #[test]
    fn homes_on_a_server_are_told_from_local_ones() {
        let mounts = Mounts::parse(LINES);
        for (path, expected) in [
            ("/root", false),
            ("/home/someone", true),
            ("/home/local/someone", false),
            ("/homes/someone", false),
            ("/mnt/a b/someone", true),
            ("/net/server/someone", true),
            ("/top/someone", false),
        ] {
            assert_eq!(mounts.may_not_answer(Path::new(path)), expected, "{path}");
        }
        assert!(!Mounts::parse(b"").may_not_answer(Path::new("/home/someone")));
    }

    #[test]
    fn the_mounts_of_this_machine_are_understood() {
        let mounts = Mounts::read();
        assert!(mounts.0.iter().any(|mount| mount.point == Path::new("/")));
        assert!(!mounts.may_not_answer(Path::new("/proc/self")));
    }
}
