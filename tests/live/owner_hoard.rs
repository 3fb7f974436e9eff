//! A user with more open sockets than the host can keep neither fills its memory nor hides the owners
//! of other sockets.
//!
//! Scans of all hosts on the machine are slow meanwhile: these tests run alone.

use std::net::TcpListener;
use std::net::TcpStream;

use anyhow::Result;
use serde_json::Value;

use crate::support::Root;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::accept;
use crate::support::owners::boot_time;
use crate::support::owners::events_between;
use crate::support::owners::events_in;
use crate::support::owners::let_answers_expire;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::processes::Process;
use crate::support::root_test_alone;

/// How often each of [`HOARDERS`] processes has the same socket open.
const DUPLICATES: usize = 15_000;
const HOARDERS: u32 = 20;

/// Limit on the host's growth while it scans them. It grew by 46 MiB where each was kept.
const GROWTH_KIB: u64 = 6 * 1_024;

#[test]
fn root_a_socket_that_is_open_300_000_times_takes_no_memory_and_hides_no_owner() -> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let connected = || connected(root, &lab, &listener);
        let host = Host::start(root, &[])?;
        let (mut before, mut peer) = connected()?;
        lose_a_segment(&lab, &mut before, &mut peer)?;
        let_answers_expire();
        let peaceful = host.most_memory()?;

        let (mut hoarder, mut hoarders_peer) = connected()?;
        hoarder.duplicate(DUPLICATES)?;
        let forks: Vec<Process> = (1..HOARDERS)
            .map(|_| hoarder.fork())
            .collect::<Result<_>>()?;
        let (mut after, mut peer) = connected()?;
        let begin = boot_time();
        lose_a_segment(&lab, &mut after, &mut peer)?;
        let middle = boot_time();
        lose_a_segment(&lab, &mut hoarder, &mut hoarders_peer)?;
        let end = boot_time();
        let crowded = host.most_memory()?;
        let run = host.stop()?;
        drop(forks);

        let events = events_in(&run, &lab.sender)?;
        assert_last_is_held(&events_between(&events, begin, middle), &after, 1);
        assert_last_is_held(&events_between(&events, middle, end), &hoarder, HOARDERS);
        assert!(
            crowded < peaceful + GROWTH_KIB,
            "{peaceful} KiB before, {crowded} KiB with the duplicates"
        );
        Ok(())
    })
}

/// Sockets that each of [`HOARDERS`] processes has open: more pairs than the 262,144 that are kept.
const SOCKETS: usize = 15_000;

/// Limit on its growth with as many pairs as it keeps. They, and the memory to collect them, take 23 MiB.
const CUT_GROWTH_KIB: u64 = 36 * 1_024;

#[test]
fn root_more_open_sockets_than_the_host_keeps_hide_no_owner_and_their_memory_comes_back()
-> Result<()> {
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let connected = || connected(root, &lab, &listener);
        let host = Host::start(root, &[])?;
        let (mut client, mut peer) = connected()?;
        lose_a_segment(&lab, &mut client, &mut peer)?;
        let_answers_expire();
        let peaceful = host.memory()?;

        let mut hoarder = Process::start(root, &lab.sender)?;
        hoarder.open_sockets(SOCKETS)?;
        let forks: Vec<Process> = (1..HOARDERS)
            .map(|_| hoarder.fork())
            .collect::<Result<_>>()?;
        // The process numbers of the hoarders are lower, so that they are found first.
        let (mut late, mut lates_peer) = connected()?;
        let begin = boot_time();
        lose_a_segment(&lab, &mut late, &mut lates_peer)?;
        host.wait_until_said("TCP sockets open more than 262144 times")?;
        lose_a_segment(&lab, &mut late, &mut lates_peer)?;
        let end = boot_time();
        let crowded = host.most_memory()?;
        drop(forks);
        drop(hoarder);
        host.wait_until("the memory to come back", || {
            let_answers_expire();
            lose_a_segment(&lab, &mut client, &mut peer)?;
            Ok(host.memory()? < peaceful + GROWTH_KIB)
        })?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        assert_last_is_held(&events_between(&events, begin, end), &late, 1);
        assert!(
            crowded < peaceful + CUT_GROWTH_KIB,
            "{peaceful} KiB before, {crowded} KiB with the sockets"
        );
        assert!(run.ledger.owners.get("scans_cut") > 0);
        let told = run.stderr.iter().filter(|line| line.contains("262144"));
        assert_eq!(told.count(), 1, "{:#?}", run.stderr);
        Ok(())
    })
}

/// Checks the last event: a scan may take longer than the first event waits.
#[track_caller]
fn assert_last_is_held(events: &[Value], process: &Process, holders: u32) {
    let owner = &events.last().expect("there is one")["owner"];
    assert_eq!(owner["status"], "held", "{events:#?}");
    assert_eq!(owner["pid"], process.pid(), "{owner}");
    assert_eq!(owner["holders"], holders, "{owner}");
}

/// A process in the sender, and the peer of its connection.
fn connected(root: &Root, lab: &Lab, listener: &TcpListener) -> Result<(Process, TcpStream)> {
    let mut process = Process::start(root, &lab.sender)?;
    process.connect(AT_RECEIVER)?;
    Ok((process, accept(listener)?))
}
