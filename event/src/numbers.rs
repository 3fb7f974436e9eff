//! Enumerations of the kernel and of the host: numbers with their names.

use core::fmt;
use core::str::FromStr;

/// Text that is not a name of the enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownName {
    /// Description of the expected name, such as "a TCP state such as ESTABLISHED".
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
            /// Description of a valid name, for error messages.
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
    /// Cause of a retransmit, determined from the evidence in the record.
    Kind, "a kind of retransmit such as fast or timeout" {
        /// The evidence fits none of the causes.
        Unknown = 0 "unknown",
        /// A SYN without an answer.
        Syn = 1 "syn",
        /// A SYN-ACK without an answer.
        SynAck = 2 "syn_ack",
        /// A tail loss probe (RFC 8985), sent before the retransmission timeout.
        TailLossProbe = 3 "tail_loss_probe",
        /// The retransmission timer expired.
        Timeout = 4 "timeout",
        /// A further segment during the recovery from a timeout, or after a path MTU change.
        LossRecovery = 5 "loss_recovery",
        /// Fast retransmit: duplicate or selective acknowledgements indicated the loss.
        Fast = 6 "fast",
    }
}

numbers! {
    /// The tracepoint that reported the event.
    Tracepoint, "a tracepoint such as tcp_retransmit_skb" {
        /// `tcp:tcp_retransmit_skb`: a segment of a full socket.
        RetransmitSkb = 0 "tcp_retransmit_skb",
        /// `tcp:tcp_retransmit_synack`: a SYN-ACK of a connection that has no socket yet.
        RetransmitSynack = 1 "tcp_retransmit_synack",
    }
}

numbers! {
    /// Status of a socket's owner.
    OwnerStatus, "an owner's status such as held" {
        /// No process was found. The holder may be outside of the host's pid namespace, or the socket is
        /// being passed from one process to another.
        Unknown = 0 "unknown",
        /// A process was seen to hold the socket.
        Held = 1 "held",
        /// No process holds the socket any more; the kernel sends the remaining data.
        Orphaned = 2 "orphaned",
        /// The connection was not accepted yet: the process is the one that holds the listening socket.
        NotAccepted = 3 "not_accepted",
        /// The kernel created the socket for itself, as for NFS or for a virtual file server.
        Kernel = 4 "kernel",
    }
}

numbers! {
    /// State of the connection (`include/net/tcp_states.h`).
    TcpState, "a TCP state such as ESTABLISHED" {
        /// The connection is open in both directions.
        Established = 1 "ESTABLISHED",
        /// A SYN was sent.
        SynSent = 2 "SYN_SENT",
        /// A SYN was received.
        SynRecv = 3 "SYN_RECV",
        /// This side has closed; its FIN is not acknowledged yet.
        FinWait1 = 4 "FIN_WAIT1",
        /// This side has closed and its FIN is acknowledged; the peer has not closed.
        FinWait2 = 5 "FIN_WAIT2",
        /// Both sides have closed; the kernel waits for late segments.
        TimeWait = 6 "TIME_WAIT",
        /// No connection.
        Close = 7 "CLOSE",
        /// The peer has closed; this side has not.
        CloseWait = 8 "CLOSE_WAIT",
        /// The peer closed first, then this side; its FIN is not acknowledged yet.
        LastAck = 9 "LAST_ACK",
        /// Waiting for connections.
        Listen = 10 "LISTEN",
        /// Both sides closed at the same time.
        Closing = 11 "CLOSING",
        /// A connection request in the kernel's table, before it has a socket.
        NewSynRecv = 12 "NEW_SYN_RECV",
    }
}

numbers! {
    /// State of congestion control (`enum tcp_ca_state`).
    CaState, "a congestion control state such as recovery" {
        /// No sign of loss.
        Open = 0 "open",
        /// Duplicate or selective acknowledgements have arrived; loss is not certain yet.
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
    /// The pending timer (`icsk_pending`).
    Timer, "a timer such as retransmit" {
        /// No timer is pending, as while the handler of one runs.
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
