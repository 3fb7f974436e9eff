//! The kernel's own trace of retransmits, in a private instance of tracefs.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::process::Child;
use std::process::Stdio;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::netns::command;

/// Mounts tracefs in a private mount namespace, enables the events in a new instance, and removes the
/// instance when standard input ends: also when the test was killed.
const HOLDER: &str = r#"
set -e
test -d /sys/kernel/tracing/events || mount -t tracefs tracefs /sys/kernel/tracing
instance=/sys/kernel/tracing/instances/$0
mkdir "$instance"
switch() { for event in skb synack; do echo "$1" >"$instance/events/tcp/tcp_retransmit_$event/enable"; done; }
trap 'switch 0; rmdir "$instance"' EXIT
trap '' INT
switch 1
echo ready
cat >/dev/null
"#;

/// A trace of `tcp:tcp_retransmit_skb` and `tcp:tcp_retransmit_synack`, from [`Trace::start`] until it is dropped.
pub struct Trace {
    holder: Child,
    instance: PathBuf,
}

impl Trace {
    /// Starts tracing.
    pub fn start() -> Result<Trace> {
        /// Tests run at the same time, and each needs a name.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("retrans-test-{}-{number}", process::id());
        let mut holder = command("unshare")
            .args(["--mount", "sh", "-c", HOLDER, &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare")?;
        let stdout = holder.stdout.take().context("standard output is a pipe")?;
        let instance = format!(
            "/proc/{}/root/sys/kernel/tracing/instances/{name}",
            holder.id()
        );
        let trace = Trace {
            holder,
            instance: PathBuf::from(instance),
        };
        let mut answer = String::new();
        BufReader::new(stdout).read_line(&mut answer)?;
        ensure!(answer == "ready\n", "cannot make a tracefs instance");
        Ok(trace)
    }

    /// The lines of the trace that have all of these words; each is a call of the tracepoint.
    pub fn lines_with(&self, words: &[&str]) -> Result<Vec<String>> {
        let trace = fs::read_to_string(self.instance.join("trace"))?;
        let has_all = |line: &&str| {
            words
                .iter()
                .all(|word| line.split_whitespace().any(|part| part == *word))
        };
        let lines = trace.lines().filter(|line| !line.starts_with('#'));
        Ok(lines.filter(has_all).map(str::to_owned).collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Whether the softirq of this line interrupted a thread of process 1. Some virtual machines run no BPF
/// program at all then (seen on a modified 6.18, with threads of a management program; tracefs is not
/// affected), and do not count it.
pub fn interrupted_init(line: &str) -> bool {
    // "tokio-rt-worker-75      [001] ..s.. 12.3: tcp_retransmit_skb: …"
    let task = line.split_once(" [").map(|(task, _)| task.trim_end());
    let thread = task.and_then(|task| task.rsplit_once('-'));
    thread.is_some_and(|(_, thread)| Path::new(&format!("/proc/1/task/{thread}")).exists())
}
