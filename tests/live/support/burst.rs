//! Many unanswered connections, whose SYNs are all retransmitted at almost the same time.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use super::kernel::is_since;
use super::lab::Lab;
use super::lab::PORT;
use super::lab::RECEIVER_V4;
use super::oracle::Nstat;
use super::oracle::wait_for_counter;
use super::tracefs::Trace;
use super::tracefs::interrupted_init;

/// A ring with room for every burst of these tests, and little room behind it: a chain that waits makes the source wait.
pub const RING: &[&str] = &["--ring-size", "16MiB", "--backlog", "4k", "--no-owners"];

/// The result of connect on a non-blocking socket.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// Connects sockets to an address that does not answer, and waits until the SYN of each was
/// retransmitted once: a second later, all within some 0.3 s.
pub fn syn_burst(lab: &Lab, connections: u64) -> Result<()> {
    begin_syn_burst(lab, connections).map(drop)
}

/// The same, with the sockets still open.
pub fn begin_syn_burst(lab: &Lab, connections: u64) -> Result<Vec<Socket>> {
    lab.one_syn_retransmit()?;
    lab.lose(&format!("tcp dport {PORT}"))?;
    let sockets = lab.sender.enter(|| connect_all(PORT, connections))??;
    wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", connections)?;
    Ok(sockets)
}

/// Connects sockets as [`syn_burst`] does, one every 2 ms: their SYNs are retransmitted one by one, a second later.
pub fn syn_trickle(lab: &Lab, connections: u64) -> Result<()> {
    lab.one_syn_retransmit()?;
    lab.lose(&format!("tcp dport {PORT}"))?;
    let connect = |_| {
        thread::sleep(Duration::from_millis(2));
        connect_all(PORT, 1)
    };
    let connected = lab
        .sender
        .enter(|| (0..connections).map(connect).collect::<Result<Vec<_>>>());
    let _sockets = connected??;
    wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", connections)
}

/// Checks RetransSegs and the kernel's trace, which must both have every retransmitted SYN; returns the
/// number that the kernel may have hidden from the probe.
pub fn hidden_of_burst(lab: &Lab, trace: &Trace, connections: u64) -> Result<u64> {
    assert_eq!(
        Nstat::of(&lab.sender)?.retransmitted_segments()?,
        connections
    );
    let to = format!("daddr={RECEIVER_V4}");
    let traced = trace.lines_with(&["state=TCP_SYN_SENT", &to])?;
    assert_eq!(traced.len() as u64, connections);
    let hidden = traced.iter().filter(|line| interrupted_init(line));
    Ok(hidden.count() as u64)
}

/// The SYNs of a burst whose retransmits were sent: before Linux 6.17, the tracepoint does not fire for others.
pub fn traced_of_burst(lab: &Lab, connections: u64) -> Result<u64> {
    let failed = Nstat::of(&lab.sender)?.get("TcpExtTCPRetransFail")?;
    Ok(if is_since(6, 17)? {
        connections
    } else {
        connections - failed
    })
}

/// Connects this number of sockets to a port of the receiver, from the namespace of this thread.
pub fn connect_all(port: u16, count: u64) -> Result<Vec<Socket>> {
    // The limit is inherited by hosts that tests start later; no host depends on it.
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).context("cannot raise the limit on open files")?;
    let peer = SocketAddr::from((RECEIVER_V4, port)).into();
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        match socket.connect(&peer) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => Err(error.into()),
            _ => Ok(socket),
        }
    };
    (0..count).map(connect).collect()
}
