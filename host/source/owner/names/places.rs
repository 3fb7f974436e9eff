//! The directories in which names of containers are, opened before this process is confined.
//!
//! One that does not exist then is not looked for later: the sandbox could not allow it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::accessat;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::fs::openat2;
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::thread::CapabilitySet;

use super::mounts::Mounts;
use crate::system::sandbox::files::Files;
use crate::system::sanitize::clean;

/// The directories of pods and containers of the kubelet: `podLogsDir`, which it can be configured with, and
/// `legacyContainerLogsDir` (`pkg/kubelet/kuberuntime` of Kubernetes).
const PODS: &str = "var/log/pods";
const LINKS: &str = "var/log/containers";

/// The default `data-root` of Docker, and its default in the home of a user (`daemon/config` of moby).
const DOCKER: &str = "var/lib/docker/containers";
const DOCKER_OF_USER: &str = ".local/share/docker/containers";

/// The default `graphroot` of containers/storage, with the driver overlay, and its default in the home of a user
/// (`types/options.go`).
const STORAGE: &str = "var/lib/containers/storage/overlay-containers";
const STORAGE_OF_USER: &str = ".local/share/containers/storage/overlay-containers";

/// The most users whose containers are named.
const MAX_USERS: usize = 16;

/// The most bytes of `/etc/passwd` that are read.
const MAX_PASSWD: u64 = 1 << 20;

/// Flags for a directory of which only names and files are opened.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A directory.
#[derive(Debug)]
pub struct Place {
    /// Its path, for messages.
    pub path: PathBuf,
    directory: Result<OwnedFd, Errno>,
}

/// The directories of runtimes that name containers themselves.
#[derive(Debug)]
pub struct Engines {
    /// Of Docker: a directory for each container.
    pub docker: Place,
    /// Of containers/storage: two files for all containers.
    pub storage: Place,
}

/// All directories.
#[derive(Debug)]
pub struct Places {
    /// A directory for each pod.
    pub pods: Place,
    /// A link for each container of a pod.
    pub links: Place,
    /// Of services of the machine.
    pub machine: Engines,
    /// Of users, by number.
    pub users: BTreeMap<u32, Engines>,
}

impl Place {
    fn open(root: &Path, path: &str) -> Place {
        let path = root.join(path);
        let directory = openat(CWD, &path, DIRECTORY, Mode::empty());
        Place { path, directory }
    }

    /// A directory in the home of a user. It is opened only if it is the user's own and not behind a link, which the
    /// user could lead to other directories.
    fn of_user(home: &Path, path: &str, uid: u32) -> Place {
        let open = || {
            let home = openat(CWD, home, DIRECTORY, Mode::empty())?;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let directory = openat2(home, path, DIRECTORY, Mode::empty(), resolve)?;
            match fstat(&directory)?.st_uid == uid {
                true => Ok(directory),
                false => Err(Errno::NOENT),
            }
        };
        Place {
            path: home.join(path),
            directory: open(),
        }
    }

    /// The directory, if it could be opened.
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().ok().map(OwnedFd::as_fd)
    }

    /// Whether it exists and can be read. An error if it can not.
    fn is_readable(&self) -> Result<bool, Errno> {
        match &self.directory {
            Ok(directory) => {
                let access = Access::READ_OK | Access::EXEC_OK;
                accessat(directory, ".", access, AtFlags::EACCESS).map(|()| true)
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(*error),
        }
    }

    /// The path, safe to print.
    pub fn shown(&self) -> String {
        clean(&self.path.to_string_lossy())
    }
}

impl Places {
    /// Opens those of this machine.
    pub fn open() -> Places {
        Places::below(Path::new("/"))
    }

    /// Opens those below another root directory.
    pub(super) fn below(root: &Path) -> Places {
        Places {
            pods: Place::open(root, PODS),
            links: Place::open(root, LINKS),
            machine: Engines {
                docker: Place::open(root, DOCKER),
                storage: Place::open(root, STORAGE),
            },
            users: users(root),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Place> {
        let engines = [&self.machine].into_iter().chain(self.users.values());
        let engines = engines.flat_map(|engines| [&engines.docker, &engines.storage]);
        [&self.pods, &self.links].into_iter().chain(engines)
    }

    /// Allows reading below them.
    pub fn allow(&self, files: &mut Files) {
        for directory in self.all().filter_map(Place::directory) {
            // The very directory that is open, whatever its path leads to by then.
            files.read(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        }
    }

    /// The capability that this process needs for them once it has dropped all others, if it has it: for files of the
    /// users or, for another user than root, of root.
    pub fn needed_capabilities(&self) -> CapabilitySet {
        let is_open = |engines: &Engines| {
            engines.docker.directory().is_some() || engines.storage.directory().is_some()
        };
        let needs = match geteuid().is_root() {
            true => !self.users.is_empty(),
            false => is_open(&self.machine) || !self.users.is_empty(),
        };
        match needs {
            true => CapabilitySet::DAC_READ_SEARCH,
            false => CapabilitySet::empty(),
        }
    }

    /// Which names this process can find, in words.
    ///
    /// # Errors
    ///
    /// Which directories it cannot read, and what to do.
    pub fn check(&self) -> Result<String, String> {
        let mut readable = Vec::new();
        let mut refused = Vec::new();
        for place in self.all() {
            match place.is_readable() {
                Ok(true) => readable.push(place.shown()),
                Ok(false) => {}
                Err(error) => refused.push(format!("cannot read {} ({error})", place.shown())),
            }
        }
        if !refused.is_empty() {
            return Err(format!(
                "{}; run as root, or grant CAP_DAC_READ_SEARCH as well",
                refused.join(", ")
            ));
        }
        Ok(match readable.is_empty() {
            true => "of no containers: the kubelet, Docker and Podman keep nothing in their usual places"
                .to_owned(),
            false => format!("of containers are read in {}", readable.join(", ")),
        })
    }
}

/// The directories of users who have containers, among the first in `/etc/passwd`. Homes on file systems that may not
/// answer are left out: the host would block at its start, when no signal ends it yet.
fn users(root: &Path) -> BTreeMap<u32, Engines> {
    let mut text = Vec::new();
    let opened = File::open(root.join("etc/passwd"));
    let read = opened.and_then(|file| file.take(MAX_PASSWD).read_to_end(&mut text));
    if read.is_err() {
        return BTreeMap::new();
    }
    let text = String::from_utf8_lossy(&text);
    let mounts = Mounts::read();
    let users = text.lines().filter_map(uid_and_home);
    let engines = users.filter_map(|(uid, home)| {
        let home = root.join(home);
        if mounts.may_not_answer(&home) {
            return None;
        }
        let docker = Place::of_user(&home, DOCKER_OF_USER, uid);
        let storage = Place::of_user(&home, STORAGE_OF_USER, uid);
        let has_any = docker.directory().is_some() || storage.directory().is_some();
        has_any.then_some((uid, Engines { docker, storage }))
    });
    engines.take(MAX_USERS).collect()
}

/// The number of a user and the home directory, relative to the root directory. Root's containers are those of the
/// machine.
fn uid_and_home(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split(':');
    let uid = fields.nth(2)?.parse().ok().filter(|uid| *uid != 0)?;
    let home = fields.nth(2)?.trim_start_matches('/');
    (!home.is_empty()).then_some((uid, home))
}
