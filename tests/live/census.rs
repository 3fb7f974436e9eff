//! The census counts each segment that a connection sends once, and what is a retransmit among them, as the kernel's own
//! counters do.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::net::connect_unspec;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::support::census::CensusHost;
use crate::support::census::exchange;
use crate::support::census::first;
use crate::support::census::first_sent;
use crate::support::census::ss;
use crate::support::census::sum;
use crate::support::lab;
use crate::support::lab::Flow;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::lab::SEGMENT;
use crate::support::lab::SENDER_V4;
use crate::support::lab::SENDER_V6;
use crate::support::mptcp::has_mptcp;
use crate::support::mptcp::mptcp_socket;
use crate::support::oracle::Nstat;
use crate::support::oracle::WAIT_TIMEOUT;
use crate::support::oracle::wait_for_counter;
use crate::support::oracle::wait_until;
use crate::support::root_test;

const SEGMENT_BYTES: u64 = SEGMENT as u64;

#[test]
fn root_what_is_sent_again_is_counted_beside_what_is_sent() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let v4 = lab.five_fast_retransmits(RECEIVER_V4)?;
        assert_eq!(ss(&lab.sender, PORT, "data_segs_out:")?, 25);
        assert_eq!(ss(&lab.sender, PORT, "retrans:")?, 5);
        assert_eq!(ss(&lab.sender, PORT, "bytes_sent:")?, 25 * SEGMENT_BYTES);
        assert_eq!(ss(&lab.sender, PORT, "bytes_retrans:")?, 5 * SEGMENT_BYTES);
        let counted = host.stop()?;
        let first_sent = first_sent(&lab.sender)?;
        drop(v4);
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!(
            (sent.opened, sent.open, sent.closed, sent.unknown),
            (1, 1, 0, 0)
        );
        assert_eq!(sent.segments, 25);
        assert_eq!(sent.retransmitted_segments, 5);
        assert_eq!(sent.bytes, 25 * SEGMENT_BYTES);
        assert_eq!(sent.retransmitted_bytes, 5 * SEGMENT_BYTES);
        assert_eq!(first(&sent).0, first_sent);
        // The side that accepted has sent nothing. Its service is its own port.
        let received = counted.only(&lab.receiver, SENDER_V4, PORT);
        assert_eq!((received.opened, received.open), (1, 1));
        assert_eq!(
            (received.segments, received.bytes, received.rtt_count),
            (0, 0, 0)
        );
        counted.run.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_both_versions_of_ip_have_rows_of_their_own() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "5m", &[])?;
        for peer in [IpAddr::from(RECEIVER_V4), IpAddr::from(RECEIVER_V6)] {
            exchange(&mut lab.connect(peer)?, 3)?;
        }
        // An IPv6 socket with an IPv4 peer.
        exchange(&mut lab.connect(RECEIVER_V4.to_ipv6_mapped())?, 4)?;
        let counted = host.stop()?;
        let mut rows = counted.rows_of(&lab.sender);
        rows.sort_by_key(|row| row.peer_address);
        let of = rows
            .iter()
            .map(|row| (row.peer_address, first(row).0, row.opened));
        let expected = [
            (IpAddr::from(RECEIVER_V4), 7, 2),
            (IpAddr::from(RECEIVER_V6), 3, 1),
        ];
        assert_eq!(of.collect::<Vec<_>>(), expected);
        let peers = counted.rows_of(&lab.receiver);
        let mut peers: Vec<_> = peers.iter().map(|row| row.peer_address).collect();
        peers.sort();
        assert_eq!(peers, [IpAddr::from(SENDER_V4), IpAddr::from(SENDER_V6)]);
        Ok(())
    })
}

#[test]
fn root_a_thousand_short_connections_are_counted_each_once() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let listener = lab::listen(&lab.receiver, SocketAddr::new(RECEIVER_V4.into(), PORT))?;
        for _ in 0..1_000 {
            let peer = SocketAddr::new(RECEIVER_V4.into(), PORT);
            let client = lab.sender.enter(|| TcpStream::connect(peer))??;
            let (server, _) = listener.accept()?;
            let mut flow = Flow { client, server };
            flow.client.set_nodelay(true)?;
            exchange(&mut flow, 1)?;
        }
        let counted = host.stop()?;
        // With the FIN of each.
        assert_eq!(first_sent(&lab.sender)?, 2_000);
        assert_eq!(counted.ledger("connections_missed"), 0);
        // In a slow virtual machine it is rare that the kernel skips no call. A skipped one costs a connection.
        let missed = counted.ledger("recursion_misses");
        let sums = |namespace, peer| match missed {
            0 => counted.only(namespace, peer, PORT),
            _ => counted.known(namespace, peer, PORT),
        };
        let sent = sums(&lab.sender, RECEIVER_V4);
        let received = sums(&lab.receiver, SENDER_V4);
        assert!(
            counted.ledger("stale") <= missed,
            "{:?}",
            counted.run.ledger
        );
        let known = 1_000_u64.saturating_sub(missed)..=1_000;
        assert!(known.contains(&sent.opened), "{missed}: {sent:?}");
        let (segments, bytes) = first(&sent);
        assert!(known.contains(&segments), "{missed}: {sent:?}");
        assert_eq!(bytes, segments * SEGMENT_BYTES);
        assert!(sent.unknown <= missed, "{missed}: {sent:?}");
        // Those in FIN-WAIT-2 or LAST-ACK end in a moment.
        assert!(sent.closed + missed > 990, "{missed}: {sent:?}");
        assert!(known.contains(&received.opened), "{missed}: {received:?}");
        assert_eq!(received.segments, 0);
        Ok(())
    })
}

