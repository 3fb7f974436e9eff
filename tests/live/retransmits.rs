//! Every retransmit of the kernel is printed: as many as its counters and its trace have, of the right
//! kind, on the right connection, at the right time.

use anyhow::Result;

use crate::support::expect::Window;
use crate::support::expect::assert_on_flow;
use crate::support::expect::assert_sent;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::oracle::Nstat;
use crate::support::root_test;
use crate::support::tracefs::Trace;

#[test]
fn root_a_lost_tail_is_a_probe_and_then_timeouts() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let window = Window::open();
        let host = Host::start(root, &[])?;
        let flow = lab.tail_loss_probe_and_three_timeouts(RECEIVER_V4)?;
        let run = host.stop()?;

        let kernel = Nstat::of(&lab.sender)?;
        assert_eq!(kernel.retransmitted_segments()?, 4);
        assert_eq!(kernel.get("TcpExtTCPLossProbes")?, 1);
        assert_eq!(kernel.get("TcpExtTCPTimeouts")?, 3);
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(
            kinds(&events),
            ["tail_loss_probe", "timeout", "timeout", "timeout"]
        );
        for event in &events {
            assert_on_flow(event, &flow);
            assert_sent(event);
            assert_eq!(event["state"], "ESTABLISHED", "{event}");
            // It is the same segment every time.
            assert_eq!(event["retransmit"]["seq"], events[0]["retransmit"]["seq"]);
        }
        let rto = |event: usize| events[event]["tcp"]["rto_us"].as_u64();
        assert_eq!(rto(2), rto(1).map(|rto| 2 * rto), "the timeout doubles");
        window.assert_holds(&events);
        run.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_the_kernels_own_trace_agrees() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let trace = Trace::start()?;
        let host = Host::start(root, &[])?;
        let flow = lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        let events = run.retransmits_in(&lab.sender)?;
        let local = flow.client.local_addr()?;
        let traced = trace.lines_with(&[
            &format!("saddr={}", local.ip()),
            &format!("sport={}", local.port()),
            &format!("dport={PORT}"),
        ])?;
        assert_eq!(traced.len(), 5, "{traced:#?}");
        assert_eq!(events.len(), traced.len());
        Ok(())
    })
}
