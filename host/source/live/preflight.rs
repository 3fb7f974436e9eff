//! What must be there before the probe can be loaded, and which part of it is missing.

use std::io;
use std::path::Path;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Struct;
use libbpf_rs::btf::types::Typedef;

use super::attach::Attach;
use super::programs;
use crate::source::bpf::facts::Facts;
use crate::source::bpf::facts::Refusal;
use crate::source::bpf::kernel_error::KernelError;

/// Where the kernel shows its own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Where tracefs is mounted: on its own, or in debugfs, as until 4.1.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Why the probe cannot run here, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process may not load or attach BPF programs.
    #[error("no permission to load the probe: {0}")]
    Forbidden(Refusal),
    /// The kernel was built without type information.
    #[error(
        "cannot load the probe: the kernel has no BTF at {VMLINUX}; it must be built with \
         CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are"
    )]
    NoBtf,
    /// The kernel has no such tracepoint.
    #[error(
        "cannot attach the probe: this kernel has no tracepoint tcp:{0}; it came with Linux 4.15 and needs \
         CONFIG_NET and CONFIG_TRACEPOINTS"
    )]
    NoTracepoint(&'static str),
    /// The classic tracepoint was asked for, or is all there is, and cannot be found.
    #[error(
        "cannot attach to the classic tracepoint: tracefs is not mounted at /sys/kernel/tracing; \
         mount -t tracefs tracefs /sys/kernel/tracing"
    )]
    NoTracefs,
    /// The same, where it may be there.
    #[error(
        "cannot attach to the classic tracepoint: this user may not read tracefs at {}; run as root, \
         or attach the BTF-typed tracepoint, which needs no tracefs", TRACEFS[0]
    )]
    TracefsDenied,
    /// Anything else.
    #[error("cannot {doing} the probe: {cause}")]
    Libbpf {
        /// What was being done: open, load, attach.
        doing: &'static str,
        /// Why it failed.
        cause: KernelError,
    },
    /// The kernel refused something else that the probe needs.
    #[error("cannot {doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ProbeError {
    /// Is the way to attach at fault? The BTF-typed tracepoint needs neither tracefs nor perf events.
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

/// For `map_err`: what could not be done.
pub fn cannot<E: Into<io::Error>>(doing: &'static str) -> impl Fn(E) -> ProbeError {
    move |error| ProbeError::System {
        doing,
        error: error.into(),
    }
}

/// Names what is missing, before anything is loaded.
pub fn check(attach: Attach) -> Result<(), ProbeError> {
    let facts = Facts::gather().map_err(cannot("read the process's capabilities"))?;
    if let Some(refusal) = facts.forbid() {
        return Err(ProbeError::Forbidden(refusal));
    }
    if !Path::new(VMLINUX).exists() {
        return Err(ProbeError::NoBtf);
    }
    match attach {
        Attach::Tracepoint => check_tracefs(),
        Attach::Auto | Attach::Btf => Ok(()),
    }
}

/// Looks closer at an error of libbpf's: most have one of a few causes.
pub fn explain(doing: &'static str, error: libbpf_rs::Error) -> ProbeError {
    if let Some(tracepoint) = missing_tracepoint() {
        return ProbeError::NoTracepoint(tracepoint);
    }
    let cause = KernelError::of(error);
    ProbeError::Libbpf { doing, cause }
}

/// The same of a program that could not be attached in this way.
pub fn explain_attach(attach: Attach, error: libbpf_rs::Error) -> ProbeError {
    if attach != Attach::Tracepoint {
        return explain("attach", error);
    }
    if let Some(tracepoint) = missing_tracepoint() {
        return ProbeError::NoTracepoint(tracepoint);
    }
    let (doing, cause) = (
        "attach",
        KernelError::explained(error, Facts::explain_classic),
    );
    ProbeError::Libbpf { doing, cause }
}

/// A tracepoint that the kernel lacks, as its types show.
fn missing_tracepoint() -> Option<&'static str> {
    let btf = Btf::from_vmlinux().ok()?;
    programs::tracepoints().find(|tracepoint| {
        let name = format!("btf_trace_{tracepoint}");
        let prototype: Option<Typedef<'_>> = btf.type_by_name(&name);
        prototype.is_none()
    })
}

/// Does the tracepoint tell of attempts that failed? Since Linux 6.17 it has one argument more.
pub fn reports_failed_attempts() -> Result<bool, ProbeError> {
    let failed = |error| explain("read the kernel's types for", error);
    let btf = Btf::from_vmlinux().map_err(failed)?;
    let event: Option<Struct<'_>> = btf.type_by_name("trace_event_raw_tcp_retransmit_skb");
    let mut members = event.iter().flat_map(|event| event.iter());
    Ok(members.any(|member| member.name.is_some_and(|name| name == "err")))
}

/// What is seen of a path: `NotFound` and `PermissionDenied` are not the same.
type Seen = Result<(), io::ErrorKind>;

/// Are the classic tracepoints there? Reading their numbers from tracefs is how libbpf attaches to them.
pub fn check_tracefs() -> Result<(), ProbeError> {
    let see = |path: &str| {
        TRACEFS.map(|root| {
            let seen = Path::new(root).join(path).metadata();
            seen.map(drop).map_err(|error| error.kind())
        })
    };
    programs::tracepoints().try_for_each(|tracepoint| {
        let id = see(&format!("events/tcp/{tracepoint}/id"));
        judge_tracefs(tracepoint, id, see("events"))
    })
}

fn judge_tracefs(
    tracepoint: &'static str,
    id: [Seen; 2],
    events: [Seen; 2],
) -> Result<(), ProbeError> {
    if id.iter().any(Result::is_ok) {
        return Ok(());
    }
    // What is in debugfs only root may see, whether tracefs is there or not: that proves nothing.
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

    const THERE: Seen = Ok(());
    const ABSENT: Seen = Err(io::ErrorKind::NotFound);
    const DENIED: Seen = Err(io::ErrorKind::PermissionDenied);

    #[test]
    fn a_tracefs_that_may_not_be_read_is_told_from_one_that_is_not_mounted() {
        use ProbeError::NoTracefs;
        use ProbeError::NoTracepoint;
        use ProbeError::TracefsDenied;
        let judge = |id, events| judge_tracefs("t", id, events);
        assert!(judge([THERE, ABSENT], [THERE, ABSENT]).is_ok());
        assert!(judge([ABSENT, THERE], [ABSENT, THERE]).is_ok());
        let denied = judge([DENIED, DENIED], [DENIED, DENIED]);
        assert!(matches!(denied, Err(TracefsDenied)));
        // Its root may be read, and events not.
        let denied = judge([DENIED, ABSENT], [THERE, ABSENT]);
        assert!(matches!(denied, Err(TracefsDenied)));
        for debugfs in [ABSENT, DENIED] {
            let none = judge([ABSENT, debugfs], [ABSENT, debugfs]);
            assert!(matches!(none, Err(NoTracefs)));
            let other = judge([ABSENT, debugfs], [THERE, debugfs]);
            assert!(matches!(other, Err(NoTracepoint("t"))));
        }
    }
}
