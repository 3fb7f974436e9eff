//! With the classic tracepoints, where BTF-typed ones cannot be attached, events are the same.
//!
//! Each test runs alone: the kernel skips a classic program while any other BPF program runs on that
//! CPU, so no other probe may be attached.

use std::net::IpAddr;
use std::net::Ipv6Addr;

use anyhow::Result;
use serde_json::Value;

use crate::support::Root;
use crate::support::attempts::FILTERED;
use crate::support::attempts::NO_ROUTE;
use crate::support::attempts::assert_fails_until_repaired;
use crate::support::attempts::failures_test_alone;
use crate::support::expect::assert_on_flow;
use crate::support::expect::assert_sent;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::lab::SEGMENT;
use crate::support::lab::SENDER_V4;
use crate::support::lab::SENDER_V6;
use crate::support::oracle::Nstat;
use crate::support::root_test_alone;

/// Runs a recipe while the host watches through the classic tracepoints; its result, and the events of
/// the lab's sender. The ledger must be complete.
fn watch<T>(root: &Root, lab: &Lab, recipe: impl FnOnce() -> Result<T>) -> Result<(T, Vec<Value>)> {
    let host = Host::start_with_tracefs(root, &["--attach", "tracepoint"])?;
    let result = recipe()?;
    let run = host.stop()?;
    run.ledger.assert_complete();
    Ok((result, run.retransmits_in(&lab.sender)?))
}

#[test]
fn root_the_classic_tracepoint_tells_the_same() -> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let (flows, events) = watch(root, &lab, || {
            Ok([
                lab.five_fast_retransmits(RECEIVER_V4)?,
                lab.five_fast_retransmits(RECEIVER_V6)?,
            ])
        })?;
        assert_eq!(Nstat::of(&lab.sender)?.retransmitted_segments()?, 10);
        assert_eq!(kinds(&events), ["fast"; 10]);
        let [over_ipv4, over_ipv6] = &flows;
        let flows = [[over_ipv4; 5], [over_ipv6; 5]];
        for (event, flow) in events.iter().zip(flows.as_flattened()) {
            assert_on_flow(event, flow);
            assert_sent(event);
            assert_eq!(event["state"], "ESTABLISHED", "{event}");
            assert_eq!(event["retransmit"]["segments"], 1, "{event}");
            assert_eq!(event["retransmit"]["length"], SEGMENT, "{event}");
            assert_eq!(event["retransmit"]["flags"], "PSH|ACK", "{event}");
            assert_eq!(event["tcp"]["ca_state"], "recovery", "{event}");
            assert_eq!(event["owner"]["status"], "held", "{event}");
        }
        Ok(())
    })
}

#[test]
fn root_the_classic_tracepoint_tells_of_syn_acks_over_ipv4() -> Result<()> {
    the_classic_tracepoint_tells_of_syn_acks(SENDER_V4.into(), SENDER_V4.into(), 2)
}

#[test]
fn root_the_classic_tracepoint_tells_of_syn_acks_over_ipv6() -> Result<()> {
    the_classic_tracepoint_tells_of_syn_acks(SENDER_V6.into(), SENDER_V6.into(), 10)
}

#[test]
fn root_the_classic_tracepoint_tells_of_a_dual_stack_listeners_syn_acks() -> Result<()> {
    the_classic_tracepoint_tells_of_syn_acks(Ipv6Addr::UNSPECIFIED.into(), SENDER_V4.into(), 10)
}

fn the_classic_tracepoint_tells_of_syn_acks(
    local: IpAddr,
    server: IpAddr,
    family: u64,
) -> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let (accepted, events) = watch(root, &lab, || lab.two_syn_acks_again(local, server))?;
        accepted.assert_syn_acks(&events, family, [("not_accepted", false); 2]);
        assert_eq!(Nstat::of(&lab.sender)?.get("TcpExtTCPSynRetrans")?, 2);
        Ok(())
    })
}

#[test]
fn root_the_classic_tracepoint_tells_of_syn_acks_of_fast_open() -> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let (accepted, events) = watch(root, &lab, || {
            lab.two_syn_acks_again_of_fast_open(SENDER_V4.into())
        })?;
        accepted.assert_syn_acks(&events, 2, [("not_accepted", true), ("held", true)]);
        Ok(())
    })
}

#[test]
fn root_the_classic_tracepoint_tells_of_attempts_without_a_route() -> Result<()> {
    failures_test_alone(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab, || {
            lab.attempts_in_vain(
                RECEIVER_V4,
                &["ip route add unreachable 10.7.0.2/32"],
                &["ip route del unreachable 10.7.0.2/32"],
            )
        })?;
        assert_fails_until_repaired(&events, &lab, &flow, NO_ROUTE, &["timeout"])
    })
}

#[test]
fn root_the_classic_tracepoint_tells_of_attempts_that_a_filter_dropped() -> Result<()> {
    failures_test_alone(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab, || {
            lab.attempts_in_vain(
                RECEIVER_V6,
                &[
                    "nft add table inet lab",
                    "nft add chain inet lab output { type filter hook output priority 0 ; }",
                    &format!("nft add rule inet lab output tcp dport {PORT} {HAS_PAYLOAD} drop"),
                ],
                &["nft flush chain inet lab output"],
            )
        })?;
        assert_fails_until_repaired(&events, &lab, &flow, FILTERED, &["timeout"])
    })
}
