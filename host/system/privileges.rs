//! Drops the capabilities of this process: only the start of watching needs them.
//!
//! Capabilities belong to a thread, and a new thread inherits them. Every thread of the host drops them itself
//! ([`threads`](super::threads)); the main thread does once the probe is attached. Root keeps its capabilities: with them
//! it reads and writes files of other users, as a capture in the directory of the user who called `sudo`.

use anyhow::Context as _;
use anyhow::bail;
use rustix::process::getegid;
use rustix::process::geteuid;
use rustix::process::getgid;
use rustix::process::getuid;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;
use rustix::thread::set_no_new_privs;

/// Drops all capabilities, unless the user is root. For commands that need no privileges. To be called before other
/// threads are started.
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

/// Forbids this thread, and all that it starts, to gain privileges by executing a program: one with file capabilities,
/// such as this one, would otherwise get them.
pub fn forbid_new() -> anyhow::Result<()> {
    set_no_new_privs(true).context("cannot set no_new_privs")
}

/// Drops the capabilities of this thread except `kept`, unless the user is root. Does nothing if it has no others.
pub fn keep_only(kept: CapabilitySet) -> anyhow::Result<()> {
    let now = capabilities(None).context("cannot read the capabilities of a thread")?;
    let kept = now.permitted & kept;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    if geteuid().is_root() || now == sets {
        return Ok(());
    }
    set_capabilities(None, sets).context("cannot drop capabilities")
}

fn drop_capabilities() -> anyhow::Result<()> {
    forbid_new()?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).context("cannot drop capabilities")
}
