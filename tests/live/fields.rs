//! The fields of an event are what the kernel itself says of the socket: TCP_INFO, getsockopt, fstat.

use std::fs;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::CONGESTION_CONTROL;
use crate::support::lab::Flow;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::lab::SEGMENT;
use crate::support::lab::sender_towards;
use crate::support::oracle::Nstat;
use crate::support::oracle::wait_for_counter;
use crate::support::root::lacks;
use crate::support::root_test;
use crate::support::sockopt;
use crate::support::sockopt::TcpInfo;

/// The socket's mark.
const MARK: u32 = 42;
/// The sender's device.
const DEVICE: &str = "to-receiver";

#[test]
fn root_the_fields_over_ipv4_are_what_the_kernel_says_of_the_socket() -> Result<()> {
    the_fields_are_what_the_kernel_says_of_the_socket(RECEIVER_V4.into())
}

#[test]
fn root_the_fields_over_ipv6_are_what_the_kernel_says_of_the_socket() -> Result<()> {
    the_fields_are_what_the_kernel_says_of_the_socket(RECEIVER_V6.into())
}

/// Compares the event of the second timeout with what the socket says after it: until the third one, nothing happens to
/// the connection.
fn the_fields_are_what_the_kernel_says_of_the_socket(peer: IpAddr) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        lab.patient_timers()?;
        let host = Host::start(root, &[])?;
        let mut flow = connect(&lab, peer)?;
        for _ in 0..5 {
            flow.send_segment()?;
            flow.receive_segments(1)?;
        }
        lab.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        wait_for_counter(&lab.sender, "TcpExtTCPTimeouts", 2)?;
        let truth = truth(&lab, &flow, peer)?;
        let timeouts = Nstat::of(&lab.sender)?.get("TcpExtTCPTimeouts")?;
        ensure!(
            timeouts == 2,
            "this machine was too slow: {timeouts} timeouts"
        );
        let run = host.stop()?;

        let events = run.retransmits_in(&lab.sender)?;
        let event = events.last().context("there are events")?;
        let mut different = Vec::new();
        for (pointer, value) in &truth {
            let field = event.pointer(pointer).unwrap_or(&Value::Null);
            if field != value {
                different.push(format!("{pointer}: {field}, the kernel has {value}"));
            }
        }
        assert!(different.is_empty(), "{different:#?} in {event:#}");
        Ok(())
    })
}

/// A connection with a mark, bound to its device.
fn connect(lab: &Lab, peer: IpAddr) -> Result<Flow> {
    let peer = SocketAddr::new(peer, PORT);
    let listener = lab.receiver.enter(|| TcpListener::bind(peer))??;
    let client = lab.sender.enter(|| -> Result<Socket> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_mark(MARK)?;
        socket.bind_device(Some(DEVICE.as_bytes()))?;
        socket.connect(&peer.into())?;
        Ok(socket)
    })??;
    let client = TcpStream::from(client);
    client.set_nodelay(true)?;
    let (server, _) = listener.accept()?;
    Ok(Flow { client, server })
}

/// Pointers to fields, and their values.
fn truth(lab: &Lab, flow: &Flow, peer: IpAddr) -> Result<Vec<(&'static str, Value)>> {
    let socket = &flow.client;
    let info = TcpInfo::of(socket)?;
    let index = index_of_device(lab)?;
    let mut truth = vec![
        ("/tcp/ca_state_number", json!(info.u8(1))),
        ("/retransmit/retransmits", json!(info.u8(2))),
        ("/retransmit/backoff", json!(info.u8(4) - 1)),
        // The timeout is doubled after the segment was sent again.
        ("/tcp/rto_us", json!(info.u32(8) / 2)),
        ("/tcp/mss", json!(info.u32(16))),
        ("/tcp/packets_out", json!(info.u32(24))),
        ("/tcp/sacked_out", json!(info.u32(28))),
        ("/tcp/lost_out", json!(info.u32(32))),
        ("/tcp/srtt_us", json!(info.u32(68))),
        ("/tcp/rttvar_us", json!(info.u32(72))),
        ("/tcp/ssthresh", json!(info.u32(76))),
        ("/tcp/cwnd", json!(info.u32(80))),
        ("/tcp/total_retrans", json!(info.u32(100))),
        ("/tcp/min_rtt_us", json!(info.u32(148))),
        ("/tcp/data_segs_out", json!(info.u32(156))),
        ("/tcp/delivered", json!(info.u32(192))),
        ("/tcp/bytes_sent", json!(info.u64(200))),
        ("/tcp/bytes_retrans", json!(info.u64(208))),
        ("/tcp/dsack_dups", json!(info.u32(216))),
        ("/tcp/reord_seen", json!(info.u32(220))),
        ("/tcp/snd_wnd", json!(info.u32(228))),
        ("/state_number", json!(info.u8(0))),
        ("/tcp/congestion_control", json!(CONGESTION_CONTROL)),
        ("/retransmit/length", json!(SEGMENT)),
        ("/retransmit/segments", json!(1)),
        ("/retransmit/flags", json!("PSH|ACK")),
        ("/ipversion", json!(if peer.is_ipv4() { 4 } else { 6 })),
        ("/source/ip", json!(sender_towards(peer).to_string())),
        ("/source/port", json!(socket.local_addr()?.port())),
        ("/destination/ip", json!(peer.to_string())),
        ("/destination/port", json!(PORT)),
        ("/socket/family", json!(if peer.is_ipv4() { 2 } else { 10 })),
        ("/socket/inode", json!(sockopt::inode(socket)?)),
        ("/socket/mark", json!(MARK)),
        ("/socket/interface", json!(index)),
        ("/socket/uid", json!(0)),
        ("/netns/inode", json!(lab.sender.inode())),
        ("/owner/status", json!("held")),
        ("/owner/pid", json!(process::id())),
        (
            "/owner/comm",
            json!(fs::read_to_string("/proc/self/comm")?.trim_end()),
        ),
        ("/owner/uid", json!(0)),
    ];
    match is_since(5, 12)? {
        true => truth.push(("/socket/cookie", json!(sockopt::cookie(socket)?))),
        // Asking for a cookie gives the socket one.
        false => lacks("before Linux 5.12 a socket has a cookie only if a program asked for it"),
    }
    match sockopt::netns_cookie(socket) {
        Some(cookie) => truth.push(("/netns/cookie", json!(cookie))),
        None => {
            lacks("before Linux 5.14 the kernel does not tell the cookie of a network namespace")
        }
    }
    match own_cgroup() {
        Some(id) => truth.push(("/socket/cgroup_id", json!(id))),
        None => lacks("this process has no control group below /sys/fs/cgroup"),
    }
    Ok(truth)
}

fn index_of_device(lab: &Lab) -> Result<u64> {
    let links = lab.sender.run(&format!("ip -o link show dev {DEVICE}"))?;
    let index = links.split(':').next().context("ip printed nothing")?;
    Ok(index.trim().parse()?)
}

/// The inode of this process's control group, which is its id.
fn own_cgroup() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;

    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let directory = Path::new("/sys/fs/cgroup").join(path);
    directory.join("cgroup.procs").is_file().then_some(())?;
    Some(directory.metadata().ok()?.ino())
}
