//! Where no process holds a socket, the event has the reason and no process; subflows of MPTCP have the
//! owner of their connection.
//!
//! The status `kernel` has no test: without network file systems or the like, the kernel makes no TCP
//! socket of its own that sends, only listeners for MPTCP.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use serde_json::Value;
use socket2::Socket;

use crate::support::host::Host;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::SENDER_V4;
use crate::support::mptcp::has_mptcp;
use crate::support::mptcp::mptcp_socket;
use crate::support::netns::Namespace;
use crate::support::oracle::WAIT_TIMEOUT;
use crate::support::oracle::wait_for_counter;
use crate::support::oracle::wait_until;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::AT_SENDER;
use crate::support::owners::IS_SYN_ACK;
use crate::support::owners::Identity;
use crate::support::owners::RETRANSMITS;
use crate::support::owners::accept;
use crate::support::owners::assert_named_nobody;
use crate::support::owners::begin_to_lose_a_segment;
use crate::support::owners::boot_time;
use crate::support::owners::call_and_lose_a_syn_ack;
use crate::support::owners::events_between;
use crate::support::owners::events_in;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::owners::lose_it_again;
use crate::support::owners::wait_until_printed;
use crate::support::processes::Process;
use crate::support::root_test;

/// Where the sender's second subflow comes from.
const ANOTHER_SENDER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 3);
/// Where the sender's kernel listens for more subflows.
const KERNELS_PORT: u16 = PORT + 1;

/// Closed sockets retransmit for longer than a test takes.
fn let_orphans_live(lab: &Lab) -> Result<()> {
    lab.sender.sysctl("net.ipv4.tcp_orphan_retries", "12")
}

#[test]
fn root_a_socket_that_is_closed_is_orphaned_and_its_last_owner_is_told() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let_orphans_live(&lab)?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        let _peer = accept(&listener)?;
        begin_to_lose_a_segment(&lab, &mut client)?;
        wait_until_printed(&host, &lab)?;
        let held = boot_time();
        client.close()?;
        let closed = boot_time();
        lose_it_again(&lab)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        let client = Identity::of(&client)?;
        client.assert_holds(&events_between(&events, Duration::ZERO, held), 1);
        client.assert_held_last(&events_between(&events, closed, Duration::MAX))
    })
}

#[test]
fn root_of_a_socket_that_was_closed_before_it_was_seen_no_owner_is_told() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let_orphans_live(&lab)?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        let _peer = accept(&listener)?;
        begin_to_lose_a_segment(&lab, &mut client)?;
        client.close()?;
        let host = Host::start(root, &[])?;
        lose_it_again(&lab)?;
        let run = host.stop()?;

        for event in &events_in(&run, &lab.sender)? {
            assert_named_nobody(event, "orphaned");
            assert!(event["owner"]["last"].is_null(), "{event}");
        }
        Ok(())
    })
}

#[test]
fn root_without_owners_the_kernel_still_tells_what_no_process_holds() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let_orphans_live(&lab)?;
        let host = Host::start(root, &["--no-owners"])?;
        let mut server = Process::start(root, &lab.sender)?;
        server.listen(AT_SENDER)?;
        let mut peer = call_and_lose_a_syn_ack(&lab)?;
        let connected = boot_time();
        server.accept()?;
        lose_a_segment(&lab, &mut server, &mut peer)?;
        let received = boot_time();
        begin_to_lose_a_segment(&lab, &mut server)?;
        let held = boot_time();
        server.close()?;
        let closed = boot_time();
        lose_it_again(&lab)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        for (begin, end, status) in [
            (Duration::ZERO, connected, "not_accepted"),
            (connected, received, "unknown"),
            (received, held, "unknown"),
            (closed, Duration::MAX, "orphaned"),
        ] {
            for event in events_between(&events, begin, end) {
                assert_named_nobody(&event, status);
                assert!(event["owner"]["last"].is_null(), "{event}");
            }
        }
        assert_eq!(run.ledger.owners.get("held"), 0);
        assert_eq!(run.ledger.owners.get("scans"), 0);
        Ok(())
    })
}

