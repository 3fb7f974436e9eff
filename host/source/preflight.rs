//! What must be there before the probe can be loaded, and which part of it is missing.

use std::path::Path;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Struct;
use libbpf_rs::btf::types::Typedef;
use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;

/// Where the kernel shows its own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Why the probe cannot run here, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process may not load or attach BPF programs.
    #[error(
        "no permission to load the probe: {} missing; run as root, or grant it with \
         `setcap cap_bpf,cap_perfmon+ep` on the binary",
        .0.join(" and ")
    )]
    Capabilities(Vec<&'static str>),
    /// The kernel was built without type information.
    #[error(
        "cannot load the probe: the kernel has no BTF at {VMLINUX}; it must be built with \
         CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are"
    )]
    NoBtf,
    /// The kernel has no such tracepoint.
    #[error(
        "cannot attach the probe: this kernel has no tracepoint tcp:tcp_retransmit_skb; it came \
         with Linux 4.15 and needs CONFIG_NET and CONFIG_TRACEPOINTS"
    )]
    NoTracepoint,
    /// The classic tracepoint was asked for, or is all there is, and cannot be found.
    #[error(
        "cannot attach to the classic tracepoint: tracefs is not mounted at /sys/kernel/tracing; \
         mount -t tracefs tracefs /sys/kernel/tracing"
    )]
    NoTracefs,
    /// Anything else, in libbpf's words.
    #[error("cannot {doing} the probe: {error}; -vv shows what the kernel said")]
    Libbpf {
        /// What was being done: open, load, attach.
        doing: &'static str,
        /// What libbpf said.
        error: libbpf_rs::Error,
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

/// For `map_err`: what could not be done.
pub fn cannot<E: Into<std::io::Error>>(doing: &'static str) -> impl Fn(E) -> ProbeError {
    move |error| ProbeError::System {
        doing,
        error: error.into(),
    }
}

/// Names what is missing, before anything is loaded.
pub fn check() -> Result<(), ProbeError> {
    if !Path::new(VMLINUX).exists() {
        return Err(ProbeError::NoBtf);
    }
    let have = capabilities(None).map_err(cannot("read the process's capabilities"))?;
    let missing = missing_capabilities(have.effective);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ProbeError::Capabilities(missing))
    }
}

/// CAP_SYS_ADMIN has been enough for all of it since before there was CAP_BPF (5.8).
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

/// Looks closer at an error of libbpf's: most have one of a few causes.
pub fn explain(doing: &'static str, error: libbpf_rs::Error) -> ProbeError {
    let tracepoint = Btf::from_vmlinux().map(|btf| {
        let prototype: Option<Typedef<'_>> = btf.type_by_name("btf_trace_tcp_retransmit_skb");
        prototype.is_some()
    });
    match tracepoint {
        Ok(false) => ProbeError::NoTracepoint,
        _ => ProbeError::Libbpf { doing, error },
    }
}

/// Does the tracepoint tell of attempts that failed? Since Linux 6.17 it has one argument more.
pub fn tells_errors() -> Result<bool, ProbeError> {
    let failed = |error| explain("read the kernel's types for", error);
    let btf = Btf::from_vmlinux().map_err(failed)?;
    let event: Option<Struct<'_>> = btf.type_by_name("trace_event_raw_tcp_retransmit_skb");
    let mut members = event.iter().flat_map(|event| event.iter());
    Ok(members.any(|member| member.name.is_some_and(|name| name == "err")))
}

/// Is the classic tracepoint there? Reading its number from tracefs is how libbpf attaches to it.
pub fn check_tracefs() -> Result<(), ProbeError> {
    let roots = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let has = |path| roots.iter().any(|root| Path::new(root).join(path).exists());
    if has("events/tcp/tcp_retransmit_skb/id") {
        Ok(())
    } else if has("events") {
        Err(ProbeError::NoTracepoint)
    } else {
        Err(ProbeError::NoTracefs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_capability_is_named() {
        let missing = missing_capabilities;
        assert_eq!(missing(CapabilitySet::empty()), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(CapabilitySet::BPF), ["CAP_PERFMON"]);
        assert_eq!(missing(CapabilitySet::PERFMON), ["CAP_BPF"]);
        let both = CapabilitySet::BPF | CapabilitySet::PERFMON;
        assert!(missing(both).is_empty());
        assert!(missing(CapabilitySet::SYS_ADMIN).is_empty());
    }
}
