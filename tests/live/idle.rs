//! A host without events sleeps: it wakes up for the mark of each second, and for nothing else.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;

use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::root_test;

/// How long the host is watched.
const TIME: Duration = Duration::from_secs(5);

/// Wake-ups for each mark: of the source, of the chain, and two of the thread that ends epochs while a plugin has its
/// tick. Twice as many are admitted.
const FOR_EACH_MARK: u64 = 4;

/// How often the threads of a process have given up their CPU to wait.
fn waits(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += count
            .context("a thread has this counter")?
            .trim()
            .parse::<u64>()?;
    }
    Ok(sum)
}

#[test]
fn root_without_events_the_host_wakes_up_for_marks_alone() -> Result<()> {
    root_test(|root| {
        // No other test's retransmits reach the host.
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let plugins = ["--plugin", "threshold-alert", "--plugin", "json-print"];
        let host = Host::start(root, &[&["--netns", &netns], &plugins[..]].concat())?;
        // What the start has left to do.
        thread::sleep(Duration::from_secs(1));
        let before = waits(host.pid())?;
        thread::sleep(TIME);
        let waits = waits(host.pid())? - before;
        let marks = TIME.as_secs() + 1;
        assert!(waits <= 2 * FOR_EACH_MARK * marks, "{waits} in {TIME:?}");
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}
