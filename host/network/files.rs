//! The files with which the C library looks up names of hosts, and those with certificates of authorities.
//!
//! Files are named, and not `/etc`, which has files that only root may read. A file that is replaced by another one can
//! no longer be read then, unless it is a link to a file elsewhere, as that of systemd-resolved and NetworkManager is.

use std::env;
use std::path::Path;
use std::path::PathBuf;

use crate::system::sandbox::files::Files;

/// Files in directories with others.
const FILES: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/ld.so.cache",
];

/// Directories: the modules of the C library, and certificates.
const DIRECTORIES: [&str; 7] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ssl/certs",
    "/etc/pki",
    "/usr/share/ca-certificates",
];

/// Variables that name other certificates: a file, and directories.
const CERTIFICATES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Allows reading them.
pub fn allow(files: &mut Files) {
    for file in FILES.map(Path::new) {
        files.read(file);
        // The directory of the file that it leads to: that is where a new one takes its place.
        if file.is_symlink()
            && let Some(directory) = target_directory(file)
        {
            files.read(directory);
        }
    }
    DIRECTORIES
        .iter()
        .for_each(|directory| files.read(*directory));
    let named = CERTIFICATES.into_iter().filter_map(env::var_os);
    named.for_each(|named| env::split_paths(&named).for_each(|path| files.read(path)));
}

/// The directory of the target of a link, unless it is that of the link.
fn target_directory(link: &Path) -> Option<PathBuf> {
    let target = link.canonicalize().ok()?;
    let directory = target.parent()?;
    (Some(directory) != link.parent()).then(|| directory.to_owned())
}
