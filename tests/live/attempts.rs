//! Attempts to retransmit that come to nothing in the sender itself.

use std::net::IpAddr;
use std::str;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::host::WITH_TRACEFS;
use super::lab::Flow;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;
use super::netns::command;
use super::oracle::wait_for_counter;

/// Does this kernel's tracepoint tell of attempts that failed? Since Linux 6.17; before, it fires only
/// for segments that were sent.
pub fn kernel_tells_of_failures() -> Result<bool> {
    let output = command("unshare")
        .args(["--mount", "sh", "-c", WITH_TRACEFS, "cat"])
        .arg("/sys/kernel/tracing/events/tcp/tcp_retransmit_skb/format")
        .output()
        .context("cannot start unshare")?;
    ensure!(
        output.status.success(),
        "cannot read the tracepoint's format"
    );
    Ok(str::from_utf8(&output.stdout)?.contains("int err;"))
}

impl Lab {
    /// One segment is lost on the way. Before its first timeout the sender does `fault` to itself, and
    /// after the second timeout `repair` (command lines both): the third gets through.
    pub fn two_timeouts_in_vain(
        &self,
        peer: impl Into<IpAddr>,
        fault: impl FnOnce() -> Result<()>,
        repair: impl FnOnce() -> Result<()>,
    ) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        fault()?;
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", 2)?;
        // The third comes two seconds later.
        self.lose_nothing()?;
        repair()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Two segments through a queue that lets the first one pass and keeps the second, through two
    /// timeouts; then the queue is emptied.
    pub fn two_timeouts_in_a_queue(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        // 8 bytes a second: the second segment is not due within a minute.
        self.sender
            .run("tc qdisc add dev to-receiver root tbf rate 64bit burst 1000 limit 10000")?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        flow.send_segment()?;
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", 2)?;
        // The third comes two seconds later.
        self.sender.run("tc qdisc del dev to-receiver root")?;
        flow.receive_segments(1)?;
        Ok(flow)
    }
}
