//! Mode and owner of files that the host writes. They contain addresses, so only their owner may read them.

use std::env;
use std::fs::File;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::fchown;

/// Mode of a new file.
pub const MODE: u32 = 0o600;

/// Sets mode and owner of a new file. Under sudo it belongs to the user who called sudo, so that they can read it
/// without sudo.
pub fn own(file: &File) {
    // The umask may have removed permissions. Some file systems (vfat) have no permissions, and the call fails.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    let id = |name| env::var(name).ok()?.parse().ok();
    if rustix::process::geteuid().is_root()
        && let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
    {
        // Some file systems have no owners, and the call fails.
        let _ = fchown(file, Some(user), Some(group));
    }
}
