//! However a run ends, recorded events are printed, the ledger balances, and there are no false alarms
//! on standard error.

use anyhow::Result;
use rustix::process::Signal;

use crate::support::host::Host;
use crate::support::host::Run;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

#[test]
fn root_ctrl_c_drains_and_prints_the_ledger() -> Result<()> {
    a_signal_drains_and_prints_the_ledger(Signal::INT)
}

#[test]
fn root_sigterm_drains_and_prints_the_ledger() -> Result<()> {
    a_signal_drains_and_prints_the_ledger(Signal::TERM)
}

fn a_signal_drains_and_prints_the_ledger(signal: Signal) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop_with(signal)?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        assert_eq!(run.retransmits_in(&lab.sender)?.len(), 5);
        run.ledger.assert_complete();
        let [(name, printed)] = run.ledger.plugins.as_slice() else {
            panic!("json-print alone runs by default: {:?}", run.ledger);
        };
        assert_eq!(name, "json-print");
        // Including retransmits of other namespaces.
        assert_eq!(printed.get("kept"), run.lines.len() as u64);
        Ok(())
    })
}

#[test]
fn root_a_reader_that_goes_away_is_no_error() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start_into_head(root, &[])?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        // It ends without a signal.
        let run = host.wait()?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        assert_eq!(run.of_type("retransmit")?.len(), 1);
        assert_silent(&run);
        Ok(())
    })
}

/// Checks that standard error has no line but the one that the host is watching.
#[track_caller]
fn assert_silent(run: &Run) {
    let said: Vec<&String> = run
        .stderr
        .iter()
        .filter(|line| !line.contains("watching TCP retransmits"))
        .collect();
    assert!(said.is_empty(), "{said:?}");
}
