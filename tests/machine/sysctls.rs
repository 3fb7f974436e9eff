//! Sysctls that restrict BPF and tracing.

use anyhow::Result;
use anyhow::ensure;

use crate::support::root::lacks;
use crate::watching::TWO;
use crate::watching::TWO_AND_TRACEFS;
use crate::watching::assert_says_why_not;
use crate::watching::assert_watches;
use crate::watching::guest_test;
use crate::watching::set;
use crate::watching::unprivileged;

#[test]
fn root_a_hardened_jit_changes_nothing() -> Result<()> {
    guest_test(|root| {
        ensure!(
            set("net/core/bpf_jit_harden", "2")?,
            "there is no bpf_jit_harden"
        );
        let watched = assert_watches(root, &[], &[]);
        ensure!(set("net/core/bpf_jit_harden", "0")?, "it stays");
        watched
    })
}

/// Debian's kernels also have 3 and 4. The classic tracepoint is a perf event, and BTF-typed ones are not.
#[test]
fn root_perf_event_paranoid_forbids_the_classic_tracepoint_alone() -> Result<()> {
    guest_test(|root| {
        for level in ["2", "3", "4"] {
            if !set("kernel/perf_event_paranoid", level)? {
                lacks(&format!("perf_event_paranoid has no level {level}"));
                continue;
            }
            assert_watches(root, &unprivileged(TWO, "unlimited"), &["--attach", "btf"])?;
            assert_watches(root, &[], &["--attach", "tracepoint"])?;
            let launcher = unprivileged(TWO_AND_TRACEFS, "unlimited");
            let classic = ["--attach", "tracepoint"];
            if level == "2" {
                assert_watches(root, &launcher, &classic)?;
            } else {
                let words = [
                    &format!("kernel.perf_event_paranoid is {level}"),
                    "CAP_SYS_ADMIN",
                ];
                assert_says_why_not(&launcher, &classic, &words);
            }
        }
        ensure!(set("kernel/perf_event_paranoid", "2")?, "it stays");
        Ok(())
    })
}

/// In this order: from 1 there is no way back until the machine is started again.
#[test]
fn root_unprivileged_bpf_may_be_allowed_or_disabled() -> Result<()> {
    guest_test(|root| {
        for value in ["0", "2", "1"] {
            if !set("kernel/unprivileged_bpf_disabled", value)? {
                lacks(&format!("unprivileged_bpf_disabled has no value {value}"));
                continue;
            }
            assert_watches(root, &[], &[])?;
            assert_watches(root, &unprivileged(TWO, "unlimited"), &["--attach", "btf"])?;
            for (capability, missing) in [("+bpf", "CAP_PERFMON"), ("+perfmon", "CAP_BPF")] {
                let launcher = unprivileged(capability, "unlimited");
                assert_says_why_not(&launcher, &[], &[&format!("{missing} missing")]);
            }
        }
        Ok(())
    })
}
