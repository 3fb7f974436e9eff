//! Losses that timers repair, one timer at a time.

use std::net::IpAddr;

use anyhow::Result;

use super::lab::Flow;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;
use super::oracle::wait_for_counter;

/// For nft: the first packet that comes so far, and none of the next 999.
pub const THE_FIRST: &str = "numgen inc mod 1000 == 0";
/// For nft: all but the first, up to the thousandth.
pub const ALL_BUT_THE_FIRST: &str = "numgen inc mod 1000 != 0";

impl Lab {
    /// One segment, lost once: the tail loss probe gets through, so that no timeout follows.
    pub fn tail_loss_probe_alone(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        // Between the probe and the timeout is half a second, for the acknowledgement.
        self.patient_timers()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD} {THE_FIRST}"))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// One segment, lost until the third timeout.
    pub fn three_timeouts(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", 2)?;
        // The third comes two seconds later.
        self.lose_nothing()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Four segments, all lost: a timeout for the first, and slow start for the three others once
    /// that one is acknowledged.
    pub fn timeout_and_three_in_slow_start(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.timeouts_only()?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        for _ in 0..4 {
            flow.send_segment()?;
        }
        self.lose_nothing()?;
        flow.receive_segments(4)?;
        Ok(flow)
    }
}
