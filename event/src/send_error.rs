//! The result of an attempt to send a segment.

use core::fmt;
use core::str::FromStr;

use crate::numbers::UnknownName;

/// Return value of the attempt to send (`err` of the tracepoint, Linux 6.17 and later): 0 when the
/// segment was sent, a negative errno, or a positive verdict of the queueing discipline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SendError(pub i32);

impl SendError {
    pub(crate) const EXPECTED: &'static str = "an error such as EHOSTUNREACH";

    /// Numbers and names of the return values that retransmits are known to have.
    pub const NAMES: &'static [(i32, &'static str)] = &[
        (0, "none"),
        (1, "NET_XMIT_DROP"),
        (2, "NET_XMIT_CN"),
        (-1, "EPERM"),
        (-11, "EAGAIN"),
        (-12, "ENOMEM"),
        (-13, "EACCES"),
        (-16, "EBUSY"),
        (-22, "EINVAL"),
        (-90, "EMSGSIZE"),
        (-99, "EADDRNOTAVAIL"),
        (-100, "ENETDOWN"),
        (-101, "ENETUNREACH"),
        (-105, "ENOBUFS"),
        (-113, "EHOSTUNREACH"),
    ];

    /// Did the attempt fail before the kernel counted it? `__tcp_retransmit_skb` returns with these errors
    /// before it adds to RetransSegs and `total_retrans`. All other failures were counted, in RetransSegs
    /// and in TCPRetransFail.
    pub const fn failed_before_counting(self) -> bool {
        // EBUSY, EINVAL, ENOMEM, EHOSTUNREACH, EAGAIN
        matches!(self.0, -16 | -22 | -12 | -113 | -11)
    }

    /// Is the first copy of the segment still queued in this host? Then nothing was sent again.
    pub const fn is_still_queued(self) -> bool {
        self.0 == -16 // EBUSY
    }

    /// The name, or `None` for a number that this version does not know.
    pub fn name(self) -> Option<&'static str> {
        let known = Self::NAMES.iter().find(|(number, _)| *number == self.0);
        known.map(|(_, name)| *name)
    }
}

/// The name; `error(N)` for an unknown number.
impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "error({})", self.0),
        }
    }
}

impl FromStr for SendError {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let known = Self::NAMES.iter().find(|(_, name)| *name == text);
        known
            .map(|(number, _)| *number)
            .or_else(|| text.strip_prefix("error(")?.strip_suffix(')')?.parse().ok())
            .map(SendError)
            .ok_or(UnknownName {
                expected: Self::EXPECTED,
            })
    }
}