#[test]
fn root_every_subflow_of_an_mptcp_connection_is_held_by_its_process() -> Result<()> {
    root_test(|root| {
        if !has_mptcp() {
            return Ok(());
        }
        let lab = lab_with_two_paths()?;
        lab.sender.run(&format!(
            "ip mptcp endpoint add {ANOTHER_SENDER} dev to-receiver subflow"
        ))?;
        let host = Host::start(root, &[])?;
        let listener = lab.receiver.enter(|| -> Result<Socket> {
            let socket = mptcp_socket()?;
            socket.bind(&AT_RECEIVER.into())?;
            socket.listen(1)?;
            Ok(socket)
        })??;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect_mptcp(AT_RECEIVER)?;
        let _peer = listener.accept()?;
        // The first data allows the client to open the second subflow.
        client.send_segments(1)?;
        lose_segments_of_both_subflows(&lab, &mut client)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        for address in [SENDER_V4, ANOTHER_SENDER] {
            Identity::of(&client)?.assert_holds(&events_from(&events, address), 1);
        }
        Ok(())
    })
}

#[test]
fn root_a_listener_of_the_kernels_is_nobodys_and_what_it_accepts_is_its_processs() -> Result<()> {
    root_test(|root| {
        if !has_mptcp() {
            return Ok(());
        }
        let lab = lab_with_two_paths()?;
        // The kernel listens there for more subflows of connections to the server's port.
        lab.sender.run(&format!(
            "ip mptcp endpoint add {ANOTHER_SENDER} dev to-receiver signal port {KERNELS_PORT}"
        ))?;
        let host = Host::start(root, &[])?;
        let mut server = Process::start(root, &lab.sender)?;
        server.listen_mptcp(AT_SENDER)?;
        lab.lose(&format!("tcp sport {KERNELS_PORT} {IS_SYN_ACK}"))?;
        let mut peer = lab.receiver.enter(|| -> Result<Socket> {
            let socket = mptcp_socket()?;
            socket.connect_timeout(&AT_SENDER.into(), WAIT_TIMEOUT)?;
            Ok(socket)
        })??;
        server.accept()?;
        // The first data allows the server to offer the other address.
        peer.write_all(&[0])?;
        wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", RETRANSMITS)?;
        lab.lose_nothing()?;
        lose_segments_of_both_subflows(&lab, &mut server)?;
        let run = host.stop()?;

        let (of_kernel, of_server): (Vec<Value>, Vec<Value>) = events_in(&run, &lab.sender)?
            .into_iter()
            .partition(|event| event["retransmit"]["kind"] == "syn_ack");
        for event in events_from(&of_kernel, ANOTHER_SENDER) {
            assert_named_nobody(&event, "not_accepted");
        }
        for address in [SENDER_V4, ANOTHER_SENDER] {
            Identity::of(&server)?.assert_holds(&events_from(&of_server, address), 1);
        }
        Ok(())
    })
}

/// The sender has two addresses, and connections may have two subflows.
fn lab_with_two_paths() -> Result<Lab> {
    let lab = Lab::new()?;
    lab.sender.run(&format!(
        "ip address add {ANOTHER_SENDER}/24 dev to-receiver noprefixroute"
    ))?;
    for namespace in [&lab.sender, &lab.receiver] {
        namespace.run("ip mptcp limits set subflow 1 add_addr_accepted 1")?;
    }
    Ok(lab)
}

/// Waits for the second subflow, and then until a segment of each is lost.
fn lose_segments_of_both_subflows(lab: &Lab, process: &mut Process) -> Result<()> {
    wait_until("the second subflow", || {
        Ok(timeouts_of_connections(&lab.sender)?.len() == 2)
    })?;
    lab.lose(&format!("meta l4proto tcp {HAS_PAYLOAD}"))?;
    // Enough data for both subflows.
    process.send_segments(40)?;
    wait_until("both subflows to time out", || {
        let timeouts = timeouts_of_connections(&lab.sender)?;
        Ok(timeouts.iter().all(|timeouts| *timeouts > 0))
    })
}

/// The number of consecutive timeouts of each established TCP connection, from the kernel's table.
fn timeouts_of_connections(namespace: &Namespace) -> Result<Vec<u32>> {
    const ESTABLISHED: &str = "01";
    let table = namespace.enter(|| fs::read_to_string("/proc/thread-self/net/tcp"))??;
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt …
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(3) == Some(&ESTABLISHED) {
            let timeouts = words.get(6).with_context(|| line.to_owned())?;
            found.push(u32::from_str_radix(timeouts, 16)?);
        }
    }
    Ok(found)
}

/// The events from this address: at least one.
#[track_caller]
fn events_from(events: &[Value], address: Ipv4Addr) -> Vec<Value> {
    let is_from = |event: &&Value| event["source"]["ip"] == address.to_string();
    let found: Vec<Value> = events.iter().filter(is_from).cloned().collect();
    assert!(!found.is_empty(), "no event of {address}: {events:#?}");
    found
}
