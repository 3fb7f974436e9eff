//! Checks the prerequisites of the probe before it is loaded, and determines which of them is missing.

use std::io;
use std::path::Path;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::BtfKind;
use libbpf_rs::btf::BtfType;
use libbpf_rs::btf::types::Struct;
use libbpf_rs::btf::types::Typedef;

use super::programs;
use crate::config::attach::Attach;
use crate::source::bpf::kernel_error::KernelError;
use crate::source::bpf::libbpf;
use crate::source::bpf::permissions::Facts;
use crate::source::bpf::permissions::Refusal;

/// The file with the BTF type information of the kernel.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Mount points of tracefs: its own, and the one in debugfs that was the only one until 4.1.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Why the probe cannot run. The message includes the remedy if it is known.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process may not load or attach BPF programs.
    #[error("no permission to load the probe: {0}")]
    Forbidden(Refusal),
    /// The kernel was built without BTF type information.
    #[error(
        "cannot load the probe: the kernel has no BTF at {VMLINUX}; it must be built with \
         CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are"
    )]
    NoBtf,
    /// The kernel lacks the named tracepoint.
    #[error(
        "cannot attach the probe: this kernel has no tracepoint tcp:{0}; it exists since Linux 4.15 and \
         needs CONFIG_NET and CONFIG_TRACEPOINTS"
    )]
    NoTracepoint(&'static str),
    /// Sockets have no control group, by which the user filters.
    #[error(
        "--cgroup: sockets of this kernel have no control group; it needs Linux 5.15 and \
         CONFIG_SOCK_CGROUP_DATA, as kernels of current distributions have"
    )]
    NoSocketCgroup,
    /// tracefs is not mounted, and the classic tracepoint was requested or is the only one.
    #[error(
        "cannot attach to the classic tracepoint: tracefs is not mounted at /sys/kernel/tracing; \
         mount -t tracefs tracefs /sys/kernel/tracing"
    )]
    NoTracefs,
    /// tracefs cannot be read by this user. It may contain the classic tracepoint.
    #[error(
        "cannot attach to the classic tracepoint: this user may not read tracefs at {}; run as root, \
         or attach the BTF-typed tracepoint, which needs no tracefs", TRACEFS[0]
    )]
    TracefsDenied,
    /// Another error of libbpf.
    #[error("cannot {doing} the probe: {cause}")]
    Libbpf {
        /// The step that failed: open, load, attach.
        doing: &'static str,
        /// Why it failed.
        cause: KernelError,
    },
    /// An error of a system call that the probe needs.
    #[error("cannot {doing}: {error}")]
    System {
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        error: std::io::Error,
    },
}

impl ProbeError {
    /// Returns whether attaching to the BTF-typed tracepoint would avoid the error: it needs neither tracefs
    /// nor perf events.
    pub fn is_of_classic_tracepoint(&self) -> bool {
        match self {
            ProbeError::NoTracefs | ProbeError::TracefsDenied => true,
            ProbeError::Libbpf { cause, .. } => {
                matches!(cause.refusal(), Some(Refusal::PerfEvents(_)))
            }
            _ => false,
        }
    }
}

/// For `map_err`: converts the error of a system call to a [`ProbeError`] that names the failed step.
pub fn cannot<E: Into<io::Error>>(doing: &'static str) -> impl Fn(E) -> ProbeError {
    move |error| ProbeError::System {
        doing,
        error: error.into(),
    }
}

/// A requirement of the probe that can be checked before anything is loaded.
pub struct Requirement {
    /// Its name, of one or two words.
    pub name: &'static str,
    /// What is there if it is met.
    pub met: &'static str,
    check: fn(&Facts) -> Result<(), ProbeError>,
}

impl Requirement {
    /// Checks the requirement.
    ///
    /// # Errors
    ///
    /// A [`ProbeError`] that says what is missing, and what to do.
    pub fn check(&self, facts: &Facts) -> Result<(), ProbeError> {
        (self.check)(facts)
    }
}

