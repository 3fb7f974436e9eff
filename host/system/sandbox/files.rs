//! Restricts the files that this process may open, with Landlock.
//!
//! A rule names a directory and holds for all below it. It belongs to the directory itself, not to its path: a
//! directory that is deleted and made again has no rule.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::path::PathBuf;

use landlock::ABI;
use landlock::Access as _;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::CompatLevel;
use landlock::Compatible as _;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr as _;
use landlock::RulesetCreated;
use landlock::RulesetCreatedAttr as _;
use landlock::RulesetStatus;
use landlock::Scope;
use rustix::fs::FileType;
use rustix::fs::fstat;

use super::Lacking;
use super::system_calls::Sockets;

/// The version of Landlock whose restrictions are asked for (Linux 6.12). Older ones restrict less.
const VERSION: ABI = ABI::V6;

/// What is read, and not executed.
const READ: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// What a file needs that is written to, renamed in its directory, and replaced.
const WRITE: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile
});

/// What a terminal needs.
const TERMINAL: BitFlags<AccessFs> =
    landlock::make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});

/// What every process reads: `/proc`; the number of CPUs, which libbpf needs for counters of each CPU; its executable, for
/// the names of functions in the message of a panic.
const SYSTEM: [&str; 3] = ["/proc", "/sys/devices/system/cpu", "/proc/self/exe"];

/// Directories below which a process may use files. One that does not exist gives no right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    read: BTreeSet<PathBuf>,
    written: BTreeSet<PathBuf>,
}

impl Files {
    /// Allows reading below this directory.
    pub fn read(&mut self, directory: impl Into<PathBuf>) {
        self.read.insert(directory.into());
    }

    /// Allows reading, writing, renaming and deleting files below this directory.
    pub fn write(&mut self, directory: impl Into<PathBuf>) {
        self.written.insert(directory.into());
    }

    /// Allows writing a file, and renaming and replacing it: everything in its directory. A device is allowed alone.
    pub fn write_file(&mut self, file: &Path) {
        match fs::metadata(file) {
            Ok(status) if !status.is_file() => self.write(file),
            _ => directories(file)
                .into_iter()
                .for_each(|directory| self.write(directory)),
        }
    }

    /// Whether a directory is `/`: all files are allowed then.
    pub fn are_all(&self) -> bool {
        let mut directories = self.read.iter().chain(&self.written);
        directories.any(|directory| {
            directory
                .canonicalize()
                .is_ok_and(|path| path == Path::new("/"))
        })
    }
}

/// The directory of a file, and that of its target if it is a symbolic link.
pub fn directories(file: &Path) -> BTreeSet<PathBuf> {
    let directory = |file: &Path| {
        let parent = file.parent()?;
        Some(match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        })
    };
    let own = directory(file);
    // The target of a link need not exist yet.
    let target = file.canonicalize().ok().or_else(|| {
        let target = fs::read_link(file).ok()?;
        Some(own.as_deref()?.join(target))
    });
    let target = target.as_deref().and_then(directory);
    own.into_iter().chain(target).collect()
}

/// Restricts this thread and those that it starts to these files, to those of [`SYSTEM`], and to the terminal of its standard
/// streams. It can also send no signal to other processes, listen on no port, and connect to none unless it delivers over
/// the network. Returns what the kernel lacks.
pub(super) fn restrict(files: &Files, sockets: Sockets) -> anyhow::Result<Option<Lacking>> {
    // No port is named: sinks may be added while the process runs, and restrictions cannot be lifted.
    let network = match sockets.connects {
        true => AccessNet::BindTcp.into(),
        false => AccessNet::from_all(VERSION),
    };
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(network)?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    let system = SYSTEM.iter().map(Path::new);
    for directory in system.chain(files.read.iter().map(PathBuf::as_path)) {
        rules = allow(rules, directory, READ)?;
    }
    for directory in &files.written {
        rules = allow(rules, directory, WRITE)?;
    }
    // They are opened again for this process alone: see `stdio`.
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    for stream in [stdout.as_fd(), stderr.as_fd()] {
        if is_device(stream) {
            rules = rules.add_rule(PathBeneath::new(stream, TERMINAL))?;
        }
    }
    Ok(lacking(rules.restrict_self()?.ruleset))
}

fn allow(
    rules: RulesetCreated,
    directory: &Path,
    access: BitFlags<AccessFs>,
) -> anyhow::Result<RulesetCreated> {
    match PathFd::new(directory) {
        Ok(opened) => {
            // A file has fewer rights than a directory.
            let access = match directory.is_dir() {
                true => access,
                false => access & AccessFs::from_file(VERSION),
            };
            Ok(rules.add_rule(PathBeneath::new(opened, access))?)
        }
        // What cannot be opened now fails later, with an error that names it.
        Err(_) => Ok(rules),
    }
}

/// Forbids this thread and those that it starts to change files. Returns what the kernel lacks.
pub(super) fn forbid_writing() -> anyhow::Result<Option<Lacking>> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::AbstractUnixSocket)?
        .create()?;
    Ok(lacking(rules.restrict_self()?.ruleset))
}

fn lacking(status: RulesetStatus) -> Option<Lacking> {
    match status {
        RulesetStatus::FullyEnforced => None,
        RulesetStatus::PartiallyEnforced => Some(Lacking::SomeFiles),
        RulesetStatus::NotEnforced => Some(Lacking::Files),
    }
}

fn is_device(stream: BorrowedFd<'_>) -> bool {
    fstat(stream)
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice)
}
