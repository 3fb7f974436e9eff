//! A private network namespace, held by a file descriptor and nothing else.
//!
//! It has no name in `/run/netns`: when the process ends, the namespace and everything in it are gone.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::process;
use std::process::Command;
use std::thread;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::UnshareFlags;
use rustix::thread::move_into_link_name_space;
use rustix::thread::unshare_unsafe;

/// One network namespace with its loopback interface up.
pub struct Namespace {
    file: File,
    inode: u64,
}

impl Namespace {
    /// A new, empty one. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
    pub fn new() -> Result<Namespace> {
        let file = on_own_thread(|| {
            // SAFETY: CLONE_NEWNET changes the network of this short-lived thread alone; file
            // descriptors and everything else stay shared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
                .context("cannot make a network namespace: unshare(CLONE_NEWNET)")?;
            File::open("/proc/thread-self/ns/net").context("cannot open /proc/thread-self/ns/net")
        })?;
        let inode = file.metadata()?.ino();
        let namespace = Namespace { file, inode };
        namespace.run("ip link set dev lo up")?;
        Ok(namespace)
    }

    /// The inode, which identifies this namespace in events.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// A path to the namespace for `ip link set … netns` and `nsenter --net=`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd())
    }

    /// Runs `work` on a thread inside the namespace. Sockets and processes that it makes stay in the
    /// namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        on_own_thread(|| {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                .context("cannot enter a network namespace: setns")?;
            Ok(work())
        })
    }

    /// Runs a command line (split at spaces, without a shell) inside the namespace; its standard
    /// output.
    pub fn run(&self, line: &str) -> Result<String> {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn run_words(&self, words: &[&str]) -> Result<String> {
        let line = words.join(" ");
        let [program, arguments @ ..] = words else {
            bail!("no command to run");
        };
        let output = self
            .enter(|| command(program).args(arguments).output())?
            .with_context(|| format!("cannot run `{line}`"))?;
        if !output.status.success() {
            bail!(
                "`{line}` failed ({}): {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Sets a sysctl of this namespace, named with dots.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.enter(|| fs::write(&path, value))?
            .with_context(|| format!("cannot write {value} to {path}"))
    }
}

/// A command, looked up in the system directories as well, which are not on every user's path.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path());
    command
}

/// The search path of [`command`].
pub fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin:/usr/bin:/bin");
    path
}

/// Namespaces belong to a thread: changes are made on one that ends afterwards.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panicked) => panic::resume_unwind(panicked),
    })
}
