//! Gives up what this process may do beyond its user: only watching needs it.
//!
//! To be called before other threads are started: capabilities belong to a thread, and a new one
//! inherits them.

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

/// For what any user may do: root stays root, to read and write its files. Any other user has
/// capabilities because the program was given them (`setcap`), for watching.
pub fn drop_unless_root() -> anyhow::Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    drop_capabilities()
}

/// For a process that takes compiled code or a component from its standard input, from whatever
/// process has started it: it needs nothing but its open files.
pub fn drop_all() -> anyhow::Result<()> {
    if (getuid(), getgid()) != (geteuid(), getegid()) {
        bail!("this program must not be setuid or setgid");
    }
    drop_capabilities()
}

fn drop_capabilities() -> anyhow::Result<()> {
    // Otherwise they come back with the next program that has them, such as this one.
    set_no_new_privs(true).context("cannot set no_new_privs")?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).context("cannot drop capabilities")
}