/// What the probe requires. Each is checked once those before it are met.
pub const REQUIREMENTS: [Requirement; 6] = [
    Requirement {
        name: "user namespace",
        met: "the machine's own",
        check: |facts| facts.check_user_namespace().map_err(ProbeError::Forbidden),
    },
    Requirement {
        name: "capabilities",
        met: "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN",
        check: |facts| facts.check_capabilities().map_err(ProbeError::Forbidden),
    },
    Requirement {
        name: "bpf(2)",
        met: "allowed",
        check: |facts| facts.check_system_call().map_err(ProbeError::Forbidden),
    },
    Requirement {
        name: "lockdown",
        met: "BPF programs may read kernel memory",
        check: |facts| facts.check_lockdown().map_err(ProbeError::Forbidden),
    },
    Requirement {
        name: "BTF",
        met: VMLINUX,
        check: |_| match Path::new(VMLINUX).exists() {
            true => Ok(()),
            false => Err(ProbeError::NoBtf),
        },
    },
    Requirement {
        name: "tracepoints",
        met: "tcp:tcp_retransmit_skb and tcp:tcp_retransmit_synack",
        check: |_| missing_tracepoint().map_or(Ok(()), |name| Err(ProbeError::NoTracepoint(name))),
    },
];

/// The facts about this process, as requirements need them.
///
/// # Errors
///
/// [`ProbeError`] if the capabilities cannot be read.
pub fn facts() -> Result<Facts, ProbeError> {
    // Requirements read the kernel's types: libbpf must not read its variables of the environment before.
    libbpf::log();
    Facts::gather().map_err(cannot("read the process's capabilities"))
}

/// Checks the requirements before anything is loaded.
///
/// # Errors
///
/// A [`ProbeError`] that names the requirement that is not met.
pub fn check(attach: Attach) -> Result<(), ProbeError> {
    let facts = facts()?;
    REQUIREMENTS
        .iter()
        .try_for_each(|requirement| requirement.check(&facts))?;
    match attach {
        Attach::Tracepoint => check_tracefs(),
        Attach::Auto | Attach::Btf => Ok(()),
    }
}

/// Determines the cause of an error of libbpf that occurred at the step `doing`.
pub fn explain(doing: &'static str, error: libbpf_rs::Error) -> ProbeError {
    if let Some(tracepoint) = missing_tracepoint() {
        return ProbeError::NoTracepoint(tracepoint);
    }
    let cause = KernelError::of(error);
    ProbeError::Libbpf { doing, cause }
}

/// Determines the cause of an error that occurred when a program was attached in this way.
pub fn explain_attach(attach: Attach, error: libbpf_rs::Error) -> ProbeError {
    if attach != Attach::Tracepoint {
        return explain("attach", error);
    }
    if let Some(tracepoint) = missing_tracepoint() {
        return ProbeError::NoTracepoint(tracepoint);
    }
    let (doing, cause) = (
        "attach",
        KernelError::explained_by(error, Facts::explain_classic),
    );
    ProbeError::Libbpf { doing, cause }
}

/// A tracepoint that the kernel lacks, according to its BTF.
fn missing_tracepoint() -> Option<&'static str> {
    let btf = Btf::from_vmlinux().ok()?;
    programs::tracepoints().find(|tracepoint| {
        let name = format!("btf_trace_{tracepoint}");
        let prototype: Option<Typedef<'_>> = btf.type_by_name(&name);
        prototype.is_none()
    })
}

/// What only some kernels tell the probe, according to their types.
#[derive(Debug, Clone, Copy)]
pub struct KernelFeatures {
    /// The tracepoint also reports attempts that failed (Linux 6.17). It then has one argument more.
    pub failed_attempts: bool,
    /// The probe can give a socket a cookie (Linux 5.12).
    pub socket_cookies: bool,
    /// A socket has a control group (Linux 5.15, and earlier in some distributions).
    pub socket_cgroups: bool,
}

