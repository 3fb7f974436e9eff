//! Losses that are repaired by timers, one timer at a time.

use std::net::IpAddr;

use anyhow::Result;

use super::lab::Flow;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;

impl Lab {
    /// One segment, lost once: the tail loss probe gets through, so that no timeout follows.
    pub fn tail_loss_probe_alone(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        // Half a second between the probe and the timeout, for the acknowledgement.
        self.patient_timers()?;
        let mut flow = self.connect(peer)?;
        self.lose_first(1, &format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// One segment, lost until the third timeout.
    pub fn three_timeouts(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.sender.sysctl("net.ipv4.tcp_early_retrans", "0")?;
        let mut flow = self.connect(peer)?;
        self.lose_first(3, &format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Two segments, of which the second is lost, to a receiver that closes its window when the first
    /// arrives: the retransmit is also the window probe. One, after half a second.
    pub fn timeout_at_a_window_of_zero(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!(
            "tcp dport {PORT} {HAS_PAYLOAD} numgen inc mod 1000000 == 1"
        ))?;
        // As a receiver, Linux does not shrink its window.
        let sender = &self.sender;
        sender.run("nft add table inet lab")?;
        sender.run("nft add chain inet lab input { type filter hook input priority 0 ; }")?;
        sender.run(&format!(
            "nft add rule inet lab input tcp sport {PORT} tcp window set 0"
        ))?;
        let segments = 2 * flow.mss()?;
        // In one write: the second is on its way before the first is acknowledged.
        flow.send(segments)?;
        flow.receive(segments)?;
        Ok(flow)
    }

    /// Four segments, all lost: a timeout for the first, and slow start for the three others after its
    /// acknowledgement.
    pub fn timeout_and_three_in_slow_start(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        // A retransmit may otherwise include the next segment's data.
        self.sender.sysctl("net.ipv4.tcp_retrans_collapse", "0")?;
        let mut flow = self.connect(peer)?;
        self.lose_first(4, &format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        for _ in 0..4 {
            flow.send_segment()?;
        }
        flow.receive_segments(4)?;
        Ok(flow)
    }
}
