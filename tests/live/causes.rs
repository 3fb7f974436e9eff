//! Each cause alone, over IPv4 and IPv6: as many events as the recipe makes, all of this cause, and the
//! kernel's counters agree.
//!
//! There is no recipe for `unknown`: none was found that forces it. Up to Linux 6.18 the retransmission
//! timer, the loss probe, and the retransmit queue each have states that identify the other causes.

use std::net::IpAddr;
use std::net::Ipv6Addr;

use anyhow::Result;
use serde_json::Value;

use crate::support::Root;
use crate::support::expect::Window;
use crate::support::expect::assert_between;
use crate::support::expect::assert_on_flow;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::CONGESTION_CONTROL;
use crate::support::lab::LOCAL_PORTS;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::lab::SEGMENT;
use crate::support::lab::SENDER_V4;
use crate::support::lab::SENDER_V6;
use crate::support::lab::sender_towards;
use crate::support::mib::Causes;
use crate::support::netns::Namespace;
use crate::support::oracle::Nstat;
use crate::support::pmtu;
use crate::support::pmtu::FAR_V4;
use crate::support::pmtu::FAR_V6;
use crate::support::pmtu::Path;
use crate::support::root_test;

/// Runs a recipe while the host watches; its result, and the namespace's events. They were all sent,
/// are in the order of time, agree with the kernel's counters, and the ledger is complete.
fn watch<T>(
    root: &Root,
    namespace: &Namespace,
    recipe: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<Value>)> {
    watch_with_other_timeouts(root, namespace, 0, recipe)
}

/// The same for a recipe with timeouts that are not retransmits, or that the kernel does not count: see
/// [`Causes::assert_counted`].
fn watch_with_other_timeouts<T>(
    root: &Root,
    namespace: &Namespace,
    other_timeouts: i64,
    recipe: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<Value>)> {
    let window = Window::open();
    let host = Host::start(root, &[])?;
    let result = recipe()?;
    let run = host.stop()?;
    // Checked first: if the ledger balances, a missing event never reached the probe.
    run.ledger.assert_complete();
    let events = run.retransmits_in(namespace)?;
    Causes::of(&events)?.assert_counted(namespace, other_timeouts)?;
    window.assert_holds(&events);
    Ok((result, events))
}

#[test]
fn root_five_fast_retransmits_over_ipv4_are_five_events() -> Result<()> {
    five_fast_retransmits_are_five_events(RECEIVER_V4.into())
}

#[test]
fn root_five_fast_retransmits_over_ipv6_are_five_events() -> Result<()> {
    five_fast_retransmits_are_five_events(RECEIVER_V6.into())
}

fn five_fast_retransmits_are_five_events(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab.sender, || lab.five_fast_retransmits(peer))?;
        assert_eq!(kinds(&events), ["fast"; 5]);
        for (number, event) in (1..).zip(&events) {
            assert_on_flow(event, &flow);
            assert_eq!(event["state"], "ESTABLISHED", "{event}");
            assert_eq!(event["retransmit"]["segments"], 1, "{event}");
            assert_eq!(event["retransmit"]["length"], SEGMENT, "{event}");
            assert_eq!(event["tcp"]["ca_state"], "recovery", "{event}");
            assert_eq!(event["tcp"]["total_retrans"], number, "{event}");
            assert_eq!(event["tcp"]["congestion_control"], CONGESTION_CONTROL);
        }
        Ok(())
    })
}

#[test]
fn root_a_tail_loss_probe_over_ipv4_is_one_event() -> Result<()> {
    a_tail_loss_probe_is_one_event(RECEIVER_V4.into())
}

#[test]
fn root_a_tail_loss_probe_over_ipv6_is_one_event() -> Result<()> {
    a_tail_loss_probe_is_one_event(RECEIVER_V6.into())
}

fn a_tail_loss_probe_is_one_event(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab.sender, || lab.tail_loss_probe_alone(peer))?;
        assert_eq!(kinds(&events), ["tail_loss_probe"]);
        assert_on_flow(&events[0], &flow);
        assert_eq!(events[0]["retransmit"]["timer"], "loss_probe");
        assert_eq!(events[0]["retransmit"]["retransmits"], 0, "no timeout");
        Ok(())
    })
}

#[test]
fn root_three_timeouts_over_ipv4_are_three_events() -> Result<()> {
    three_timeouts_are_three_events(RECEIVER_V4.into())
}

#[test]
fn root_three_timeouts_over_ipv6_are_three_events() -> Result<()> {
    three_timeouts_are_three_events(RECEIVER_V6.into())
}

