//! Files that the host writes: they hold addresses, so that only their owner may read them.

use std::env;
use std::fs::File;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::fchown;

/// Mode of a new file.
pub const MODE: u32 = 0o600;

/// Settles mode and owner of a file that was just made. Under sudo it belongs to the user who called sudo, who
/// will want to read it without.
pub fn own(file: &File) {
    // The umask may have taken rights away; some file systems (vfat) have none to give.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    let id = |name| env::var(name).ok()?.parse().ok();
    if rustix::process::geteuid().is_root()
        && let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
    {
        // Some file systems have no owners. The file is then as root made it.
        let _ = fchown(file, Some(user), Some(group));
    }
}
