//! A set of ports, as a list of ports and ranges.

use std::fmt;
use std::str::FromStr;

/// A set of ports. Empty, it admits every port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports(Vec<PortRange>);

/// A range of ports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Text that is not a port or a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected ports from 0 to 65535, such as 443, 80,443 or 8000-8999")]
pub struct PortError;

impl Ports {
    /// The ports in these ranges.
    pub fn new(ranges: Vec<PortRange>) -> Ports {
        Ports(ranges)
    }

    /// Returns whether the set is empty, so that it admits every port.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Returns whether the set admits this port.
    pub fn admit(&self, port: u16) -> bool {
        self.is_empty() || self.0.iter().any(|range| range.contains(port))
    }

    /// Returns whether the two sets have a port in common.
    pub fn meets(&self, other: &Ports) -> bool {
        let meets =
            |one: &PortRange, other: &PortRange| one.first <= other.last && other.first <= one.last;
        self.0
            .iter()
            .any(|one| other.0.iter().any(|other| meets(one, other)))
    }

    /// One bit for each port, 64 in a word.
    pub fn bits(&self) -> [u64; 1024] {
        let mut words = [0; 1024];
        for port in self.0.iter().flat_map(|range| range.first..=range.last) {
            words[usize::from(port) / 64] |= 1 << (port % 64);
        }
        words
    }
}

impl PortRange {
    /// All ports from `first` to `last`. `None` if there are none.
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        (first <= last).then_some(PortRange { first, last })
    }

    fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = PortError;

    /// Parses `443` or `8000-8999`.
    fn from_str(text: &str) -> Result<PortRange, PortError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse().map_err(|_| PortError);
        PortRange::new(port(first)?, port(last)?).ok_or(PortError)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortRange { first, last } = self;
        match first == last {
            true => write!(f, "{first}"),
            false => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_both_ends() {
        let range: PortRange = "8000-8999".parse().expect("a range");
        let ports = Ports::new(vec![range, "443".parse().expect("a port")]);
        for (port, admitted) in [
            (7999, false),
            (8000, true),
            (8999, true),
            (9000, false),
            (443, true),
        ] {
            assert_eq!(ports.admit(port), admitted, "{port}");
            let bit = ports.bits()[usize::from(port) / 64] >> (port % 64) & 1;
            assert_eq!(bit == 1, admitted, "{port}");
        }
        assert!(Ports::default().admit(1));
    }

    #[test]
    fn what_is_not_a_port_is_refused() {
        for wrong in [
            "", "-", "-1", "1-", "65536", "2-1", "80 81", "http", "1-2-3",
        ] {
            assert_eq!(wrong.parse::<PortRange>(), Err(PortError), "{wrong}");
        }
    }
}
