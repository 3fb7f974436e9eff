//! Shared by the tests on the live probe: private networks, the host as a child process, and
//! counters to compare it with.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod attempts;
pub mod burst;
pub mod bystander;
pub mod captures;
pub mod container;
pub mod expect;
pub mod handshake;
pub mod host;
pub mod lab;
pub mod ledger;
pub mod mib;
pub mod netns;
pub mod oracle;
pub mod owners;
pub mod pmtu;
pub mod processes;
pub mod reconcile;
pub mod timers;
pub mod tracefs;

use std::env;
use std::io;
use std::io::Write;
use std::path::Path;
use std::thread;

use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;

/// Proof that this process may make network namespaces and load BPF programs.
pub struct Root(());

/// `None` where a root test cannot run: the test then returns, and says on standard error that it was
/// skipped and why. With `CI=true` that is a failure instead.
pub fn require_root() -> Option<Root> {
    let Err(reason) = may_run() else {
        return Some(Root(()));
    };
    let thread = thread::current();
    let name = thread.name().unwrap_or("a test without a name");
    assert!(
        env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{name} must run where CI=true: {reason}"
    );
    // Not eprintln!, which the test harness swallows when the test passes.
    let _ = writeln!(io::stderr(), "skipped: {name}: {reason}");
    None
}

fn may_run() -> Result<(), String> {
    let have = capabilities(None)
        .map_err(|error| format!("cannot read this process's capabilities: {error}"))?
        .effective;
    let needed = [
        (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
        (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    ];
    if let Some((_, missing)) = needed.iter().find(|(needed, _)| !have.contains(*needed)) {
        return Err(format!("{missing} is missing; run it as root"));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err("this kernel has no BTF at /sys/kernel/btf/vmlinux".to_owned());
    }
    let path = netns::search_path();
    for program in ["ip", "nft", "nstat"] {
        if !env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
            return Err(format!("{program} is not installed; run scripts/setup.sh"));
        }
    }
    Ok(())
}
