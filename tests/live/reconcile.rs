//! `--reconcile` compares events with the kernel's counters of each namespace, and names what is
//! missing and why.

use anyhow::Result;

use crate::support::bystander::Bystander;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::reconcile::compared;
use crate::support::reconcile::unreconciled;
use crate::support::root_test;

#[test]
fn root_what_was_recorded_is_what_the_kernel_counted_in_each_namespace() -> Result<()> {
    root_test(|root| {
        let labs = [Lab::new()?, Lab::new()?];
        let _in_the_first = Bystander::of(&labs[0].sender)?;
        let _in_the_second = Bystander::of(&labs[1].sender)?;
        // Before the host starts: these retransmits are not compared.
        labs[1].five_fast_retransmits(RECEIVER_V6)?;
        let host = Host::start(root, &["--reconcile"])?;
        labs[0].five_fast_retransmits(RECEIVER_V4)?;
        labs[0].lose_nothing()?;
        labs[1].unanswered_connects(&[RECEIVER_V4.into(), RECEIVER_V6.into()])?;
        let run = host.stop()?;

        let first = compared(&run, &labs[0].sender)?;
        assert_eq!(first.get("RetransSegs"), 5);
        assert_eq!(first.get("segments"), 5);
        assert_eq!(first.get("missing"), 0);
        assert_eq!(first.get("TCPSynRetrans"), 0);
        assert_eq!(first.get("syn"), 0);
        assert_eq!(first.coverage, "100.00%");
        let second = compared(&run, &labs[1].sender)?;
        assert_eq!(second.get("RetransSegs"), 2);
        assert_eq!(second.get("segments"), 2);
        assert_eq!(second.get("TCPSynRetrans"), 2);
        assert_eq!(second.get("syn"), 2);
        assert_eq!(second.coverage, "100.00%");
        run.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_a_namespace_that_nobody_is_in_is_said_to_be_unreconciled() -> Result<()> {
    root_test(|root| {
        let (deserted, left) = (Lab::new()?, Lab::new()?);
        let leaves = Bystander::of(&left.sender)?;
        let host = Host::start(root, &["--reconcile"])?;
        deserted.five_fast_retransmits(RECEIVER_V4)?;
        left.five_fast_retransmits(RECEIVER_V4)?;
        drop(leaves);
        let run = host.stop()?;

        let why = unreconciled(&run, &deserted.sender)?;
        assert!(
            why.starts_with("recorded=5 unreconciled: no process was found in it"),
            "{why}"
        );
        let why = unreconciled(&run, &left.sender)?;
        assert_eq!(why, "recorded=5 unreconciled: no process is left in it");
        Ok(())
    })
}

#[test]
fn root_with_two_capabilities_namespaces_of_other_users_are_compared() -> Result<()> {
    root_test(|root| {
        let labs = [Lab::new()?, Lab::new()?];
        let _of_root = Bystander::of(&labs[0].sender)?;
        let host = Host::start_as_other_user(root, &["--reconcile"])?;
        labs[0].five_fast_retransmits(RECEIVER_V4)?;
        // This one has its first process when the host has dropped its capabilities.
        let _later = Bystander::of(&labs[1].sender)?;
        labs[1].five_fast_retransmits(RECEIVER_V4)?;
        labs[1].five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        let first = compared(&run, &labs[0].sender)?;
        assert_eq!(first.get("RetransSegs"), 5);
        assert_eq!(first.get("segments"), 5);
        let second = compared(&run, &labs[1].sender)?;
        assert_eq!(second.get("missing"), 0);
        // From its first event on.
        let segments = second.get("segments");
        assert!(segments >= 5, "{segments}");
        assert_eq!(segments + second.get("outside"), 10);
        run.ledger.assert_complete();
        Ok(())
    })
}
