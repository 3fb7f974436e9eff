//! Starts the host under some circumstance and checks that it sees what the kernel counts, or says why it cannot.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::support::Root;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns::command;
use crate::support::oracle::Nstat;
use crate::support::root_test;

/// Runs a test as root in a guest: where the kernel was started with the guest's /init.
pub fn guest_test(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    ensure!(
        Path::new("/init").is_file() && Path::new("/parts").is_file(),
        "this test changes the whole machine and is for guests: make kernels PARTS=machine"
    );
    root_test(test)
}

/// A launcher that becomes a program of user 65534, with these capabilities alone and this limit of locked memory, in
/// bytes or `unlimited`. Before Linux 5.11, BPF maps count as locked memory.
pub fn unprivileged(capabilities: &str, locked_memory: &str) -> Vec<String> {
    let only = format!("-all,{capabilities}");
    [
        "prlimit".to_owned(),
        format!("--memlock={locked_memory}"),
        "setpriv".to_owned(),
        "--reuid=65534".to_owned(),
        "--regid=65534".to_owned(),
        "--clear-groups".to_owned(),
        format!("--inh-caps={only}"),
        format!("--ambient-caps={only}"),
    ]
    .to_vec()
}

/// The capabilities that are enough for BTF-typed tracepoints.
pub const TWO: &str = "+bpf,+perfmon";
/// The same, and reading tracefs, which belongs to root.
pub const TWO_AND_TRACEFS: &str = "+bpf,+perfmon,+dac_read_search";

/// Checks that the host, started by this launcher, has an event for each of five fast retransmits.
#[track_caller]
pub fn assert_watches(root: &Root, launcher: &[String], arguments: &[&str]) -> Result<()> {
    let words: Vec<&str> = launcher.iter().map(String::as_str).collect();
    let lab = Lab::new()?;
    let host = match words.as_slice() {
        [] => Host::start(root, arguments),
        words => Host::start_by(root, words, arguments),
    };
    let host = host.with_context(|| format!("{words:?} {arguments:?}"))?;
    lab.five_fast_retransmits(RECEIVER_V4)?;
    let run = host.stop()?;
    assert_eq!(Nstat::of(&lab.sender)?.retransmitted_segments()?, 5);
    assert_eq!(
        kinds(&run.retransmits_in(&lab.sender)?),
        ["fast"; 5],
        "{words:?} {arguments:?}"
    );
    run.ledger.assert_complete();
    Ok(())
}

/// Checks that the host, started by this launcher, ends with one line that has all of `words`.
#[track_caller]
pub fn assert_says_why_not(launcher: &[String], arguments: &[&str], words: &[&str]) {
    let mut host = match launcher {
        [] => Command::new(BINARY),
        [program, rest @ ..] => {
            let mut launcher = command(program);
            launcher.args(rest).arg(BINARY);
            launcher
        }
    };
    assert_refused(host.args(arguments), FAILURE, words);
}

/// A launcher that runs this shell script in a mount namespace of its own before it becomes the host.
pub fn after(script: &str) -> Vec<String> {
    let script = format!("{script} && exec \"$0\" \"$@\"");
    ["unshare", "--mount", "sh", "-c", &script]
        .map(str::to_owned)
        .to_vec()
}

/// Sets a sysctl of the machine. Returns whether this kernel has it and takes the value.
pub fn set(name: &str, value: &str) -> Result<bool> {
    let path = Path::new("/proc/sys").join(name);
    if !path.exists() || fs::write(&path, value).is_err() {
        return Ok(false);
    }
    let now = fs::read_to_string(&path)?;
    Ok(now.trim() == value)
}
