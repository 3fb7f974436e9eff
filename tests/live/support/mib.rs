//! Compares the kernel's counters of a namespace with its events.

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

use super::netns::Namespace;
use super::oracle::Nstat;

/// Events and segments of each cause.
#[derive(Debug, Default)]
pub struct Causes {
    syn: u64,
    syn_ack: u64,
    tail_loss_probe: u64,
    timeout: u64,
    /// Segments.
    loss_recovery: u64,
    /// Segments.
    fast: u64,
    /// Segments of all causes.
    segments: u64,
}

impl Causes {
    /// Counts events, which must all have been sent.
    pub fn of(events: &[Value]) -> Result<Causes> {
        let mut causes = Causes::default();
        for event in events {
            assert_eq!(event["retransmit"]["sent"], true, "{event}");
            let segments = event["retransmit"]["segments"].as_u64();
            let segments = segments.with_context(|| format!("how many segments? {event}"))?;
            causes.segments += segments;
            match event["retransmit"]["kind"].as_str() {
                Some("syn") => causes.syn += 1,
                Some("syn_ack") => causes.syn_ack += 1,
                Some("tail_loss_probe") => causes.tail_loss_probe += 1,
                Some("timeout") => causes.timeout += 1,
                Some("loss_recovery") => causes.loss_recovery += segments,
                Some("fast") => causes.fast += segments,
                other => panic!("a retransmit of no known cause, {other:?}: {event}"),
            }
        }
        Ok(causes)
    }

    /// Checks the counters of segments: those that hold whatever else a transfer did, as tail loss probes with new data.
    pub fn assert_segments_counted(&self, namespace: &Namespace) -> Result<()> {
        let kernel = Nstat::of(namespace)?;
        for (counter, expected) in [
            ("TcpRetransSegs", self.segments),
            ("TcpExtTCPTimeouts", self.timeout),
            ("TcpExtTCPSlowStartRetrans", self.loss_recovery),
            ("TcpExtTCPFastRetrans", self.fast),
            ("TcpExtTCPRetransFail", 0),
        ] {
            let failed = kernel.get("TcpExtTCPRetransFail")?;
            assert_eq!(
                kernel.get(counter)?,
                expected,
                "{counter}, {failed} failed: {self:?}"
            );
        }
        Ok(())
    }

    /// Checks that the kernel counted exactly these in the namespace, where no tail loss probe carried
    /// new data. `other_timeouts`: one for each connection that was given up, minus one for each
    /// timeout at a window of zero, which the kernel does not count.
    pub fn assert_counted(&self, namespace: &Namespace, other_timeouts: i64) -> Result<()> {
        let kernel = Nstat::of(namespace)?;
        let timeouts = self.timeout + self.syn + self.syn_ack;
        let timeouts = timeouts.saturating_add_signed(other_timeouts);
        for (counter, expected) in [
            ("TcpRetransSegs", self.segments),
            ("TcpExtTCPSynRetrans", self.syn + self.syn_ack),
            ("TcpExtTCPLossProbes", self.tail_loss_probe),
            ("TcpExtTCPTimeouts", timeouts),
            ("TcpExtTCPSlowStartRetrans", self.loss_recovery),
            ("TcpExtTCPFastRetrans", self.fast),
            ("TcpExtTCPRetransFail", 0),
        ] {
            assert_eq!(kernel.get(counter)?, expected, "{counter}: {self:?}");
        }
        Ok(())
    }
}
