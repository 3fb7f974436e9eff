//! Gives up the privileges of this process: only the start of watching needs them.
//!
//! Capabilities belong to a thread, and a new thread inherits them. The main thread drops them before it starts others
//! ([`keep_only`]), and each thread drops what it does not need ([`threads`](super::threads)).

use std::ffi::CString;
use std::ffi::NulError;

use anyhow::Context as _;
use anyhow::bail;
use nix::unistd;
use rustix::process::getegid;
use rustix::process::geteuid;
use rustix::process::getgid;
use rustix::process::getuid;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;
use rustix::thread::set_keep_capabilities;
use rustix::thread::set_no_new_privs;

/// What root needs for files of other users, such as a capture in the home directory of the user who called sudo: to
/// open them, to give that user a new one, and to replace one in a sticky directory.
const OF_FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER);

/// A user as whom this process goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: CString,
    uid: unistd::Uid,
    gid: unistd::Gid,
}

/// Why there is no such user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The system knows no user of this name or number.
    #[error("there is no user {0:?}; `getent passwd` lists all")]
    Unknown(String),
    /// The database of users cannot be read.
    #[error("cannot look up the user {name}: {error}")]
    Lookup {
        /// The name or number.
        name: String,
        /// The error of the system.
        error: nix::Error,
    },
    /// Names and numbers of users have no NUL.
    #[error("the name of a user has a NUL")]
    Nul(#[from] NulError),
    /// Only root can become another user.
    #[error("only root can become another user")]
    NotRoot,
}

impl User {
    /// Looks up a user by name or by number.
    pub fn find(name: &str) -> Result<User, UserError> {
        let found = match name.parse() {
            Ok(uid) => unistd::User::from_uid(unistd::Uid::from_raw(uid)),
            Err(_) => unistd::User::from_name(name),
        };
        let found = found.map_err(|error| UserError::Lookup {
            name: name.to_owned(),
            error,
        })?;
        let user = found.ok_or_else(|| UserError::Unknown(name.to_owned()))?;
        if !geteuid().is_root() {
            return Err(UserError::NotRoot);
        }
        Ok(User {
            name: CString::new(user.name)?,
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// Its number.
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The number of its group.
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }
}

/// Makes this process one of `user`, with the groups of that user, for good. Of its capabilities it keeps `kept`.
pub fn become_user(user: &User, kept: CapabilitySet) -> anyhow::Result<()> {
    let become_them = || {
        set_keep_capabilities(!kept.is_empty())?;
        unistd::initgroups(&user.name, user.gid)?;
        unistd::setresgid(user.gid, user.gid, user.gid)?;
        unistd::setresuid(user.uid, user.uid, user.uid)?;
        anyhow::Ok(())
    };
    become_them()
        .with_context(|| format!("cannot become the user {}", user.name.to_string_lossy()))?;
    keep_only(kept)
}

/// Drops all capabilities but those for files of root. For commands that only use files. To be called before other threads
/// are started.
pub fn keep_files() -> anyhow::Result<()> {
    forbid_new()?;
    keep_only(of_files())
}

/// Drops all capabilities, of root too. For a process that reads compiled code or a component from its standard
/// input: any process may have started it, and it needs only its open files.
pub fn drop_all() -> anyhow::Result<()> {
    if (getuid(), getgid()) != (geteuid(), getegid()) {
        bail!("this program must not be setuid or setgid");
    }
    forbid_new()?;
    keep_only(CapabilitySet::empty())
}

/// Forbids this thread, and all that it starts, to gain privileges by executing a program: one with file capabilities,
/// such as this one, would otherwise get them.
pub fn forbid_new() -> anyhow::Result<()> {
    set_no_new_privs(true).context("cannot set no_new_privs")
}

/// The capabilities with which root uses files of other users; no other user has them.
pub fn of_files() -> CapabilitySet {
    match geteuid().is_root() {
        true => OF_FILES,
        false => CapabilitySet::empty(),
    }
}

/// Drops these capabilities of this thread.
pub fn give_up(dropped: CapabilitySet) -> anyhow::Result<()> {
    keep_only(!dropped)
}

/// Drops the capabilities of this thread except `kept`, as far as it has these.
pub fn keep_only(kept: CapabilitySet) -> anyhow::Result<()> {
    let now = capabilities(None).context("cannot read the capabilities of a thread")?;
    let kept = now.permitted & kept;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    if now == sets {
        return Ok(());
    }
    set_capabilities(None, sets).context("cannot drop capabilities")
}
