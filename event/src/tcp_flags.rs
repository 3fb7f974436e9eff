//! The flags of a TCP header.

use core::fmt;
use core::str::FromStr;

use crate::numbers::UnknownName;

/// Flags of the segment's TCP header, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    pub(crate) const EXPECTED: &'static str = "TCP flags such as PSH|ACK";

    /// Bits and names, lowest bit first.
    pub const NAMES: &'static [(u16, &'static str)] = &[
        (0x01, "FIN"),
        (0x02, "SYN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x10, "ACK"),
        (0x20, "URG"),
        (0x40, "ECE"),
        (0x80, "CWR"),
        (0x100, "AE"),
    ];

    /// Is FIN set?
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// Is SYN set?
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Is ACK set?
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// Names joined by `|`, as in `PSH|ACK`; unknown bits are left out.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (bit, name) in Self::NAMES {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

impl FromStr for TcpFlags {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let mut flags = 0;
        for part in text.split('|').filter(|part| !part.is_empty()) {
            let known = Self::NAMES.iter().find(|(_, name)| *name == part);
            let (bit, _) = known.ok_or(UnknownName {
                expected: Self::EXPECTED,
            })?;
            flags |= bit;
        }
        Ok(TcpFlags(flags))
    }
}
