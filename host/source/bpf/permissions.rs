//! Facts about this process and the kernel, and the causes of refusals that follow from them.
//!
//! All facts are read in one place. The causes are pure functions of them, so that kernels and
//! confinements that no test machine has can be tested too.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::ptr;

use bytesize::ByteSize;
use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::getrlimit;
use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;

/// Inode of the initial user namespace: PROC_USER_INIT_INO, the same on every kernel since 3.8.
const INITIAL_USER_NAMESPACE: u64 = 0xeffffffd;

/// Inode of the initial PID namespace: PROC_PID_INIT_INO.
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;

/// The first kernel that counts BPF maps as memory of the control group instead of locked memory.
const FIRST_WITHOUT_LOCKED_MAPS: (u32, u32) = (5, 11);

/// The first kernel in which kernel.unprivileged_bpf_disabled concerns the creation of maps and programs only.
const FIRST_WITH_FREE_MAPS: (u32, u32) = (5, 19);

/// The level that Debian and Android have added to perf_event_paranoid: perf_event_open needs
/// CAP_SYS_ADMIN. The kernel's own levels end at 2.
const PERF_EVENTS_DENIED: i32 = 3;

/// The facts on which the use of BPF depends. A fact that is `None` because it could not be read explains no refusal.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Effective capabilities.
    pub effective: CapabilitySet,
    /// Inode of the user namespace.
    pub user_namespace: Option<u64>,
    /// Inode of the PID namespace.
    pub pid_namespace: Option<u64>,
    /// Whether the kernel is locked down (`confidentiality`), so that no BPF program can read
    /// its memory, not even one of root.
    pub confidential: bool,
    /// The first two numbers of the kernel's version.
    pub kernel: Option<(u32, u32)>,
    /// The limit of locked memory (RLIMIT_MEMLOCK) in bytes; `None` if there is no limit.
    pub locked_memory: Option<u64>,
    /// The sysctl kernel.perf_event_paranoid.
    pub perf_event_paranoid: Option<i32>,
    /// The error with which bpf(2) is refused whatever it is to do; `None` if it is not.
    pub bpf_refused: Option<Errno>,
}

/// Why the kernel refuses the use of BPF. The message includes the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The process is in a user namespace, whose capabilities do not count for BPF.
    #[error(
        "this process is in a user namespace, as in a rootless container, whose capabilities do not \
         count for BPF; run it in the machine's own user namespace, as root"
    )]
    UserNamespace,
    /// The process lacks capabilities to load or attach BPF programs.
    #[error(
        "{} missing; run as root, or grant it with `setcap cap_bpf,cap_perfmon+ep` on the binary",
        .0.join(" and ")
    )]
    Capabilities(Vec<&'static str>),
    /// The system call is refused, although the capabilities are there.
    #[error(
        "bpf(2) is refused ({0}), as by a seccomp filter or a security module; allow it: \
         --security-opt seccomp=unconfined or a profile with bpf in Docker, SystemCallFilter=bpf in a systemd unit"
    )]
    SystemCall(Errno),
    /// The kernel is locked down: no BPF program may read its memory.
    #[error(
        "the kernel is locked down (`confidentiality` in /sys/kernel/security/lockdown), which forbids \
         BPF programs to read its memory; boot it with lockdown=integrity, which is enough for Secure \
         Boot"
    )]
    Lockdown,
    /// The limit of locked memory is too small for the BPF maps.
    #[error(
        "Linux {}.{} counts BPF maps as locked memory, of which this process may have {} \
         (RLIMIT_MEMLOCK); raise that limit (`ulimit -l unlimited`, or LimitMEMLOCK=infinity in a \
         systemd unit), or grant CAP_SYS_RESOURCE as well", .kernel.0, .kernel.1, ByteSize(*.limit)
    )]
    LockedMemory {
        /// Version of the kernel.
        kernel: (u32, u32),
        /// The limit in bytes.
        limit: u64,
    },
    /// The classic tracepoint is attached as a perf event, which kernel.perf_event_paranoid forbids.
    #[error(
        "kernel.perf_event_paranoid is {0}, at which the classic tracepoint needs CAP_SYS_ADMIN; run \
         as root, attach the BTF-typed tracepoint instead, or set the sysctl to 2"
    )]
    PerfEvents(i32),
}

impl Facts {
    /// Reads the facts about this process.
    ///
    /// # Errors
    ///
    /// Only if the capabilities cannot be read. Other facts that cannot be read are left unknown.
    pub fn gather() -> io::Result<Facts> {
        let inode = |path: &str| fs::metadata(path).ok().map(|metadata| metadata.ino());
        let text = |path: &str| fs::read_to_string(path).ok();
        Ok(Facts {
            effective: capabilities(None)?.effective,
            user_namespace: inode("/proc/self/ns/user"),
            pid_namespace: inode("/proc/self/ns/pid"),
            confidential: text("/sys/kernel/security/lockdown")
                .is_some_and(|text| confidential(&text)),
            kernel: text("/proc/sys/kernel/osrelease").and_then(|text| version(&text)),
            locked_memory: getrlimit(Resource::Memlock).current,
            perf_event_paranoid: text("/proc/sys/kernel/perf_event_paranoid")
                .and_then(|text| text.trim().parse().ok()),
            bpf_refused: refusal_of_bpf(),
        })
    }

    /// Refuses a process that is not in the initial user namespace.
    pub fn check_user_namespace(&self) -> Result<(), Refusal> {
        let is_initial = |inode| inode == INITIAL_USER_NAMESPACE;
        match self.user_namespace.is_none_or(is_initial) {
            true => Ok(()),
            false => Err(Refusal::UserNamespace),
        }
    }

