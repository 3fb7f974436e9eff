//! Hostile plugins on the live probe, in the release host: every retransmit is printed, whatever they
//! do.

use anyhow::Result;
use serde_json::Value;

use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::release::release_host;
use crate::support::Root;
use crate::support::burst::hidden_of_burst;
use crate::support::burst::syn_burst;
use crate::support::bystander::Bystander;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::host::Run;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::oracle::Nstat;
use crate::support::root_test;
use crate::support::root_test_alone;
use crate::support::tracefs::Trace;

/// SYNs, each retransmitted once.
const BURST: u64 = 2_000;

/// The release host with this act of the liar before json-print.
fn start(root: &Root, act: &str, limits: &str) -> Result<Host> {
    let hostile = format!("hostile={}", fixture(LIAR).display());
    let act = format!("act={act}");
    let hostile = ["--plugin", &hostile, "--set", &act, "--limit", limits];
    let arguments = [&hostile[..], &["--plugin", "json-print"]].concat();
    Host::start_build(root, release_host(), &arguments)
}

/// Runs an act; five retransmits, as the kernel counts them, must be printed once each and in order.
fn five_come_out(root: &Root, act: &str) -> Result<Run> {
    let lab = Lab::new()?;
    let host = start(root, act, "time=20ms")?;
    lab.five_fast_retransmits(RECEIVER_V4)?;
    let run = host.stop()?;

    assert_eq!(Nstat::of(&lab.sender)?.retransmitted_segments()?, 5);
    let events = run.retransmits_in(&lab.sender)?;
    assert_eq!(kinds(&events), ["fast"; 5], "{act}");
    assert_in_order(&run.of_type("retransmit")?);
    run.ledger.assert_complete();
    assert!(run.status.success(), "{act}: {}", run.status);
    Ok(run)
}

/// Checks that every event was printed, in the order in which the host read them.
#[track_caller]
fn assert_in_order(events: &[Value]) {
    for (sequence, event) in events.iter().enumerate() {
        assert_eq!(event["sequence"], sequence as u64, "{event}");
    }
}

/// Checks that the plugin processed no event, and failed at least `least` times for this cause.
#[track_caller]
fn assert_fails_on_all(run: &Run, cause: &str, least: u64) {
    let counters = run.ledger.plugin("hostile");
    assert_eq!(
        counters.get("passed_unseen"),
        counters.get("in"),
        "{counters:?}"
    );
    let faults = &run.ledger.faults["hostile"];
    assert!(faults.get(cause) >= least, "{faults:?}");
}

#[test]
fn root_a_plugin_that_loops_holds_nobody_up_and_every_retransmit_comes_out() -> Result<()> {
    root_test(|root| {
        // How many events are in one call depends on the machine.
        assert_fails_on_all(&five_come_out(root, "loops")?, "deadline", 1);
        Ok(())
    })
}

#[test]
fn root_a_plugin_that_panics_at_the_third_event_misses_that_one_alone() -> Result<()> {
    root_test(|root| {
        let run = five_come_out(root, "panics_at 2")?;
        let counters = run.ledger.plugin("hostile");
        assert_eq!(counters.get("passed_unseen"), 1, "{counters:?}");
        assert_eq!(counters.get("kept"), counters.get("in") - 1, "{counters:?}");
        Ok(())
    })
}

#[test]
fn root_a_plugin_that_wants_a_gigabyte_or_writes_one_harms_nobody() -> Result<()> {
    root_test(|root| {
        assert_fails_on_all(&five_come_out(root, "takes_memory")?, "memory", 5);
        assert_fails_on_all(&five_come_out(root, "writes_without_end")?, "contract", 5);
        Ok(())
    })
}

#[test]
fn root_a_plugin_that_raises_a_million_alerts_raises_none() -> Result<()> {
    root_test(|root| {
        let run = five_come_out(root, "emit_a_million_times")?;
        assert_fails_on_all(&run, "contract", 5);
        let raised = run
            .stderr
            .iter()
            .filter(|line| line.ends_with(" [hostile]"));
        assert_eq!(raised.count(), 0);
        Ok(())
    })
}

#[test]
fn root_a_plugin_that_loops_does_not_make_a_burst_overflow_the_ring() -> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let _bystander = Bystander::of(&lab.sender)?;
        let trace = Trace::start()?;
        // The limit of a call, five times, is 1.25 s: longer than the whole burst.
        let host = start(root, "loops", "time=250ms")?;
        syn_burst(&lab, BURST)?;
        // On a busy machine 1.25 s of CPU time are longer than the host takes to end after a signal.
        let left_out = "plugin hostile failed too often and is in quarantine";
        host.wait_until_said(left_out)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        let hidden = hidden_of_burst(&lab, &trace, BURST)?;
        let printed = run.retransmits_in(&lab.sender)?;
        assert_eq!(printed.len() as u64, BURST - hidden);
        assert_in_order(&run.of_type("retransmit")?);
        // The burst needs at least eight calls.
        assert_fails_on_all(&run, "deadline", 5);
        Ok(())
    })
}