/// Reads what this kernel tells.
///
/// # Errors
///
/// [`ProbeError`] if the kernel's BTF cannot be read.
pub fn kernel_features() -> Result<KernelFeatures, ProbeError> {
    let failed = |error| explain("read the kernel's types for", error);
    let btf = Btf::from_vmlinux().map_err(failed)?;
    let member = |of: &str, wanted: &str| -> Option<BtfType<'_>> {
        let of: Struct<'_> = btf.type_by_name(of)?;
        let found = of
            .iter()
            .find(|member| member.name.is_some_and(|name| name == wanted));
        btf.type_by_id(found?.ty)
    };
    // As the guard in the probe: before 5.12 it is an atomic64_t.
    let cookie = member("net", "net_cookie");
    let is_number = |kind: BtfType<'_>| kind.skip_mods_and_typedefs().kind() == BtfKind::Int;
    Ok(KernelFeatures {
        failed_attempts: member("trace_event_raw_tcp_retransmit_skb", "err").is_some(),
        socket_cookies: cookie.is_some_and(is_number),
        socket_cgroups: member("sock_cgroup_data", "cgroup").is_some(),
    })
}

/// Whether a path exists. The error distinguishes `NotFound` from `PermissionDenied`.
type Existence = Result<(), io::ErrorKind>;

/// Checks that tracefs has the classic tracepoints. libbpf reads their numbers there to attach to them.
///
/// # Errors
///
/// [`ProbeError`] if tracefs is not mounted or not readable, or lacks a tracepoint.
pub fn check_tracefs() -> Result<(), ProbeError> {
    let find = |path: &str| {
        TRACEFS.map(|root| {
            let found = Path::new(root).join(path).metadata();
            found.map(drop).map_err(|error| error.kind())
        })
    };
    programs::tracepoints().try_for_each(|tracepoint| {
        let id = find(&format!("events/tcp/{tracepoint}/id"));
        diagnose_tracefs(tracepoint, id, find("events"))
    })
}

/// Determines the cause of a missing tracepoint. `id` and `events` are the existence of the tracepoint's number
/// and of the directory `events`, below each of [`TRACEFS`].
fn diagnose_tracefs(
    tracepoint: &'static str,
    id: [Existence; 2],
    events: [Existence; 2],
) -> Result<(), ProbeError> {
    if id.iter().any(Result::is_ok) {
        return Ok(());
    }
    // Only the first mount point counts: debugfs denies access to all users but root, with and without a tracefs in it.
    let denied = Err(io::ErrorKind::PermissionDenied);
    if id[0] == denied || events[0] == denied {
        return Err(ProbeError::TracefsDenied);
    }
    match events.iter().any(Result::is_ok) {
        true => Err(ProbeError::NoTracepoint(tracepoint)),
        false => Err(ProbeError::NoTracefs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: Existence = Ok(());
    const ABSENT: Existence = Err(io::ErrorKind::NotFound);
    const DENIED: Existence = Err(io::ErrorKind::PermissionDenied);

    #[test]
    fn a_tracefs_that_may_not_be_read_is_distinguished_from_one_that_is_not_mounted() {
        use ProbeError::NoTracefs;
        use ProbeError::NoTracepoint;
        use ProbeError::TracefsDenied;
        let diagnose = |id, events| diagnose_tracefs("t", id, events);
        assert!(diagnose([PRESENT, ABSENT], [PRESENT, ABSENT]).is_ok());
        assert!(diagnose([ABSENT, PRESENT], [ABSENT, PRESENT]).is_ok());
        let denied = diagnose([DENIED, DENIED], [DENIED, DENIED]);
        assert!(matches!(denied, Err(TracefsDenied)));
        // The directory `events` is readable, and the tracepoint's number is not.
        let denied = diagnose([DENIED, ABSENT], [PRESENT, ABSENT]);
        assert!(matches!(denied, Err(TracefsDenied)));
        for debugfs in [ABSENT, DENIED] {
            let none = diagnose([ABSENT, debugfs], [ABSENT, debugfs]);
            assert!(matches!(none, Err(NoTracefs)));
            let other = diagnose([ABSENT, debugfs], [PRESENT, debugfs]);
            assert!(matches!(other, Err(NoTracepoint("t"))));
        }
    }
}