    /// Refuses a process that lacks capabilities.
    pub fn check_capabilities(&self) -> Result<(), Refusal> {
        let missing = missing_capabilities(self.effective);
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Capabilities(missing)),
        }
    }

    /// Refuses a process that may not call bpf(2). To be called once its capabilities were checked.
    pub fn check_system_call(&self) -> Result<(), Refusal> {
        self.bpf_refused
            .map_or(Ok(()), |errno| Err(Refusal::SystemCall(errno)))
    }

    /// Refuses a kernel that lets no BPF program read its memory.
    pub fn check_lockdown(&self) -> Result<(), Refusal> {
        match self.confidential {
            true => Err(Refusal::Lockdown),
            false => Ok(()),
        }
    }

    /// Why the kernel refused to load or attach a BPF program with this kind of error; `None`
    /// if the facts do not show the cause.
    pub fn explain(&self, error: libbpf_rs::ErrorKind) -> Option<Refusal> {
        use libbpf_rs::ErrorKind::InvalidInput;
        use libbpf_rs::ErrorKind::PermissionDenied;
        // Under lockdown the verifier does not know the helpers that read memory, and returns EINVAL.
        if self.confidential && matches!(error, InvalidInput | PermissionDenied) {
            return Some(Refusal::Lockdown);
        }
        let kernel = self
            .kernel
            .filter(|kernel| *kernel < FIRST_WITHOUT_LOCKED_MAPS)?;
        let may_raise = self.effective.contains(CapabilitySet::SYS_RESOURCE);
        let limit = self.locked_memory.filter(|_| !may_raise)?;
        (error == PermissionDenied).then_some(Refusal::LockedMemory { kernel, limit })
    }

    /// As [`explain`](Facts::explain), for a program that was to be attached to a classic tracepoint.
    pub fn explain_classic(&self, error: libbpf_rs::ErrorKind) -> Option<Refusal> {
        let level = self.perf_event_paranoid.filter(|level| {
            *level >= PERF_EVENTS_DENIED && !self.effective.contains(CapabilitySet::SYS_ADMIN)
        });
        match (level, error) {
            (Some(level), libbpf_rs::ErrorKind::PermissionDenied) => {
                Some(Refusal::PerfEvents(level))
            }
            _ => self.explain(error),
        }
    }

    /// Returns whether a scan of open files includes every process of the machine.
    pub fn sees_all_processes(&self) -> bool {
        self.pid_namespace
            .is_none_or(|inode| inode == INITIAL_PID_NAMESPACE)
    }
}

/// The capabilities that bpf(2) needs for reading maps of a loaded program, and its iterators: none, except before 5.19
/// with kernel.unprivileged_bpf_disabled, where every call needs CAP_BPF.
pub fn needed_after_attach() -> CapabilitySet {
    let text = |path: &str| fs::read_to_string(path).ok();
    let kernel = text("/proc/sys/kernel/osrelease").and_then(|text| version(&text));
    let disabled = text("/proc/sys/kernel/unprivileged_bpf_disabled");
    needed_by(kernel, disabled.as_deref())
}

fn needed_by(kernel: Option<(u32, u32)>, unprivileged_bpf_disabled: Option<&str>) -> CapabilitySet {
    let is_old = kernel.is_none_or(|kernel| kernel < FIRST_WITH_FREE_MAPS);
    let is_disabled = unprivileged_bpf_disabled.is_none_or(|level| level.trim() != "0");
    match is_old && is_disabled {
        true => CapabilitySet::BPF,
        false => CapabilitySet::empty(),
    }
}

/// Calls bpf(2) with a command that changes nothing. `None` if the kernel has tried to do it.
fn refusal_of_bpf() -> Option<Errno> {
    /// BPF_MAP_LOOKUP_ELEM (uapi/linux/bpf.h).
    const LOOK_UP: libc::c_long = 1;
    /// Of the attributes: the descriptor of the map, a key, a value, and flags.
    #[repr(C)]
    struct Attributes {
        map: i32,
        rest: [u32; 7],
    }
    let attributes = Attributes {
        map: -1,
        rest: [0; 7],
    };
    // SAFETY: the kernel reads as many bytes as the attributes have, and fails at the descriptor.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            LOOK_UP,
            ptr::from_ref(&attributes),
            size_of::<Attributes>(),
        )
    };
    let error = io::Error::last_os_error();
    let errno = Errno::from_io_error(&error).filter(|_| result < 0)?;
    matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOSYS).then_some(errno)
}

/// The capabilities for BPF that are missing. CAP_SYS_ADMIN includes all of them, as it did before CAP_BPF (5.8).
fn missing_capabilities(effective: CapabilitySet) -> Vec<&'static str> {
    if effective.contains(CapabilitySet::SYS_ADMIN) {
        return Vec::new();
    }
    let needed = [
        (CapabilitySet::BPF, "CAP_BPF"),
        (CapabilitySet::PERFMON, "CAP_PERFMON"),
    ];
    let missing = needed.iter().filter(|(cap, _)| !effective.contains(*cap));
    missing.map(|(_, name)| *name).collect()
}

/// Returns whether the lockdown level is `confidentiality`. In `none integrity [confidentiality]` the
/// level in force is in brackets.
fn confidential(lockdown: &str) -> bool {
    lockdown.contains("[confidentiality]")
}

/// The first two numbers of a kernel release: 6 and 1 of `6.1.0-28-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
