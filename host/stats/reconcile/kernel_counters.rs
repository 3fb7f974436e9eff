//! The kernel's own counters of TCP retransmits, of which each network namespace has a set.

use std::iter::Sum;

/// Counters of a network namespace at some time, or their growth between two times.
///
/// They count both IP versions, and never decrease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Retransmitted segments, including SYN-ACKs and segments whose sending failed.
    pub retrans_segs: u64,
    /// Of these, the segments whose sending failed.
    pub retrans_fail: Option<u64>,
    /// Retransmitted SYNs and SYN-ACKs, including failed SYNs.
    pub syn_retrans: Option<u64>,
}

impl Counters {
    /// Parses `/proc/PID/net/snmp` and `/proc/PID/net/netstat`. `None`: they have no RetransSegs. Other counters that
    /// an old kernel lacks are `None`.
    pub fn parse(snmp: &str, netstat: &str) -> Option<Counters> {
        Some(Counters {
            retrans_segs: value(snmp, "Tcp:", "RetransSegs")?,
            retrans_fail: value(netstat, "TcpExt:", "TCPRetransFail"),
            syn_retrans: value(netstat, "TcpExt:", "TCPSynRetrans"),
        })
    }

    /// Returns whether all counters are 0 or unknown.
    pub fn is_zero(&self) -> bool {
        let optional = [self.retrans_fail, self.syn_retrans];
        self.retrans_segs == 0 && optional.iter().flatten().all(|count| *count == 0)
    }

    /// The growth since an earlier reading. `None`: a counter decreased, so it is not the same namespace.
    pub fn since(&self, earlier: &Counters) -> Option<Counters> {
        let grown = |now: Option<u64>, then: Option<u64>| match (now, then) {
            (Some(now), Some(then)) => now.checked_sub(then).map(Some),
            _ => Some(None),
        };
        Some(Counters {
            retrans_segs: self.retrans_segs.checked_sub(earlier.retrans_segs)?,
            retrans_fail: grown(self.retrans_fail, earlier.retrans_fail)?,
            syn_retrans: grown(self.syn_retrans, earlier.syn_retrans)?,
        })
    }
}

/// A counter that is unknown in one of the sets is unknown in the sum.
impl Sum for Counters {
    fn sum<I: Iterator<Item = Counters>>(counters: I) -> Counters {
        let nothing = Counters {
            retrans_segs: 0,
            retrans_fail: Some(0),
            syn_retrans: Some(0),
        };
        let add = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
        counters.fold(nothing, |sum, one| Counters {
            retrans_segs: sum.retrans_segs + one.retrans_segs,
            retrans_fail: add(sum.retrans_fail, one.retrans_fail),
            syn_retrans: add(sum.syn_retrans, one.syn_retrans),
        })
    }
}

/// Reads one value of a file in which each group is a line of names, followed by a line of values.
///
/// It finds the value by its name, because each kernel version adds some. It parses no other value, because a few are
/// negative.
fn value(file: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = file.lines();
    while let Some(names) = lines.next() {
        let mut names = names.split_ascii_whitespace();
        if names.next() != Some(group) {
            continue;
        }
        let column = names.position(|known| known == name)?;
        let mut values = lines.next()?.split_ascii_whitespace();
        return match values.next() {
            Some(same) if same == group => values.nth(column)?.parse().ok(),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Linux 6.18. MaxConn is -1: no limit.
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits
Ip: 2 64 39057 0 0 0 0 0 39057 24243 0 0 0 0 0 0 0 0 0 24243
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs
Icmp: 2 0 0 2
IcmpMsg: InType3
IcmpMsg: 2
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 248 4 1 73 0 38555 23822 17 0 116 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 500 0 0 504 0 0 0 0 0
";

    /// From Linux 6.18, shortened. MPTcpExt has a counter of the same name.
    const NETSTAT: &str = "\
TcpExt: SyncookiesSent TCPLostRetransmit TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPSynRetrans TCPRetransFail TCPRcvCoalesce
TcpExt: 0 1 2 3 4 5 6 7 8
IpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts
IpExt: 0 0 0 0 0 0
MPTcpExt: MPCapableSYNRX TCPSynRetrans MPTCPRetrans
MPTcpExt: 0 100 200
";

    /// From Linux 2.6.32, which has no InCsumErrors yet; its lines end in a space.
    const OLD_SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 5000
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts
Tcp: 1 200 120000 -1 10 11 12 13 14 15 16 9 0 3
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
UdpLite: 0 0 0 0 0 0
";

    const OLD_NETSTAT: &str = "\
TcpExt: SyncookiesSent SyncookiesRecv TCPFastRetrans TCPForwardRetrans TCPSlowStartRetrans TCPTimeouts 
TcpExt: 0 0 4 1 2 3 
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
";

    #[test]
    fn each_counter_is_read_by_its_name() {
        let counters = Counters {
            retrans_segs: 17,
            retrans_fail: Some(7),
            syn_retrans: Some(6),
        };
        assert_eq!(Counters::parse(SNMP, NETSTAT), Some(counters));
    }

    #[test]
    fn what_an_old_kernel_does_not_count_is_absent() {
        let counters = Counters {
            retrans_segs: 9,
            retrans_fail: None,
            syn_retrans: None,
        };
        assert_eq!(Counters::parse(OLD_SNMP, OLD_NETSTAT), Some(counters));
        assert_eq!(Counters::parse(OLD_SNMP, ""), Some(counters));
    }

    #[test]
    fn a_file_that_is_cut_off_or_strange_has_no_counters() {
        let names = "Tcp: MaxConn RetransSegs\n";
        for values in ["", "Tcp: -1\n", "Udp: 1 2\n", "Tcp: -1 -1\n", "Tcp: -1 x\n"] {
            let snmp = format!("{names}{values}");
            assert_eq!(Counters::parse(&snmp, NETSTAT), None, "{snmp}");
        }
        assert_eq!(Counters::parse("", NETSTAT), None);
        assert_eq!(Counters::parse("Tcp: MaxConn\nTcp: -1\n", NETSTAT), None);
    }

    #[test]
    fn growth_is_told_counter_by_counter_and_a_fall_is_none() {
        let counters = |retrans_segs, retrans_fail, syn_retrans| Counters {
            retrans_segs,
            retrans_fail,
            syn_retrans,
        };
        let earlier = counters(10, Some(2), Some(3));
        let later = counters(15, Some(2), Some(7));
        assert_eq!(later.since(&earlier), Some(counters(5, Some(0), Some(4))));
        assert_eq!(earlier.since(&later), None);
        assert_eq!(counters(15, Some(1), Some(7)).since(&earlier), None);
        let old = counters(10, None, None);
        assert_eq!(later.since(&old), Some(counters(5, None, None)));
    }
}
