//! When the host is too slow, events are lost in the ring and nowhere else: each is counted, and every
//! plugin is notified.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::CallContext;
use retrans_host::stream::batch::MAX_EVENTS;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde_json::Value;

use crate::common::chain::batch;
use crate::common::chain::plugin;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::support::burst::hidden_of_burst;
use crate::support::burst::syn_burst;
use crate::support::bystander::Bystander;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::reconcile::compared;
use crate::support::reconcile::compared_in_all;
use crate::support::root_test_alone;
use crate::support::tracefs::Trace;

/// SYNs, each retransmitted once.
const BURST: u64 = 9_000;

/// CPU time of the slow plugin for a full batch. Its limit is 250 ms.
const SLOWNESS: Duration = Duration::from_millis(170);

/// A small ring.
const RING: &str = "64KiB";

#[test]
fn root_what_a_slow_plugin_makes_the_ring_lose_is_counted_and_every_plugin_is_told() -> Result<()> {
    root_test_alone(|root| {
        let slow = format!("slow={}", fixture(LIAR).display());
        let act = format!("act=burns {}", rounds_an_event()?);
        let lab = Lab::new()?;
        let _bystander = Bystander::of(&lab.sender)?;
        let trace = Trace::start()?;
        let arguments = [
            "--ring-size",
            RING,
            "--backlog",
            "4k",
            "--no-owners",
            "--reconcile",
        ];
        let plugins = ["--plugin", &slow, "--set", &act, "--plugin", "json-print"];
        let host = Host::start(root, &[&arguments[..], &plugins[..]].concat())?;
        syn_burst(&lab, BURST)?;
        let hidden = hidden_of_burst(&lab, &trace, BURST)?;
        // After a signal a host ends within 4.5 s. On a busy machine the slow plugin takes longer than that
        // for what is in the ring and in channels.
        host.wait_until("every event to be printed or counted as lost", || {
            thread::sleep(Duration::from_millis(100));
            let printed = host.printed("retransmit")?;
            Ok(printed.len() as u64 + lost_in_gaps(&host.printed("gap")?) >= BURST - hidden)
        })?;
        let run = host.stop()?;

        run.ledger.assert_balances();
        // There is room for 4,778 events: 170 in the ring, and 18 batches in channels. The burst ends
        // before the slow plugin has processed as many again.
        let lost = run.ledger.kernel.get("ring_full");
        assert!(lost > 0, "none of {BURST} was lost");
        let printed = run.retransmits_in(&lab.sender)?;
        assert_eq!(
            printed.len() as u64 + lost,
            BURST - hidden,
            "{lost} lost, {hidden} hidden: {:#?}",
            run.stderr
        );

        let compared = compared(&run, &lab.sender)?;
        assert_eq!(compared.get("RetransSegs"), BURST);
        assert_eq!(compared.get("missing"), lost + hidden);
        assert_eq!(compared_in_all(&run)?.get("unexplained"), hidden);
        let gaps = run.of_type("gap")?;
        assert_eq!(lost_in_gaps(&gaps), lost, "{gaps:#?}");
        Ok(())
    })
}

/// A ring of one page has room for ten records: the host cannot empty it as fast as the burst fills it.
#[test]
fn root_a_ring_of_one_page_loses_most_of_a_burst_and_every_loss_is_counted() -> Result<()> {
    /// SYNs, each retransmitted once.
    const CONNECTIONS: u64 = 400;
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let _bystander = Bystander::of(&lab.sender)?;
        let trace = Trace::start()?;
        let arguments = ["--ring-size", "4KiB", "--no-owners", "--reconcile"];
        let host = Host::start(root, &arguments)?;
        syn_burst(&lab, CONNECTIONS)?;
        let hidden = hidden_of_burst(&lab, &trace, CONNECTIONS)?;
        let run = host.stop()?;

        run.ledger.assert_balances();
        let kernel = &run.ledger.kernel;
        let lost = kernel.get("ring_full");
        assert!(lost > 0, "none of {CONNECTIONS} was lost");
        let printed = run.retransmits_in(&lab.sender)?.len() as u64;
        assert_eq!(printed + lost, CONNECTIONS - hidden, "{:#?}", run.stderr);
        assert_eq!(kernel.get("entered"), kernel.get("recorded") + lost);
        let compared = compared(&run, &lab.sender)?;
        assert_eq!(compared.get("RetransSegs"), CONNECTIONS);
        assert_eq!(compared.get("missing"), lost + hidden);
        assert_eq!(lost_in_gaps(&run.of_type("gap")?), lost);
        Ok(())
    })
}

fn lost_in_gaps(gaps: &[Value]) -> u64 {
    let lost = gaps.iter().map(|gap| gap["lost"].as_u64().unwrap_or(0));
    lost.sum()
}

/// The number of rounds of the slow plugin's loop for one event, so that a full batch takes
/// [`SLOWNESS`] on this machine, by the clock of the limit.
fn rounds_an_event() -> Result<u64> {
    /// Enough to measure, and far from the limit.
    const SAMPLE: u64 = 20_000;
    let records: Vec<Record> = Synth::new(1).take(MAX_EVENTS).collect();
    let mut slow = plugin("slow", LIAR, &[("act", &format!("burns {SAMPLE}"))]);
    let mut took = Vec::new();
    for _ in 0..5 {
        let before = cpu_time();
        slow.instance
            .process(&mut batch(&records), CallContext::default())?;
        took.push(cpu_time() - before);
    }
    // The slowest of five: noise only adds.
    let took = took.into_iter().max().unwrap_or(SLOWNESS);
    let rounds = SLOWNESS.as_nanos() * u128::from(SAMPLE) / took.as_nanos().max(1);
    Ok(rounds.try_into()?)
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