fn three_timeouts_are_three_events(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab.sender, || lab.three_timeouts(peer))?;
        assert_eq!(kinds(&events), ["timeout"; 3]);
        for (number, event) in (1..).zip(&events) {
            assert_on_flow(event, &flow);
            assert_eq!(event["retransmit"]["retransmits"], number, "{event}");
            assert_eq!(event["retransmit"]["seq"], events[0]["retransmit"]["seq"]);
        }
        Ok(())
    })
}

#[test]
fn root_a_timeout_at_a_window_of_zero_is_a_timeout() -> Result<()> {
    root_test(|root| {
        for peer in [IpAddr::from(RECEIVER_V4), RECEIVER_V6.into()] {
            let lab = Lab::new()?;
            let (flow, events) = watch_with_other_timeouts(root, &lab.sender, -1, || {
                lab.timeout_at_a_window_of_zero(peer)
            })?;
            assert_eq!(kinds(&events), ["timeout"]);
            assert_on_flow(&events[0], &flow);
            assert_eq!(events[0]["tcp"]["snd_wnd"], 0);
            assert_eq!(events[0]["retransmit"]["length"], flow.mss()?);
        }
        Ok(())
    })
}

#[test]
fn root_slow_start_after_a_timeout_over_ipv4_is_loss_recovery() -> Result<()> {
    slow_start_after_a_timeout_is_loss_recovery(RECEIVER_V4.into())
}

#[test]
fn root_slow_start_after_a_timeout_over_ipv6_is_loss_recovery() -> Result<()> {
    slow_start_after_a_timeout_is_loss_recovery(RECEIVER_V6.into())
}

fn slow_start_after_a_timeout_is_loss_recovery(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab.sender, || {
            lab.timeout_and_three_in_slow_start(peer)
        })?;
        assert_eq!(
            kinds(&events),
            ["timeout", "loss_recovery", "loss_recovery", "loss_recovery"]
        );
        for event in &events {
            assert_on_flow(event, &flow);
            assert_eq!(event["retransmit"]["length"], SEGMENT, "{event}");
        }
        Ok(())
    })
}

#[test]
fn root_segments_too_big_for_an_ipv4_path_are_loss_recovery() -> Result<()> {
    segments_too_big_for_the_path_are_loss_recovery(FAR_V4.into())
}

#[test]
fn root_segments_too_big_for_an_ipv6_path_are_loss_recovery() -> Result<()> {
    segments_too_big_for_the_path_are_loss_recovery(FAR_V6.into())
}

fn segments_too_big_for_the_path_are_loss_recovery(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let path = Path::new()?;
        let (flow, events) = watch(root, &path.sender, || path.four_segments_too_big(peer))?;
        assert_eq!(kinds(&events), ["loss_recovery"; 8]);
        let fits = flow.mss()?;
        for (event, length) in events.iter().zip([fits, pmtu::BY].into_iter().cycle()) {
            assert_on_flow(event, &flow);
            assert_eq!(event["retransmit"]["length"], length, "{event}");
            // This tells it from a retransmit after a timeout.
            assert_eq!(event["retransmit"]["undo_marker"], 0, "{event}");
            assert_eq!(event["retransmit"]["retransmits"], 0, "{event}");
        }
        Ok(())
    })
}

#[test]
fn root_a_retransmit_of_several_segments_counts_them_all() -> Result<()> {
    root_test(|root| {
        let path = Path::with_gso()?;
        let (flow, events) = watch(root, &path.sender, || {
            path.four_segments_too_big(FAR_V4.into())
        })?;
        assert_eq!(kinds(&events), ["loss_recovery"]);
        assert_on_flow(&events[0], &flow);
        let length = 4 * (flow.mss()? + pmtu::BY);
        assert_eq!(events[0]["retransmit"]["length"], length);
        // The data of four segments fills five smaller ones.
        assert_eq!(events[0]["retransmit"]["segments"], 5);
        Ok(())
    })
}

#[test]
fn root_data_that_a_server_does_not_take_with_the_syn_is_loss_recovery() -> Result<()> {
    root_test(|root| {
        for peer in [RECEIVER_V4.into(), RECEIVER_V6.into()] {
            let lab = Lab::new()?;
            let host = Host::start(root, &[])?;
            let flow = lab.refused_fast_open_data(peer)?;
            let run = host.stop()?;
            run.ledger.assert_complete();
            let events = run.retransmits_in(&lab.sender)?;
            assert_eq!(kinds(&events), ["loss_recovery"]);
            // Before 5.12 the kernel counts it as nothing but a retransmit.
            let kernel = Nstat::of(&lab.sender)?;
            let slow_start = u64::from(is_since(5, 12)?);
            for (counter, expected) in [
                ("TcpRetransSegs", 1),
                ("TcpExtTCPSlowStartRetrans", slow_start),
                ("TcpExtTCPLossProbes", 0),
            ] {
                assert_eq!(kernel.get(counter)?, expected, "{counter}");
            }
            assert_on_flow(&events[0], &flow);
            assert_eq!(events[0]["retransmit"]["length"], SEGMENT);
            assert_eq!(events[0]["retransmit"]["undo_marker"], 0);
        }
        Ok(())
    })
}