#[test]
fn root_a_fin_that_is_sent_again_is_no_data() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        exchange(&mut flow, 2)?;
        lab.lose_first(1, &format!("tcp dport {PORT} tcp flags & fin == fin"))?;
        let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        let Flow { client, server } = flow;
        drop(client);
        wait_for_counter(&lab.sender, "TcpRetransSegs", before + 1)?;
        drop(server);
        let counted = host.stop()?;
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        // One retransmit at least is no data.
        let again = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        assert_eq!(first(&sent).0, 2);
        assert!(sent.retransmitted_segments < again, "{sent:?}");
        Ok(())
    })
}

#[test]
fn root_handshakes_that_are_sent_again_are_no_data() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        lab.lose_first(1, &format!("tcp dport {PORT} tcp flags & (syn|ack) == syn"))?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        assert_eq!(Nstat::of(&lab.sender)?.retransmitted_segments()?, 1);
        exchange(&mut flow, 2)?;
        let counted = host.stop()?;
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        // One retransmit at least is no data.
        let again = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        assert_eq!(first(&sent).0, 2);
        assert!(sent.retransmitted_segments < again, "{sent:?}");
        Ok(())
    })
}

#[test]
fn root_data_in_a_syn_is_data() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        // The server does not take it: it is sent again, behind the handshake.
        let flow = lab.refused_fast_open_data(RECEIVER_V4.into())?;
        let counted = host.stop()?;
        let first_sent = first_sent(&lab.sender)?;
        drop(flow);
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        let again = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        assert_eq!(sent.retransmitted_segments, again);
        assert_eq!(first(&sent).0, first_sent);
        Ok(())
    })
}

#[test]
fn root_what_was_sent_before_the_census_began_is_not_counted() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        // The listener stays open, as that of a service does.
        let listener = lab::listen(&lab.receiver, SocketAddr::new(RECEIVER_V4.into(), PORT))?;
        let peer = SocketAddr::new(RECEIVER_V4.into(), PORT);
        let client = lab.sender.enter(|| TcpStream::connect(peer))??;
        let (server, _) = listener.accept()?;
        let mut flow = Flow { client, server };
        exchange(&mut flow, 10)?;
        let host = CensusHost::start(root, "1s", &[])?;
        exchange(&mut flow, 7)?;
        let Flow { client, server } = flow;
        drop((client, server));
        let counted = host.stop()?;
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!((sent.opened, sent.unknown), (0, 0));
        assert_eq!(first(&sent), (7, 7 * SEGMENT_BYTES));
        // The port of the service is known by its listener.
        counted.only(&lab.receiver, SENDER_V4, PORT);
        Ok(())
    })
}

#[test]
fn root_a_socket_that_several_processes_hold_is_counted_once() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        let copies: Vec<_> = (0..20)
            .map(|_| flow.client.try_clone())
            .collect::<Result<_, _>>()?;
        let host = CensusHost::start(root, "1s", &[])?;
        for _ in 0..30 {
            exchange(&mut flow, 3)?;
            thread::sleep(Duration::from_millis(100));
        }
        let counted = host.stop()?;
        drop(copies);
        let rows = counted.rows_of(&lab.sender);
        assert!(rows.len() > 2, "several intervals: {rows:?}");
        assert!(rows.iter().all(|row| row.open == 1), "{rows:?}");
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!(first(&sent).0, 90);
        Ok(())
    })
}

#[test]
fn root_a_socket_that_is_used_again_is_another_connection() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let listener = lab::listen(&lab.receiver, SocketAddr::new(RECEIVER_V4.into(), PORT))?;
        let peer = SocketAddr::new(RECEIVER_V4.into(), PORT);
        let socket = lab
            .sender
            .enter(|| Socket::new(Domain::IPV4, Type::STREAM, None))??;
        for segments in [5, 3] {
            socket.connect(&peer.into())?;
            let (server, _) = listener.accept()?;
            let client = socket.try_clone()?.into();
            exchange(&mut Flow { client, server }, segments)?;
            // tcp_disconnect() sets the counters to 0.
            connect_unspec(&socket)?;
        }
        let counted = host.stop()?;
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!((sent.opened, sent.closed, first(&sent).0), (2, 2, 8));
        assert_eq!(first(&sent).0, first_sent(&lab.sender)?);
        Ok(())
    })
}

