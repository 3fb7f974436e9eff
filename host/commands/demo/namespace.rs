//! A network namespace held by a descriptor: it has no name, and ends with this process.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::process;
use std::process::Command;
use std::thread;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::UnshareFlags;
use rustix::thread::move_into_link_name_space;
use rustix::thread::unshare_unsafe;

use crate::system::threads;

/// The programs that are needed, with the Debian packages that have them.
const PROGRAMS: [(&str, &str); 2] = [("ip", "iproute2"), ("nft", "nftables")];

/// A network namespace, whose loopback interface is up.
pub struct Namespace {
    file: File,
    inode: u64,
}

impl Namespace {
    /// Makes a new one, which is empty.
    ///
    /// # Errors
    ///
    /// Without CAP_SYS_ADMIN and CAP_NET_ADMIN, or without the program `ip`.
    pub fn new() -> Result<Namespace> {
        let file = on_own_thread(|| {
            // SAFETY: CLONE_NEWNET changes the network of this thread alone, which ends with this closure.
            let made = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
            made.map_err(|error| match error {
                Errno::PERM => anyhow!(
                    "cannot make a network namespace: this process lacks CAP_SYS_ADMIN, as in a container; run the \
                     demo as root on the machine itself"
                ),
                error => anyhow!("cannot make a network namespace: {error}"),
            })?;
            File::open("/proc/thread-self/ns/net").context("cannot open a network namespace")
        })?;
        let inode = file.metadata()?.ino();
        let namespace = Namespace { file, inode };
        namespace.run("ip link set dev lo up")?;
        Ok(namespace)
    }

    /// The inode, by which events name the namespace.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// A path to the namespace, for `ip link … netns`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd())
    }

    /// Calls `work` on a thread in the namespace. Sockets and processes that it makes stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        on_own_thread(|| {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                .context("cannot enter a network namespace")?;
            work()
        })
    }

    /// Runs a command in the namespace. The words of `line` are separated by spaces; there is no shell.
    ///
    /// # Errors
    ///
    /// If the program is missing or fails; the error has what it printed.
    pub fn run(&self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let program = words.next().context("no command to run")?;
        let mut command = Command::new(program);
        command.args(words).env("PATH", search_path());
        let output = self.enter(|| Ok(command.output()))?;
        let output = output.map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(program),
            _ => anyhow!("cannot run `{line}`: {error}"),
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{line}` failed ({}): {}", output.status, said.trim());
        }
        Ok(())
    }

    /// Segments that the kernel has sent again in this namespace: RetransSegs.
    pub fn retransmitted_segments(&self) -> Result<u64> {
        let file = "/proc/thread-self/net/snmp";
        let text =
            self.enter(|| fs::read_to_string(file).context(format!("cannot read {file}")))?;
        of_snmp(&text, "Tcp:", "RetransSegs").with_context(|| format!("{file} has no RetransSegs"))
    }
}

/// A counter in the text of `/proc/net/snmp`: for each protocol a line of names, and one of numbers.
fn of_snmp(text: &str, protocol: &str, counter: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(protocol));
    let names = lines.next()?.split_whitespace();
    let numbers = lines.next()?.split_whitespace();
    let (_, number) = names.zip(numbers).find(|(name, _)| *name == counter)?;
    number.parse().ok()
}

/// Returns an error if a program is missing that the demo runs.
pub fn find_programs() -> Result<()> {
    let path = search_path();
    let is_there =
        |program: &str| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    match PROGRAMS.iter().find(|(program, _)| !is_there(program)) {
        None => Ok(()),
        Some((program, _)) => Err(missing(program)),
    }
}

fn missing(program: &str) -> anyhow::Error {
    let package = PROGRAMS.iter().find(|(name, _)| *name == program);
    let package = package.map_or(program, |(_, package)| package);
    anyhow!(
        "the program `{program}` is missing, with which the demo makes its network; on Debian and Ubuntu: apt-get \
         install {package}"
    )
}

/// The search path of programs, with the system directories, which are not on every user's.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin:/usr/bin:/bin");
    path
}

/// Namespaces belong to a thread: it ends with the work.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = threads::named("namespace").keeping(CapabilitySet::all());
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread.context("cannot start a thread")?;
        thread.join().map_err(|_| anyhow!("a thread panicked"))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin MaxConn RetransSegs InErrs
Tcp: 1 200 -1 154 0
";

    #[test]
    fn a_counter_is_found_by_the_names_of_its_protocol() {
        assert_eq!(of_snmp(SNMP, "Tcp:", "RetransSegs"), Some(154));
        assert_eq!(of_snmp(SNMP, "Ip:", "DefaultTTL"), Some(64));
        assert_eq!(of_snmp(SNMP, "Ip:", "RetransSegs"), None);
        assert_eq!(of_snmp("Tcp: RetransSegs\n", "Tcp:", "RetransSegs"), None);
    }
}
