//! The sandbox of this process: what it may ask of the kernel once its probe is attached.
//!
//! Two parts, each of which the kernel may lack: [`system_calls`] (seccomp) and [`files`] (Landlock). Both apply to the
//! calling thread and to what it starts later, so that they are set while the process has one thread. Neither can be
//! lifted.

pub mod files;
pub mod system_calls;

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use anyhow::bail;
use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::accessat;

use self::files::Files;
use self::system_calls::Calls;
use self::system_calls::Sockets;
use super::privileges;
use super::procfs;
use super::threads;

/// Whether the files of this process are restricted.
static ARE_FILES_RESTRICTED: AtomicBool = AtomicBool::new(false);

/// A part of the sandbox that this kernel does not have, or has in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// seccomp filters (CONFIG_SECCOMP_FILTER).
    SystemCalls,
    /// Landlock (Linux 5.13).
    Files,
    /// A later version of Landlock: with this one, some kinds of access to files are not restricted.
    SomeFiles,
}

impl Lacking {
    /// What it means, in few words.
    pub fn short(self) -> &'static str {
        match self {
            Lacking::SystemCalls => "system calls are not restricted: no seccomp",
            Lacking::Files => "files are not restricted: no Landlock",
            Lacking::SomeFiles => "files are restricted in part: Landlock of before 6.12",
        }
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lacking::SystemCalls => {
                "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER): the sandbox does not restrict \
                 system calls"
            }
            Lacking::Files => {
                "this kernel has no Landlock (Linux 5.13, and `landlock` in the boot parameter lsm=): the \
                 sandbox does not restrict files"
            }
            Lacking::SomeFiles => {
                "the Landlock of this kernel is older than Linux 6.12: the sandbox does not restrict every use \
                 of files"
            }
        })
    }
}

/// Confines this process, which starts others: it writes no files. It reads them, because programs that it starts load
/// libraries.
///
/// # Errors
///
/// If the kernel refuses a part that it has.
pub fn confine_helper() -> anyhow::Result<()> {
    files::forbid_writing().context("cannot restrict files with Landlock")?;
    system_calls::restrict(Calls::Processes, Sockets::default())
        .context("cannot restrict system calls")?;
    Ok(())
}

/// Confines this process. It must have one thread, and no_new_privs must be set. Returns what the kernel lacks.
///
/// # Errors
///
/// If there are other threads, which would not be confined, or if the kernel refuses a part that it has.
pub fn confine(files: &Files, calls: Calls, sockets: Sockets) -> anyhow::Result<Vec<Lacking>> {
    if let Some(threads) = procfs::own_status("Threads").filter(|threads| threads != "1") {
        bail!("this process has {threads} threads before the sandbox, which confines one");
    }
    let without = files::restrict(files).context("cannot restrict files with Landlock")?;
    ARE_FILES_RESTRICTED.store(without != Some(Lacking::Files), Ordering::Relaxed);
    let mut lacking = Vec::from_iter(without);
    lacking.extend(system_calls::restrict(calls, sockets).context("cannot restrict system calls")?);
    Ok(lacking)
}

/// The error of opening a file, with the reason if it is the sandbox: if the permissions of the file, or of its
/// directory where it does not exist, would allow it. Landlock does not restrict access(2).
pub fn explained(path: &Path, error: io::Error) -> io::Error {
    let is_restricted = ARE_FILES_RESTRICTED.load(Ordering::Relaxed);
    let is_allowed = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    let is_permitted = || match path.exists() {
        true => is_allowed(path, Access::READ_OK) || is_allowed(path, Access::WRITE_OK),
        false => {
            let directory = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            is_allowed(directory.unwrap_or(Path::new(".")), Access::WRITE_OK)
        }
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied if is_restricted && is_permitted() => io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{error}; the sandbox allows only the directories that the files had at the start: restart the \
                 host after a directory or a link was replaced, or run it with --no-sandbox"
            ),
        ),
        _ => error,
    }
}

/// Confines a thread, and tries to leave the sandbox. Returns what was tried, or what the sandbox does not restrict.
pub fn try_out() -> Result<String, String> {
    let attempt = || {
        privileges::forbid_new()?;
        let lacking = [
            files::restrict(&Files::default())?,
            system_calls::restrict(Calls::ReadBpf, Sockets::default())?,
        ];
        let lacking: Vec<_> = lacking.iter().flatten().map(Lacking::to_string).collect();
        if !lacking.is_empty() {
            bail!("{}", lacking.join("; "));
        }
        if fs::read_dir("/").is_ok() {
            bail!("Landlock is there, and restricts no files");
        }
        if TcpListener::bind("127.0.0.1:0").is_ok() {
            bail!("seccomp is there, and restricts no system calls");
        }
        Ok("files (Landlock) and system calls (seccomp) are restricted".to_owned())
    };
    let thread = threads::named("sandbox").spawn(attempt);
    let thread = thread.map_err(|error| error.to_string())?;
    let outcome = thread.join().map_err(|_| "a thread panicked".to_owned())?;
    outcome.map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests;
