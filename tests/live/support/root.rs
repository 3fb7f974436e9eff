//! Runs tests on the live probe, which need root and a kernel that runs the probe for every retransmit.

use std::env;
use std::fmt;
use std::io;
use std::io::Write;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::thread;

use anyhow::Result;
use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;

use super::misses;
use super::netns;
use super::tracefs::Trace;
use super::tracefs::interrupted_init;

/// The most attempts of a test.
const ATTEMPTS: usize = 5;

/// Locked for reading by each running test, and for writing by one that runs alone.
static RUNNING: RwLock<()> = RwLock::new(());

/// Proof that this process may make network namespaces and load BPF programs.
pub struct Root(());

impl Root {
    /// Checks this process. The error names what is missing.
    pub fn of_this_process() -> Result<Root, String> {
        may_run().map(Root)
    }
}

/// Runs a test as root. Without root it returns, and reports on standard error that the test was
/// skipped and why; with `CI=true` that is a failure instead.
///
/// A test that fails is repeated if, and only if, the kernel itself tells that it has not run a BPF program
/// for a call that the test may need. Standard error has a line about it. There are two such cases:
///
/// - Some kernels hide a retransmit from every BPF program where it interrupts process 1
///   ([`interrupted_init`]); their own trace shows it. Tests may run at the same time: the retransmit may have
///   been another test's.
/// - The kernel has skipped calls of a host's programs ([`misses`]).
pub fn root_test(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    run_as_root(test)
}

/// The same with no other test of this binary at the same time: for a test that uses up what all hosts
/// of the machine share (room in rings, CPU time, time for scans), or that another host would disturb.
pub fn root_test_alone(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    let _running = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    run_as_root(test)
}

fn run_as_root(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    let root = match Root::of_this_process() {
        Ok(root) => root,
        Err(reason) => {
            assert!(
                env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{} must run where CI=true: {reason}",
                test_name()
            );
            skipped(&reason);
            return Ok(());
        }
    };
    for attempt in 1.. {
        let trace = Trace::start()?;
        misses::take();
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| test(&root)));
        if let Ok(Ok(())) = outcome {
            break;
        }
        let lines = trace.lines_with(&[])?;
        let hidden = lines.iter().filter(|line| interrupted_init(line)).count() as u64;
        let skipped = misses::take();
        if hidden + skipped == 0 || attempt == ATTEMPTS {
            return outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
        say(format_args!(
            "again: {}: {hidden} retransmits interrupted process 1, where this kernel may run no \
             BPF program; the kernel has skipped {skipped} calls of the host's programs",
            test_name()
        ));
    }
    Ok(())
}

/// Reports on standard error that the calling test was skipped.
pub fn skipped(reason: &str) {
    say(format_args!("skipped: {}: {reason}", test_name()));
}

/// Reports on standard error what the calling test leaves out, because this kernel lacks it.
pub fn lacks(reason: &str) {
    say(format_args!("lacks: {}: {reason}", test_name()));
}

/// Not `eprintln!`: the test harness captures that, and drops it when the test passes.
pub fn say(words: fmt::Arguments) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// The name of the calling test.
pub fn test_name() -> String {
    let thread = thread::current();
    thread.name().unwrap_or("a test without a name").to_owned()
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