#[test]
fn root_unanswered_syns_are_one_event_for_each_retransmit() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let peers = [RECEIVER_V4.into(), RECEIVER_V4.into(), RECEIVER_V6.into()];
        let ((), mut events) =
            watch_with_other_timeouts(root, &lab.sender, 3, || lab.unanswered_connects(&peers))?;
        assert_eq!(kinds(&events), ["syn"; 3]);
        // Two connections to different peers may share a local port.
        events.sort_by_key(|event| event["ipversion"].as_u64());
        for (event, peer) in events.iter().zip(peers) {
            let port = event["source"]["port"].as_u64().unwrap_or_default();
            assert!(LOCAL_PORTS.contains(&port), "{event}");
            assert_between(
                event,
                (sender_towards(peer), port.try_into()?),
                (peer, PORT),
            );
            assert_eq!(event["state"], "SYN_SENT", "{event}");
            assert_eq!(event["retransmit"]["flags"], "SYN", "{event}");
            assert_eq!(event["retransmit"]["length"], 0, "{event}");
        }
        assert_ne!(events[0]["source"]["port"], events[1]["source"]["port"]);
        Ok(())
    })
}

#[test]
fn root_lost_syn_acks_over_ipv4_are_events_of_the_server() -> Result<()> {
    lost_syn_acks_are_events_of_the_server(SENDER_V4.into(), SENDER_V4.into(), 2)
}

#[test]
fn root_lost_syn_acks_over_ipv6_are_events_of_the_server() -> Result<()> {
    lost_syn_acks_are_events_of_the_server(SENDER_V6.into(), SENDER_V6.into(), 10)
}

#[test]
fn root_lost_syn_acks_of_a_dual_stack_listener_to_ipv4_have_ipv4_addresses() -> Result<()> {
    lost_syn_acks_are_events_of_the_server(Ipv6Addr::UNSPECIFIED.into(), SENDER_V4.into(), 10)
}

fn lost_syn_acks_are_events_of_the_server(
    local: IpAddr,
    server: IpAddr,
    family: u64,
) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (accepted, events) =
            watch(root, &lab.sender, || lab.two_syn_acks_again(local, server))?;
        accepted.assert_syn_acks(&events, family, [("not_accepted", false); 2]);
        Ok(())
    })
}

#[test]
fn root_lost_syn_acks_of_fast_open_over_ipv4_tell_so() -> Result<()> {
    lost_syn_acks_of_fast_open_tell_so(SENDER_V4.into())
}

#[test]
fn root_lost_syn_acks_of_fast_open_over_ipv6_tell_so() -> Result<()> {
    lost_syn_acks_of_fast_open_tell_so(SENDER_V6.into())
}

fn lost_syn_acks_of_fast_open_tell_so(server: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (accepted, events) = watch(root, &lab.sender, || {
            lab.two_syn_acks_again_of_fast_open(server)
        })?;
        let family = if server.is_ipv4() { 2 } else { 10 };
        // The application accepts the connection between the two SYN-ACKs.
        accepted.assert_syn_acks(&events, family, [("not_accepted", true), ("held", true)]);
        Ok(())
    })
}

#[test]
fn root_syn_acks_of_a_simultaneous_open_over_ipv4_are_syn_acks() -> Result<()> {
    syn_acks_of_a_simultaneous_open_are_syn_acks(RECEIVER_V4.into())
}

#[test]
fn root_syn_acks_of_a_simultaneous_open_over_ipv6_are_syn_acks() -> Result<()> {
    syn_acks_of_a_simultaneous_open_are_syn_acks(RECEIVER_V6.into())
}

fn syn_acks_of_a_simultaneous_open_are_syn_acks(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let (flow, events) = watch(root, &lab.sender, || lab.simultaneous_open(peer))?;
        assert_eq!(kinds(&events), ["syn_ack"; 2]);
        for event in &events {
            assert_on_flow(event, &flow);
            assert_eq!(event["state"], "SYN_RECV", "{event}");
            let retransmit = &event["retransmit"];
            // There is no listener: the segment is the connection's own.
            assert_eq!(retransmit["tracepoint"], "tcp_retransmit_skb", "{event}");
            assert_eq!(retransmit["flags"], "SYN|ACK", "{event}");
            assert_eq!(event["owner"]["status"], "held", "{event}");
        }
        Ok(())
    })
}
