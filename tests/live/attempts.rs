//! The result of each attempt to retransmit: a segment or an error, and whether the kernel counted it.
//!
//! Since Linux 6.17 the tracepoint reports attempts that failed. On older kernels these tests are
//! skipped, and say so.

use std::net::IpAddr;

use anyhow::Result;

use crate::support::attempts::Attempt;
use crate::support::attempts::FILTERED;
use crate::support::attempts::NO_ROUTE;
use crate::support::attempts::OVERFLOWED;
use crate::support::attempts::QUEUED;
use crate::support::attempts::SENT;
use crate::support::attempts::assert_fails_until_repaired;
use crate::support::attempts::failures_test;
use crate::support::host::Host;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::oracle::Nstat;

/// Runs the command lines `fault` in the sender and later `repair`; in between, attempts end as
/// `failed`.
fn attempts_fail(peer: IpAddr, failed: Attempt, fault: &[&str], repair: &[&str]) -> Result<()> {
    failures_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let flow = lab.attempts_in_vain(peer, fault, repair)?;
        let run = host.stop()?;
        let events = run.retransmits_in(&lab.sender)?;
        assert_fails_until_repaired(&events, &lab, &flow, failed, &["timeout"])?;
        run.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_without_a_route_over_ipv4_nothing_is_sent_and_it_says_so() -> Result<()> {
    attempts_fail(
        RECEIVER_V4.into(),
        NO_ROUTE,
        &["ip route del 10.7.0.0/24"],
        &["ip route add 10.7.0.0/24 dev to-receiver"],
    )
}

#[test]
fn root_without_a_route_over_ipv6_nothing_is_sent_and_it_says_so() -> Result<()> {
    attempts_fail(
        RECEIVER_V6.into(),
        NO_ROUTE,
        &["ip route del fd00:7::/64"],
        &["ip route add fd00:7::/64 dev to-receiver"],
    )
}

#[test]
fn root_a_syn_without_a_route_over_ipv4_is_not_sent_and_it_says_so() -> Result<()> {
    a_syn_without_a_route_is_not_sent(
        RECEIVER_V4.into(),
        &["ip route del 10.7.0.0/24"],
        &["ip route add 10.7.0.0/24 dev to-receiver"],
    )
}

#[test]
fn root_a_syn_without_a_route_over_ipv6_is_not_sent_and_it_says_so() -> Result<()> {
    a_syn_without_a_route_is_not_sent(
        RECEIVER_V6.into(),
        &["ip route del fd00:7::/64"],
        &["ip route add fd00:7::/64 dev to-receiver"],
    )
}

fn a_syn_without_a_route_is_not_sent(peer: IpAddr, fault: &[&str], repair: &[&str]) -> Result<()> {
    failures_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let flow = lab.connect_in_vain(peer, fault, repair)?;
        let run = host.stop()?;
        let events = run.retransmits_in(&lab.sender)?;
        assert_fails_until_repaired(&events, &lab, &flow, NO_ROUTE, &["syn"])?;
        assert_eq!(Nstat::of(&lab.sender)?.get("TcpExtTCPSynRetrans")?, 1);
        run.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_while_the_link_is_down_nothing_is_sent_over_ipv4() -> Result<()> {
    attempts_fail(
        RECEIVER_V4.into(),
        NO_ROUTE,
        &["ip link set dev to-receiver down"],
        &[
            "ip link set dev to-receiver up",
            "ip route add 10.7.0.0/24 dev to-receiver",
        ],
    )
}

#[test]
fn root_while_the_link_is_down_nothing_is_sent_over_ipv6() -> Result<()> {
    attempts_fail(
        RECEIVER_V6.into(),
        NO_ROUTE,
        &["ip link set dev to-receiver down"],
        &[
            "ip link set dev to-receiver up",
            // Unlike an IPv4 address, it is removed when the link goes down.
            "ip address add fd00:7::1/64 dev to-receiver noprefixroute nodad",
            "ip route add fd00:7::/64 dev to-receiver",
        ],
    )
}

#[test]
fn root_an_unreachable_route_over_ipv4_sends_nothing() -> Result<()> {
    attempts_fail(
        RECEIVER_V4.into(),
        NO_ROUTE,
        &["ip route add unreachable 10.7.0.2/32"],
        &["ip route del unreachable 10.7.0.2/32"],
    )
}

#[test]
fn root_an_unreachable_route_over_ipv6_sends_nothing() -> Result<()> {
    attempts_fail(
        RECEIVER_V6.into(),
        NO_ROUTE,
        &["ip route add unreachable fd00:7::2/128"],
        &["ip route del unreachable fd00:7::2/128"],
    )
}

#[test]
fn root_a_blackhole_route_over_ipv4_sends_nothing() -> Result<()> {
    attempts_fail(
        RECEIVER_V4.into(),
        NO_ROUTE,
        &["ip route add blackhole 10.7.0.2/32"],
        &["ip route del blackhole 10.7.0.2/32"],
    )
}

#[test]
fn root_a_blackhole_route_over_ipv6_sends_nothing() -> Result<()> {
    attempts_fail(
        RECEIVER_V6.into(),
        NO_ROUTE,
        &["ip route add blackhole fd00:7::2/128"],
        &["ip route del blackhole fd00:7::2/128"],
    )
}

#[test]
fn root_what_a_local_filter_drops_over_ipv4_was_counted_but_not_sent() -> Result<()> {
    a_local_filter_drops(RECEIVER_V4.into())
}

#[test]
fn root_what_a_local_filter_drops_over_ipv6_was_counted_but_not_sent() -> Result<()> {
    a_local_filter_drops(RECEIVER_V6.into())
}

fn a_local_filter_drops(peer: IpAddr) -> Result<()> {
    attempts_fail(
        peer,
        FILTERED,
        &[
            "nft add table inet lab",
            "nft add chain inet lab output { type filter hook output priority 0 ; }",
            &format!("nft add rule inet lab output tcp dport {PORT} {HAS_PAYLOAD} drop"),
        ],
        &["nft flush chain inet lab output"],
    )
}

#[test]
fn root_what_a_full_queue_drops_was_counted_but_not_sent() -> Result<()> {
    for peer in [RECEIVER_V4.into(), RECEIVER_V6.into()] {
        attempts_fail(
            peer,
            OVERFLOWED,
            // Room for packets without payload, but not for a segment.
            &["tc qdisc add dev to-receiver root bfifo limit 600"],
            &["tc qdisc del dev to-receiver root"],
        )?;
    }
    Ok(())
}

#[test]
fn root_attempts_while_the_first_copy_is_queued_over_ipv4_are_withheld_and_counted() -> Result<()> {
    attempts_while_still_queued_are_withheld(RECEIVER_V4.into())
}

#[test]
fn root_attempts_while_the_first_copy_is_queued_over_ipv6_are_withheld_and_counted() -> Result<()> {
    attempts_while_still_queued_are_withheld(RECEIVER_V6.into())
}

fn attempts_while_still_queued_are_withheld(peer: IpAddr) -> Result<()> {
    failures_test(|root| {
        let lab = Lab::new()?;
        let everything = Host::start(root, &["--failed"])?;
        let host = Host::start(root, &[])?;
        let flow = lab.attempts_while_still_queued(peer)?;
        let run = host.stop()?;
        let everything = everything.stop()?;

        let all = everything.retransmits_in(&lab.sender)?;
        // Once the first copy has left the queue, the kernel does not wait for a timeout. It may even
        // be too early and fail once more.
        assert_fails_until_repaired(&all, &lab, &flow, QUEUED, &["timeout", "loss_recovery"])?;
        assert_eq!(everything.ledger.host.get("withheld"), 0);
        everything.ledger.assert_complete();

        let events = run.retransmits_in(&lab.sender)?;
        let shown: Vec<_> = events.iter().map(Attempt::of).collect();
        assert_eq!(shown, [Some(SENT)]);
        let withheld = run.ledger.host.get("withheld");
        // Including those of other tests; the other host watched longer than this one.
        let queued = everything.of_type("retransmit")?;
        let queued = queued.iter().map(Attempt::of);
        let queued = queued.filter(|attempt| *attempt == Some(QUEUED)).count();
        assert!(withheld >= all.len() as u64 - 1, "{withheld}");
        assert!(withheld <= queued as u64, "{withheld} of {queued}");
        run.ledger.assert_complete();
        Ok(())
    })
}
