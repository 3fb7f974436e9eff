//! Why a segment was sent again, from the evidence that the probe recorded.

use crate::event::Event;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;

impl Event {
    /// The cause, from the evidence in the record, whatever [`Event::kind`] says.
    ///
    /// The order of the tests matters. Each was compared with the kernel's own counters
    /// (TCPLossProbes, TCPTimeouts, TCPFastRetrans, TCPSlowStartRetrans, TCPSynRetrans).
    pub fn classify(&self) -> Kind {
        if self.tracepoint() == Tracepoint::RetransmitSynack {
            return Kind::SynAck;
        }
        let flags = self.tcp_flags().unwrap_or_default();
        if flags.syn() && flags.ack() {
            // Both sides opened at once (RFC 9293, 3.5): the answer to the other's SYN.
            return Kind::SynAck;
        }
        if self.state() == TcpState::SynSent || flags.syn() {
            return Kind::Syn;
        }
        match self.ca_state() {
            Some(CaState::Recovery) => Kind::Fast,
            // The timer's handler clears what was pending before it retransmits. Anything else
            // in this state follows from an earlier timeout, or from a path MTU change.
            Some(CaState::Loss) => match self.timer() {
                Some(Timer::None) => Kind::Timeout,
                Some(_) => Kind::LossRecovery,
                None => Kind::Unknown,
            },
            Some(CaState::Open | CaState::Disorder | CaState::Cwr) if self.is_tail_probe() => {
                Kind::TailLossProbe
            }
            _ => Kind::Unknown,
        }
    }

    /// The probe is sent before `tlp_high_seq` is set, and is always the last segment.
    fn is_tail_probe(&self) -> bool {
        self.timer() == Some(Timer::LossProbe)
            && self.tlp_high_seq() == Some(0)
            && self.end_seq().is_some()
            && self.end_seq() == self.snd_nxt()
    }
}