#[test]
fn root_a_socket_without_a_process_is_counted_until_it_ends() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        lab.patient_timers()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        exchange(&mut flow, 2)?;
        lab.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        flow.send_segment()?;
        let Flow { client, server } = flow;
        drop(client);
        wait_for_counter(&lab.sender, "TcpRetransSegs", before + 2)?;
        let again = ss(&lab.sender, PORT, "retrans:")?;
        let counted = host.stop()?;
        drop(server);
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert!(again >= 2, "{again}");
        assert!(sent.retransmitted_segments >= again, "{sent:?}");
        // With the FIN.
        assert_eq!(first(&sent).0 + 1, first_sent(&lab.sender)?);
        Ok(())
    })
}

#[test]
fn root_a_connection_in_time_wait_has_ended() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = CensusHost::start(root, "1s", &[])?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        exchange(&mut flow, 3)?;
        let Flow { client, server } = flow;
        // The side that closes first is in TIME-WAIT, the other one in CLOSE.
        drop(client);
        wait_until("the FIN arrives", || {
            let states = lab.receiver.run("ss -tnH")?;
            Ok(states.starts_with("CLOSE-WAIT"))
        })?;
        drop(server);
        wait_until("the last FIN arrives", || {
            let states = lab.sender.run("ss -tanH state time-wait")?;
            Ok(states.lines().count() == 1)
        })?;
        let counted = host.stop()?;
        let sent = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!((sent.opened, sent.closed, sent.open), (1, 1, 0));
        assert_eq!(first(&sent), (3, 3 * SEGMENT_BYTES));
        assert_eq!(first(&sent).0 + 1, first_sent(&lab.sender)?);
        let received = counted.only(&lab.receiver, SENDER_V4, PORT);
        assert_eq!((received.opened, received.closed, received.open), (1, 1, 0));
        Ok(())
    })
}

#[test]
fn root_filters_for_addresses_ports_and_namespaces_apply() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let mut rows = Vec::new();
        for filters in [
            vec!["--netns", netns.as_str()],
            vec!["--peer", "10.7.0.2", "--kind", "syn"],
            vec!["--peer-port", "1"],
            vec!["-6"],
        ] {
            let host = CensusHost::start(root, "1s", &filters)?;
            exchange(&mut lab.connect(RECEIVER_V4)?, 2)?;
            let counted = host.stop()?;
            let ours = first(&sum(&counted.rows_of(&lab.sender))).0;
            let theirs = counted.rows_of(&lab.receiver).len();
            rows.push((ours, theirs));
        }
        assert_eq!(rows, [(2, 0), (2, 0), (0, 0), (0, 0)]);
        Ok(())
    })
}

#[test]
fn root_subflows_of_mptcp_are_connections_whether_they_begin_before_the_census_or_later()
-> Result<()> {
    root_test(|root| {
        if !has_mptcp() {
            return Ok(());
        }
        let lab = Lab::new()?;
        let at = SocketAddr::new(RECEIVER_V4.into(), PORT);
        let listener = lab.receiver.enter(|| -> Result<Socket> {
            let socket = mptcp_socket()?;
            socket.bind(&at.into())?;
            socket.listen(2)?;
            Ok(socket)
        })??;
        let connect = || -> Result<Flow> {
            let client = lab.sender.enter(|| -> Result<Socket> {
                let socket = mptcp_socket()?;
                socket.connect_timeout(&at.into(), WAIT_TIMEOUT)?;
                Ok(socket)
            })??;
            let (server, _) = listener.accept()?;
            let client: TcpStream = client.into();
            client.set_nodelay(true)?;
            let server: TcpStream = server.into();
            server.set_read_timeout(Some(WAIT_TIMEOUT))?;
            Ok(Flow { client, server })
        };
        let mut before = connect()?;
        exchange(&mut before, 4)?;
        let sent_before = first_sent(&lab.sender)?;
        let host = CensusHost::start(root, "1s", &[])?;
        exchange(&mut before, 3)?;
        let mut later = connect()?;
        exchange(&mut later, 5)?;
        let sent = first_sent(&lab.sender)? - sent_before;
        let counted = host.stop()?;
        let row = counted.only(&lab.sender, RECEIVER_V4, PORT);
        assert_eq!((row.open, row.opened, row.unknown), (2, 1, 0));
        assert_eq!(row.segments - row.retransmitted_segments, sent);
        assert!(row.bytes >= 8 * SEGMENT_BYTES, "{row:?}");
        // Who accepted them is known by the listener, and by the handshake.
        let received = counted.only(&lab.receiver, SENDER_V4, PORT);
        assert_eq!((received.open, received.opened), (2, 1));
        Ok(())
    })
}
