//! File systems of the kernel that are not mounted, or hidden.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;

use crate::watching::after;
use crate::watching::assert_says_why_not;
use crate::watching::assert_watches;
use crate::watching::guest_test;

const CLASSIC: &[&str] = &["--attach", "tracepoint"];

#[test]
fn root_without_tracefs_btf_typed_tracepoints_are_attached() -> Result<()> {
    guest_test(|root| {
        let hidden = after("umount -l /sys/kernel/tracing");
        assert_watches(root, &hidden, &[])?;
        assert_says_why_not(&hidden, CLASSIC, &["tracefs is not mounted"]);
        Ok(())
    })
}

#[test]
fn root_tracefs_is_found_through_debugfs() -> Result<()> {
    guest_test(|root| {
        let through = after(
            "umount -l /sys/kernel/tracing && mount -t debugfs debugfs /sys/kernel/debug && \
             test -d /sys/kernel/debug/tracing/events",
        );
        assert_watches(root, &through, CLASSIC)
    })
}

#[test]
fn root_without_btf_neither_kind_of_tracepoint_is_attached() -> Result<()> {
    guest_test(|_| {
        let hidden = after("mount -t tmpfs tmpfs /sys/kernel/btf");
        for arguments in [&[][..], CLASSIC] {
            assert_says_why_not(&hidden, arguments, &["/sys/kernel/btf/vmlinux"]);
        }
        Ok(())
    })
}

#[test]
fn root_without_sys_it_is_said_that_there_is_no_btf() -> Result<()> {
    guest_test(|_| {
        assert_says_why_not(&after("umount -l /sys"), &[], &["/sys/kernel/btf/vmlinux"]);
        Ok(())
    })
}

#[test]
fn root_without_proc_it_is_said() -> Result<()> {
    guest_test(|_| {
        assert_says_why_not(&after("umount -l /proc"), &[], &["mount proc at /proc"]);
        Ok(())
    })
}

/// For every process, not for the host alone: last, and put back.
#[test]
fn root_where_no_process_has_tracefs_events_come() -> Result<()> {
    guest_test(|root| {
        mount(&["umount", "-l", "/sys/kernel/tracing"])?;
        let watched = assert_watches(root, &[], &[]);
        mount(&["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"])?;
        ensure!(
            Path::new("/sys/kernel/tracing/events").is_dir(),
            "tracefs is back"
        );
        watched
    })
}

fn mount(words: &[&str]) -> Result<()> {
    let status = Command::new(words[0]).args(&words[1..]).status()?;
    ensure!(status.success(), "{words:?}: {status}");
    Ok(())
}
