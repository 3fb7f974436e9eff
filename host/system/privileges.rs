//! Drops the capabilities of this process: only watching needs them.
//!
//! Call these functions before other threads are started: capabilities belong to a thread, and a new thread inherits
//! them.

use anyhow::Context as _;
use anyhow::bail;
use rustix::process::getegid;
use rustix::process::geteuid;
use rustix::process::getgid;
use rustix::process::getuid;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::set_capabilities;
use rustix::thread::set_no_new_privs;

/// Drops all capabilities, unless the user is root. For commands that need no privileges: root keeps its capabilities
/// to read and write its files; any other user has them from `setcap`, for watching only.
pub fn drop_unless_root() -> anyhow::Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    drop_capabilities()
}

/// Drops all capabilities, of root too. For a process that reads compiled code or a component from its standard
/// input: any process may have started it, and it needs only its open files.
pub fn drop_all() -> anyhow::Result<()> {
    if (getuid(), getgid()) != (geteuid(), getegid()) {
        bail!("this program must not be setuid or setgid");
    }
    drop_capabilities()
}

fn drop_capabilities() -> anyhow::Result<()> {
    // Otherwise executing a program with file capabilities, such as this one, would restore them.
    set_no_new_privs(true).context("cannot set no_new_privs")?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).context("cannot drop capabilities")
}
