//! Attempts to retransmit that fail in the sender itself.

use std::net::IpAddr;
use std::str;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use super::Root;
use super::expect::assert_on_flow;
use super::host::WITH_TRACEFS;
use super::lab::Flow;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;
use super::netns::command;
use super::oracle::Nstat;
use super::oracle::wait_for_counter;
use super::root::skipped;
use super::root_test;
use super::root_test_alone;

/// [`root_test`], skipped where the kernel's tracepoint does not report attempts that failed.
pub fn failures_test(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    root_test(|root| run_where_failures_are_told(root, &test))
}

/// The same as [`root_test_alone`].
pub fn failures_test_alone(test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    root_test_alone(|root| run_where_failures_are_told(root, &test))
}

fn run_where_failures_are_told(root: &Root, test: impl Fn(&Root) -> Result<()>) -> Result<()> {
    if kernel_tells_of_failures()? {
        return test(root);
    }
    skipped(
        "this kernel's tracepoint does not tell of failed attempts, as it does since Linux 6.17",
    );
    Ok(())
}

/// Whether the tracepoint reports attempts that failed: since Linux 6.17. Before, it fires only for
/// segments that were sent.
fn kernel_tells_of_failures() -> Result<bool> {
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
    /// One segment is lost on the way, however often it is sent, until the command lines `fault` keep the
    /// sender from sending it again. After at least two attempts `repair` lets the next one through. On a
    /// slow machine, timeouts come before the fault.
    pub fn attempts_in_vain(
        &self,
        peer: impl Into<IpAddr>,
        fault: &[&str],
        repair: &[&str],
    ) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        for line in fault {
            self.sender.run(line)?;
        }
        let before = Nstat::of(&self.sender)?.get("TcpExtTCPTimeouts")?;
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", before + 2)?;
        self.lose_nothing()?;
        for line in repair {
            self.sender.run(line)?;
        }
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Two segments through a queue that lets the first one pass and keeps the second for at least two
    /// timeouts; then the queue is deleted.
    pub fn attempts_while_still_queued(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        // 8 bytes a second: the second segment would take more than a minute.
        self.sender
            .run("tc qdisc add dev to-receiver root tbf rate 64bit burst 1000 limit 10000")?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        flow.send_segment()?;
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", 2)?;
        self.sender.run("tc qdisc del dev to-receiver root")?;
        flow.receive_segments(1)?;
        Ok(flow)
    }
}

/// The attempt in an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt<'a> {
    /// Name of the error.
    pub error: &'a str,
    /// Whether it left the host.
    pub sent: bool,
    /// Segments, as the kernel counts them.
    pub segments: u64,
}

/// It left this host, even if it was lost later.
pub const SENT: Attempt = Attempt {
    error: "none",
    sent: true,
    segments: 1,
};
/// There was no route: no segment was built or counted.
pub const NO_ROUTE: Attempt = Attempt {
    error: "EHOSTUNREACH",
    sent: false,
    segments: 0,
};
/// The first copy is still in this host.
pub const QUEUED: Attempt = Attempt {
    error: "EBUSY",
    sent: false,
    segments: 0,
};
/// Dropped by a filter on the way out: the kernel counted it.
pub const FILTERED: Attempt = Attempt {
    error: "EPERM",
    sent: false,
    segments: 1,
};
/// Dropped by the device's queue: the kernel counted it.
pub const OVERFLOWED: Attempt = Attempt {
    error: "NET_XMIT_DROP",
    sent: false,
    segments: 1,
};

impl<'a> Attempt<'a> {
    /// The attempt in this event; `None` if a field is missing.
    pub fn of(event: &'a Value) -> Option<Attempt<'a>> {
        let retransmit = &event["retransmit"];
        Some(Attempt {
            error: retransmit["error"].as_str()?,
            sent: retransmit["sent"].as_bool()?,
            segments: retransmit["segments"].as_u64()?,
        })
    }
}

/// Checks that the events are of this connection and of these kinds: any number that were sent before the
/// fault, at least two that `failed`, and at last one that was sent. The kernel's counters must agree.
pub fn assert_fails_until_repaired(
    events: &[Value],
    lab: &Lab,
    flow: &Flow,
    failed: Attempt,
    kinds: &[&str],
) -> Result<()> {
    let (last, before) = events.split_last().context("there are events")?;
    let is_sent = |event: &&Value| Attempt::of(event) == Some(SENT);
    let sent_before = before.iter().take_while(is_sent).count();
    let before = &before[sent_before..];
    for event in before {
        assert_eq!(Attempt::of(event), Some(failed), "{event}");
    }
    assert_eq!(Attempt::of(last), Some(SENT), "{last}");
    let mut timeouts = 0;
    for event in events {
        assert_on_flow(event, flow);
        let kind = event["retransmit"]["kind"].as_str().unwrap_or("none");
        assert!(kinds.contains(&kind), "{event}");
        timeouts += u64::from(kind != "loss_recovery");
    }
    let failures = before.len() as u64;
    let counted = failures * failed.segments;
    let queued = if failed == QUEUED { failures } else { 0 };
    let kernel = Nstat::of(&lab.sender)?;
    for (counter, expected) in [
        ("TcpExtTCPTimeouts", timeouts),
        (
            "TcpRetransSegs",
            counted + sent_before as u64 + SENT.segments,
        ),
        ("TcpExtTCPRetransFail", counted),
        ("TcpExtTCPSpuriousRtxHostQueues", queued),
    ] {
        assert_eq!(kernel.get(counter)?, expected, "{counter}: {events:#?}");
    }
    assert!(failures >= 2, "{events:#?}");
    Ok(())
}
