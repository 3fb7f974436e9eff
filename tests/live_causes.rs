//! Each cause forced alone: as many events of this kind as the recipe makes, and no other, and the
//! kernel's own counters say the same.

mod live;

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::process;

use anyhow::Result;
use serde_json::Value;
use serde_json::json;

use crate::live::Root;
use crate::live::expect::assert_between;
use crate::live::expect::assert_on_flow;
use crate::live::expect::kinds;
use crate::live::handshake::HalfOpen;
use crate::live::host::Host;
use crate::live::host::Run;
use crate::live::lab::CONGESTION_CONTROL;
use crate::live::lab::LOCAL_PORTS;
use crate::live::lab::Lab;
use crate::live::lab::PORT;
use crate::live::lab::RECEIVER_V4;
use crate::live::lab::RECEIVER_V6;
use crate::live::lab::SEGMENT;
use crate::live::lab::SENDER_V4;
use crate::live::lab::SENDER_V6;
use crate::live::mib::Causes;
use crate::live::netns::Namespace;
use crate::live::oracle::Nstat;
use crate::live::pmtu::FAR_V4;
use crate::live::pmtu::FAR_V6;
use crate::live::pmtu::Path;
use crate::live::pmtu::segment_size;
use crate::live::require_root;

const BOTH: [IpAddr; 2] = [IpAddr::V4(RECEIVER_V4), IpAddr::V6(RECEIVER_V6)];
const BOTH_SENDERS: [IpAddr; 2] = [IpAddr::V4(SENDER_V4), IpAddr::V6(SENDER_V6)];

/// Runs a recipe with the host watching; its result, and the events of the namespace, of which the
/// kernel's counters there know as well.
fn watch<T>(
    root: &Root,
    namespace: &Namespace,
    recipe: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<Value>)> {
    let host = Host::start(root, &[])?;
    let result = recipe()?;
    let run = host.stop()?;
    let events = run.retransmits_in(namespace)?;
    println!("{}", serde_json::to_string_pretty(&events)?);
    println!("{}", namespace.run("nstat -as")?);
    println!("{:#?}", run.ledger);
    let _: Option<(Run, HalfOpen, Ipv6Addr, Nstat)> = None;
    Causes::of(&events)?.assert_counted(namespace)?;
    run.ledger.assert_complete();
    Ok((result, events))
}

#[test]
fn root_a_tail_loss_probe_that_gets_through_is_the_only_event() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for peer in BOTH {
        let lab = Lab::new()?;
        let (flow, events) = watch(&root, &lab.sender, || lab.tail_loss_probe_alone(peer))?;
        assert_eq!(kinds(&events), ["tail_loss_probe"]);
        assert_on_flow(&events[0], &flow);
    }
    Ok(())
}

#[test]
fn root_three_timeouts_are_three_events() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for peer in BOTH {
        let lab = Lab::new()?;
        let (flow, events) = watch(&root, &lab.sender, || lab.three_timeouts(peer))?;
        assert_eq!(kinds(&events), ["timeout"; 3]);
        for (number, event) in (1..).zip(&events) {
            assert_on_flow(event, &flow);
            assert_eq!(event["retransmit"]["retransmits"], number, "{event}");
        }
    }
    Ok(())
}

#[test]
fn root_slow_start_after_a_timeout_is_loss_recovery() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for peer in BOTH {
        let lab = Lab::new()?;
        let (flow, events) = watch(&root, &lab.sender, || {
            lab.timeout_and_three_in_slow_start(peer)
        })?;
        assert_eq!(
            kinds(&events),
            ["timeout", "loss_recovery", "loss_recovery", "loss_recovery"]
        );
        for event in &events {
            assert_on_flow(event, &flow);
        }
    }
    Ok(())
}

#[test]
fn root_segments_too_big_for_the_path_are_loss_recovery() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for peer in [IpAddr::V4(FAR_V4), IpAddr::V6(FAR_V6)] {
        let path = Path::new()?;
        let (flow, events) = watch(&root, &path.sender, || {
            path.segments_that_became_too_big(peer, 4)
        })?;
        assert_eq!(kinds(&events), ["loss_recovery"; 4]);
        for event in &events {
            assert_on_flow(event, &flow);
            assert_eq!(event["retransmit"]["segments"], 2, "{event}");
            assert_eq!(event["retransmit"]["undo_marker"], 0, "{event}");
        }
        println!("{}", segment_size(&flow)?);
    }
    Ok(())
}

#[test]
fn root_data_that_a_server_refuses_in_a_syn_is_loss_recovery() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for peer in BOTH {
        let lab = Lab::new()?;
        let (flow, events) = watch(&root, &lab.sender, || lab.refused_fast_open_data(peer))?;
        assert_eq!(kinds(&events), ["loss_recovery"]);
        assert_on_flow(&events[0], &flow);
    }
    Ok(())
}

#[test]
fn root_lost_syn_acks() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for server in BOTH_SENDERS {
        let lab = Lab::new()?;
        let (half_open, events) = watch(&root, &lab.sender, || {
            lab.two_lost_syn_acks(server, server)
        })?;
        assert_eq!(kinds(&events), ["syn_ack"; 2]);
        let client = half_open.client_address()?;
        for event in &events {
            assert_between(event, (server, PORT), (client.ip(), client.port()));
            assert_eq!(event["owner"]["pid"], process::id(), "{event}");
        }
    }
    Ok(())
}

#[test]
fn root_lost_syn_acks_mapped() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    let lab = Lab::new()?;
    let (_half_open, events) = watch(&root, &lab.sender, || {
        lab.two_lost_syn_acks(Ipv6Addr::UNSPECIFIED.into(), SENDER_V4.into())
    })?;
    assert_eq!(kinds(&events), ["syn_ack"; 2]);
    Ok(())
}

#[test]
fn root_lost_syn_acks_tfo() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for server in BOTH_SENDERS {
        let lab = Lab::new()?;
        let (_, events) = watch(&root, &lab.sender, || {
            lab.two_lost_syn_acks_of_fast_open(server)
        })?;
        assert_eq!(kinds(&events), ["syn_ack"; 2]);
    }
    Ok(())
}

#[test]
fn root_sim_open() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    for server in BOTH {
        let lab = Lab::new()?;
        let (_, events) = watch(&root, &lab.sender, || lab.simultaneous_open(server))?;
        assert_eq!(kinds(&events), ["syn_ack"; 2]);
    }
    let _ = (CONGESTION_CONTROL, LOCAL_PORTS, SEGMENT, json!(1));
    Ok(())
}
