//! Where the probe cannot run: one line that names what the machine or the user lacks.

mod common;
mod live;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use object::Object;
use object::ObjectSection;

use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::live::netns::command;
use crate::live::root_test;

/// The host as root without some of root's capabilities.
fn without(capabilities: &str) -> Command {
    let mut setpriv = command("setpriv");
    setpriv.args([&format!("--bounding-set={capabilities}"), BINARY]);
    setpriv
}

/// The host in a mount namespace of its own, in which a shell has run `set_up`.
fn where_mounted(set_up: &str, arguments: &[&str]) -> Command {
    let mut unshare = command("unshare");
    let script = format!("{set_up} && exec \"$0\" \"$@\"");
    unshare.args(["--mount", "sh", "-c", &script, BINARY]);
    unshare.args(arguments);
    unshare
}

#[test]
fn root_the_missing_capability_is_named() -> Result<()> {
    root_test(|_| {
        for (dropped, missing) in [
            ("-sys_admin,-bpf", "CAP_BPF missing"),
            ("-sys_admin,-perfmon", "CAP_PERFMON missing"),
            ("-all", "CAP_BPF and CAP_PERFMON missing"),
        ] {
            let words = [missing, "run as root", "setcap cap_bpf,cap_perfmon+ep"];
            assert_refused(&mut without(dropped), FAILURE, &words);
        }
        Ok(())
    })
}

#[test]
fn root_a_kernel_without_btf_is_named() -> Result<()> {
    root_test(|_| {
        let mut host = where_mounted("mount -t tmpfs tmpfs /sys/kernel/btf", &[]);
        let words = ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y"];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_a_kernel_without_the_tracepoint_is_named() -> Result<()> {
    root_test(|_| {
        // Types of a kernel that has what the probe reads, but not the tracepoint: the probe's own.
        let probe = fs::read(Path::new(env!("OUT_DIR")).join("retrans.bpf.o"))?;
        let probe = object::File::parse(&*probe)?;
        let btf = probe.section_by_name(".BTF").context("the probe has BTF")?;
        let files = Files::new();
        let btf = files.write("vmlinux", btf.data()?);

        let no_tracefs = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let set_up = format!(
            "{no_tracefs} && mount --bind {} /sys/kernel/btf/vmlinux",
            btf.display()
        );
        let words = ["no tracepoint tcp:tcp_retransmit_skb", "Linux 4.15"];
        for attach in ["btf", "auto"] {
            let mut host = where_mounted(&set_up, &["--attach", attach]);
            assert_refused(&mut host, FAILURE, &words);
        }
        Ok(())
    })
}

#[test]
fn root_a_tracefs_that_is_not_mounted_is_named() -> Result<()> {
    root_test(|_| {
        let set_up = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let mut host = where_mounted(set_up, &["--attach", "tracepoint"]);
        let words = [
            "tracefs is not mounted",
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_a_tracefs_without_the_tracepoint_is_told_apart() -> Result<()> {
    root_test(|_| {
        let set_up = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mkdir -p /sys/kernel/tracing/events/net && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let mut host = where_mounted(set_up, &["--attach", "tracepoint"]);
        let words = ["no tracepoint tcp:tcp_retransmit_skb"];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}
