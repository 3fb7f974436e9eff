//! A bulk transfer with segmentation offload and random losses: packets of many segments are retransmitted in parts.

use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::thread;

use anyhow::Context;
use anyhow::Result;

use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::mib::Causes;
use crate::support::oracle::wait_until;
use crate::support::root_test;
use crate::support::sockopt::TcpInfo;

/// Offset of `tcpi_unacked` in `struct tcp_info`.
const UNACKED: usize = 24;

/// Bytes of the transfer.
const BYTES: usize = 2_000_000;

#[test]
fn root_segments_of_a_lossy_bulk_transfer_over_ipv4_are_what_the_kernel_counts() -> Result<()> {
    segments_of_a_lossy_bulk_transfer_are_what_the_kernel_counts(RECEIVER_V4.into())
}

#[test]
fn root_segments_of_a_lossy_bulk_transfer_over_ipv6_are_what_the_kernel_counts() -> Result<()> {
    segments_of_a_lossy_bulk_transfer_are_what_the_kernel_counts(RECEIVER_V6.into())
}

fn segments_of_a_lossy_bulk_transfer_are_what_the_kernel_counts(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        lab.with_offload()?;
        let host = Host::start(root, &["--failed"])?;
        let mut flow = lab.connect(peer)?;
        // Packets of several segments are lost as a whole: the first, and one in twenty at random.
        lab.lose_first(1, &format!("tcp dport {PORT} meta length > 600"))?;
        lab.lose(&format!(
            "tcp dport {PORT} meta length > 600 numgen random mod 100 < 5"
        ))?;
        thread::scope(|scope| -> Result<()> {
            let mut server = &flow.server;
            let receiver = scope.spawn(move || server.read_exact(&mut vec![0; BYTES]));
            flow.client
                .write_all(&vec![0x5a; BYTES])
                .context("cannot send")?;
            receiver
                .join()
                .expect("reading does not panic")
                .context("the data did not arrive")
        })?;
        // The receiver has all of it before the sender knows, which may still send segments again.
        wait_until("every segment to be acknowledged", || {
            Ok(TcpInfo::of(&flow.client)?.u32(UNACKED) == 0)
        })?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        // Since 6.17: the first copy was still queued. The kernel counted no segment.
        let mut events = run.retransmits_in(&lab.sender)?;
        events.retain(|event| event["retransmit"]["error"] != "EBUSY");
        assert!(!events.is_empty(), "nothing was lost");
        Causes::of(&events)?.assert_segments_counted(&lab.sender)
    })
}
