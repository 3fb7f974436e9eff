//! Handshakes that take more than one SYN-ACK.
//!
//! The lab's sender is the side that retransmits, here the server: it listens, and the receiver
//! connects to it and loses what it answers.

use std::io;
use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;

use anyhow::Context;
use anyhow::Result;
use rustix::io::Errno;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use super::lab::Flow;
use super::lab::Lab;
use super::lab::PORT;
use super::lab::RECEIVER_V4;
use super::lab::RECEIVER_V6;
use super::lab::SEGMENT;
use super::lab::SENDER_V4;
use super::lab::SENDER_V6;
use super::netns::Namespace;
use super::oracle::PATIENCE;
use super::oracle::wait_for_counter;
use super::timers::ALL_BUT_THE_FIRST;

/// `net.ipv4.tcp_fastopen`: client and server, data without a cookie on both sides, for every
/// listener without being asked.
const FAST_OPEN: &str = "0x607";
/// For `sendto`: connect, with this data in the SYN.
const MSG_FASTOPEN: i32 = 0x2000_0000;

/// A connection whose SYN-ACKs were lost.
pub struct HalfOpen {
    /// In the lab's sender.
    pub listener: TcpListener,
    /// In the lab's receiver: still connecting.
    pub client: Socket,
}

impl HalfOpen {
    /// Where the client comes from.
    pub fn client_address(&self) -> Result<SocketAddr> {
        let address = self.client.local_addr()?.as_socket();
        address.context("an internet socket has an address")
    }
}

impl Lab {
    /// Connects to a server that listens at `local`, by way of its address `server`. One SYN comes
    /// through, and no SYN-ACK: two are sent again, then the server gives up. Takes three seconds.
    pub fn two_lost_syn_acks(&self, local: IpAddr, server: IpAddr) -> Result<HalfOpen> {
        self.sender.sysctl("net.ipv4.tcp_synack_retries", "2")?;
        self.one_syn_and_no_syn_ack()?;
        let listener = listen(&self.sender, SocketAddr::new(local, PORT))?;
        let client = socket(&self.receiver, server)?;
        begin_connect(&client, SocketAddr::new(server, PORT))?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 2)?;
        Ok(HalfOpen { listener, client })
    }

    /// The same with a SYN that carries data, which the server's application can accept at once: it does
    /// so after the first SYN-ACK was sent again.
    pub fn two_lost_syn_acks_of_fast_open(&self, server: IpAddr) -> Result<(HalfOpen, TcpStream)> {
        // One more than that is sent for fast open.
        self.sender.sysctl("net.ipv4.tcp_synack_retries", "1")?;
        for namespace in [&self.sender, &self.receiver] {
            namespace.sysctl("net.ipv4.tcp_fastopen", FAST_OPEN)?;
        }
        self.one_syn_and_no_syn_ack()?;
        let server = SocketAddr::new(server, PORT);
        let listener = listen(&self.sender, server)?;
        let client = socket(&self.receiver, server.ip())?;
        send_with_syn(&client, server)?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 1)?;
        let (mut accepted, _) = listener.accept()?;
        accepted.set_read_timeout(Some(PATIENCE))?;
        accepted
            .read_exact(&mut [0; SEGMENT])
            .context("the SYN had data")?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 2)?;
        Ok((HalfOpen { listener, client }, accepted))
    }

    /// The sender's SYN carries data to a server that does not take it: it acknowledges the SYN
    /// alone, and the data is sent again.
    pub fn refused_fast_open_data(&self, peer: IpAddr) -> Result<Flow> {
        self.sender.sysctl("net.ipv4.tcp_fastopen", FAST_OPEN)?;
        self.receiver.sysctl("net.ipv4.tcp_fastopen", "0")?;
        let peer = SocketAddr::new(peer, PORT);
        let listener = listen(&self.receiver, peer)?;
        let client = socket(&self.sender, peer.ip())?;
        send_with_syn(&client, peer)?;
        let (server, _) = listener.accept()?;
        server.set_read_timeout(Some(PATIENCE))?;
        let mut flow = Flow {
            client: client.into(),
            server,
        };
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Both sides connect to each other at the same time; the receiver hears the sender late. The
    /// sender's answer to its SYN, a SYN-ACK, is sent again twice. Takes three seconds.
    pub fn simultaneous_open(&self, peer: IpAddr) -> Result<Flow> {
        let local = match peer {
            IpAddr::V4(_) => IpAddr::from(SENDER_V4),
            IpAddr::V6(_) => IpAddr::from(SENDER_V6),
        };
        let (local, peer) = (SocketAddr::new(local, PORT), SocketAddr::new(peer, PORT));
        self.lose(&format!("tcp dport {PORT}"))?;
        let ours = socket(&self.sender, local.ip())?;
        let theirs = socket(&self.receiver, peer.ip())?;
        ours.bind(&local.into())?;
        theirs.bind(&peer.into())?;
        begin_connect(&ours, peer)?;
        begin_connect(&theirs, local)?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 1)?;
        // The second comes two seconds later.
        self.lose_nothing()?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 2)?;
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(false)?;
        }
        let mut flow = Flow {
            client: ours.into(),
            server: theirs.into(),
        };
        flow.server.set_read_timeout(Some(PATIENCE))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// The client's SYN is sent again when the server's SYN-ACK is. If it came through, the server
    /// would answer it, and the count would be a matter of which was first.
    fn one_syn_and_no_syn_ack(&self) -> Result<()> {
        let server = &self.sender;
        server.run("nft add table inet lab")?;
        server.run("nft add chain inet lab input { type filter hook input priority 0 ; }")?;
        server.run(&format!(
            "nft add rule inet lab input tcp dport {PORT} tcp flags syn {ALL_BUT_THE_FIRST} drop"
        ))?;
        self.lose(&format!("tcp sport {PORT}"))
    }
}

/// An address of the sender's, of the same family as the receiver's.
fn listen(namespace: &Namespace, local: SocketAddr) -> Result<TcpListener> {
    namespace
        .enter(|| TcpListener::bind(local))?
        .with_context(|| format!("cannot listen at {local}"))
}

/// A socket that does not wait for the handshake.
fn socket(namespace: &Namespace, peer: IpAddr) -> Result<Socket> {
    let domain = if peer.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = namespace.enter(|| Socket::new(domain, Type::STREAM, None))??;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn begin_connect(socket: &Socket, peer: SocketAddr) -> Result<()> {
    match socket.connect(&peer.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        other => other.with_context(|| format!("cannot begin to connect to {peer}")),
    }
}

fn send_with_syn(socket: &Socket, peer: SocketAddr) -> Result<()> {
    let sent = socket.send_to_with_flags(&[0x5a; SEGMENT], &peer.into(), MSG_FASTOPEN);
    let sent = sent.with_context(|| format!("cannot send data with a SYN to {peer}"))?;
    anyhow::ensure!(sent == SEGMENT, "{sent} bytes went with the SYN");
    Ok(())
}
