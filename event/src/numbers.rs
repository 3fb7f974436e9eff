//! The kernel's numbers with their names: states, timers and the like.

use core::fmt;
use core::str::FromStr;

/// A name that none of the numbers of this kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownName {
    /// What was expected, as in "a TCP state such as ESTABLISHED".
    pub expected: &'static str,
}

macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident, $expected:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A number that this version does not know.
            Other(u8),
        }

        impl $name {
            /// What a name is to be, for the errors of readers.
            pub(crate) const EXPECTED: &'static str = $expected;

            /// Every known value.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The value with this number.
            pub const fn from_number(number: u8) -> $name {
                match number {
                    $($number => $name::$variant,)+
                    other => $name::Other(other),
                }
            }

            /// The number, as it is in the record.
            pub const fn number(self) -> u8 {
                match self {
                    $($name::$variant => $number,)+
                    $name::Other(other) => other,
                }
            }

            /// The name, or `None` for a number that this version does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$variant => Some($text),)+
                    $name::Other(_) => None,
                }
            }
        }

        /// The name; `other(N)` for an unknown number.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "other({})", self.number()),
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok($name::$variant),)+
                    _ => text
                        .strip_prefix("other(")
                        .and_then(|rest| rest.strip_suffix(')'))
                        .and_then(|number| number.parse().ok())
                        .map($name::from_number)
                        .ok_or(UnknownName { expected: $name::EXPECTED }),
                }
            }
        }
    };
}

numbers! {
    /// Why a segment was sent again, worked out from the evidence in the record.
    Kind, "a kind of retransmit such as fast or timeout" {
        /// None of the patterns fits.
        Unknown = 0 "unknown",
        /// A SYN that was not answered.
        Syn = 1 "syn",
        /// A SYN-ACK that was not answered.
        SynAck = 2 "syn_ack",
        /// A probe for a lost tail (RFC 8985), before any timeout.
        TailLossProbe = 3 "tail_loss_probe",
        /// The retransmission timer ran out.
        Timeout = 4 "timeout",
        /// A further segment while recovering from a timeout, or after a path MTU change.
        LossRecovery = 5 "loss_recovery",
        /// Fast retransmit: duplicate or selective acknowledgements told of the loss.
        Fast = 6 "fast",
    }
}

numbers! {
    /// The tracepoint that an event came from.
    Tracepoint, "a tracepoint such as tcp_retransmit_skb" {
        /// `tcp:tcp_retransmit_skb`: a segment of a full socket.
        RetransmitSkb = 0 "tcp_retransmit_skb",
        /// `tcp:tcp_retransmit_synack`: a SYN-ACK of a connection that is not yet a socket.
        RetransmitSynack = 1 "tcp_retransmit_synack",
    }
}

numbers! {
    /// Whose a socket is.
    OwnerStatus, "an owner's status such as held" {
        /// It is held by a process that was not found: perhaps one outside of the host's pid
        /// namespace, or the socket is on its way from one process to another.
        Unknown = 0 "unknown",
        /// A process was seen to hold it.
        Held = 1 "held",
        /// Closed by whoever held it; the kernel goes on sending what is left.
        Orphaned = 2 "orphaned",
        /// Not accepted yet: the process is the one that holds the listener.
        NotAccepted = 3 "not_accepted",
        /// Made by the kernel for itself, as those of NFS or of a virtual file server.
        Kernel = 4 "kernel",
    }
}

numbers! {
    /// State of the connection (`include/net/tcp_states.h`).
    TcpState, "a TCP state such as ESTABLISHED" {
        /// Data flows both ways.
        Established = 1 "ESTABLISHED",
        /// A SYN was sent.
        SynSent = 2 "SYN_SENT",
        /// A SYN was received.
        SynRecv = 3 "SYN_RECV",
        /// Closed here, not yet acknowledged.
        FinWait1 = 4 "FIN_WAIT1",
        /// Closed here, the peer has not closed.
        FinWait2 = 5 "FIN_WAIT2",
        /// Both are closed, late segments are waited for.
        TimeWait = 6 "TIME_WAIT",
        /// No connection.
        Close = 7 "CLOSE",
        /// The peer has closed, here it is still open.
        CloseWait = 8 "CLOSE_WAIT",
        /// The peer had closed first, and now here too.
        LastAck = 9 "LAST_ACK",
        /// Waiting for connections.
        Listen = 10 "LISTEN",
        /// Both closed at once.
        Closing = 11 "CLOSING",
        /// A connection request in the kernel's table, before it has a socket.
        NewSynRecv = 12 "NEW_SYN_RECV",
    }
}

numbers! {
    /// State of congestion control (`enum tcp_ca_state`).
    CaState, "a congestion control state such as recovery" {
        /// Nothing suspicious.
        Open = 0 "open",
        /// Duplicate or selective acknowledgements are being watched.
        Disorder = 1 "disorder",
        /// The window was reduced by ECN or local congestion.
        Cwr = 2 "cwr",
        /// Fast retransmit and recovery.
        Recovery = 3 "recovery",
        /// Recovery from a retransmission timeout.
        Loss = 4 "loss",
    }
}

numbers! {
    /// The timer that was pending (`icsk_pending`).
    Timer, "a timer such as retransmit" {
        /// No timer, as while its handler runs.
        None = 0 "none",
        /// Retransmission timer.
        Retransmit = 1 "retransmit",
        /// Delayed acknowledgement.
        DelayedAck = 2 "delayed_ack",
        /// Zero-window probe.
        Probe = 3 "probe",
        /// Early retransmit, before 4.12.
        EarlyRetransmit = 4 "early_retransmit",
        /// Tail loss probe.
        LossProbe = 5 "loss_probe",
        /// RACK's reordering window.
        Reordering = 6 "reordering",
    }
}
