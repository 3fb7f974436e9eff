//! The cause of a retransmit, from the evidence that the probe recorded.

use crate::event::Event;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;

impl Event {
    /// Determines the cause from the evidence in the record; [`Event::kind`] is not read.
    ///
    /// The order of the tests matters. Each test was compared with the kernel's own counters
    /// (TCPLossProbes, TCPTimeouts, TCPFastRetrans, TCPSlowStartRetrans, TCPSynRetrans).
    pub fn classify(&self) -> Kind {
        if self.tracepoint() == Tracepoint::RetransmitSynack {
            return Kind::SynAck;
        }
        let flags = self.tcp_flags().unwrap_or_default();
        if flags.syn() && flags.ack() {
            // Simultaneous open (RFC 9293, 3.5): the SYN-ACK answers the peer's SYN.
            return Kind::SynAck;
        }
        if self.state() == TcpState::SynSent || flags.syn() {
            return Kind::Syn;
        }
        match self.ca_state() {
            Some(CaState::Recovery) => Kind::Fast,
            // The timer's handler clears the pending timer before it retransmits. Any other retransmit
            // in this state follows an earlier timeout, or a path MTU change.
            Some(CaState::Loss) => match self.timer() {
                Some(Timer::None) => Kind::Timeout,
                Some(_) => Kind::LossRecovery,
                None => Kind::Unknown,
            },
            Some(CaState::Open | CaState::Disorder | CaState::Cwr) => self.classify_undisturbed(),
            _ => Kind::Unknown,
        }
    }

    /// Determines the cause of a retransmit while the connection is not in recovery.
    fn classify_undisturbed(&self) -> Kind {
        if self.timer() != Some(Timer::LossProbe) {
            return Kind::Unknown;
        }
        // Before 5.12, the kernel sends data that a server did not take with the SYN again without entering the state
        // of loss. The timer for a probe has been set moments before.
        if self.timer_expired() == Some(false) {
            return Kind::LossRecovery;
        }
        // The kernel sends a tail loss probe before it sets `tlp_high_seq`, and always sends the last segment.
        let is_last = self.end_seq().is_some() && self.end_seq() == self.snd_nxt();
        match self.tlp_high_seq() {
            Some(0) if is_last => Kind::TailLossProbe,
            _ => Kind::Unknown,
        }
    }
}
