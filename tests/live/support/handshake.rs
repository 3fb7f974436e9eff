//! Handshakes that take more than one attempt.
//!
//! The lab's sender is the side that retransmits. Where that is the server, it listens, and the
//! receiver connects to it and loses what it answers.

use std::io::ErrorKind;
use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rustix::io::Errno;
use serde_json::Value;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use super::expect::assert_between;
use super::expect::kinds;
use super::lab::Flow;
use super::lab::Lab;
use super::lab::PORT;
use super::lab::SEGMENT;
use super::lab::sender_towards;
use super::netns::Namespace;
use super::oracle::WAIT_TIMEOUT;
use super::oracle::wait_for_counter;
use super::oracle::wait_until;

/// `net.ipv4.tcp_fastopen`: for client and server, data without a cookie on both sides, for every
/// listener without the socket option.
const FAST_OPEN: &str = "0x607";
/// For `sendto`: connect, with this data in the SYN.
const MSG_FASTOPEN: i32 = 0x2000_0000;

/// A connection that took three SYN-ACKs. Its sockets are open while it exists.
pub struct Accepted {
    /// The listener in the lab's sender.
    _listener: TcpListener,
    /// The accepted connection.
    pub server: TcpStream,
    /// The client in the lab's receiver.
    _client: Socket,
}

impl Accepted {
    /// Checks that the events are the two SYN-ACKs: from the server's address to the client's, of this
    /// socket family, each with this status of the owner, and with or without fast open. This process
    /// is the owner.
    #[track_caller]
    pub fn assert_syn_acks(&self, events: &[Value], family: u64, told: [(&str, bool); 2]) {
        assert_eq!(kinds(events), ["syn_ack"; 2]);
        let [server, client] = [self.server.local_addr(), self.server.peer_addr()]
            .map(|address| address.expect("a connected socket has one"));
        for ((number, event), (owner, fast_open)) in (1..).zip(events).zip(told) {
            assert_between(
                event,
                (server.ip(), server.port()),
                (client.ip(), client.port()),
            );
            assert_eq!(event["state"], "SYN_RECV", "{event}");
            let retransmit = &event["retransmit"];
            assert_eq!(retransmit["tracepoint"], "tcp_retransmit_synack", "{event}");
            assert_eq!(retransmit["flags"], "SYN|ACK", "{event}");
            assert_eq!(retransmit["retransmits"], number, "{event}");
            assert_eq!(retransmit["segments"], 1, "{event}");
            assert_eq!(retransmit["length"], 0, "{event}");
            assert_eq!(retransmit["sent"], true, "{event}");
            assert_eq!(retransmit["fast_open"], fast_open, "{event}");
            assert_eq!(event["socket"]["family"], family, "{event}");
            assert_eq!(event["owner"]["status"], owner, "{event}");
            assert_eq!(event["owner"]["pid"], process::id(), "{event}");
        }
    }
}

impl Lab {
    /// Connects to a server that listens at `local`, through its address `server`. The SYN-ACK is lost
    /// twice and arrives with the second retransmit, after three seconds.
    pub fn two_syn_acks_again(&self, local: IpAddr, server: IpAddr) -> Result<Accepted> {
        self.lose_two_syn_acks()?;
        let listener = listen(&self.sender, SocketAddr::new(local, PORT))?;
        let client = socket(&self.receiver, server)?;
        begin_connect(&client, SocketAddr::new(server, PORT))?;
        let server = accept(&listener)?;
        Ok(Accepted {
            _listener: listener,
            server,
            _client: client,
        })
    }

    /// The same with data in the SYN, so that the server's application can accept the connection before
    /// the handshake is over: it does so after the first retransmit.
    pub fn two_syn_acks_again_of_fast_open(&self, server: IpAddr) -> Result<Accepted> {
        for namespace in [&self.sender, &self.receiver] {
            namespace.sysctl("net.ipv4.tcp_fastopen", FAST_OPEN)?;
        }
        self.lose_two_syn_acks()?;
        let address = SocketAddr::new(server, PORT);
        let listener = listen(&self.sender, address)?;
        let client = socket(&self.receiver, server)?;
        send_with_syn(&client, address)?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 1)?;
        let mut server = accept(&listener)?;
        server
            .read_exact(&mut [0; SEGMENT])
            .context("the SYN had data")?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 2)?;
        Ok(Accepted {
            _listener: listener,
            server,
            _client: client,
        })
    }

    /// The sender's SYN is lost. Before the first timeout the command lines `fault` keep the sender
    /// from sending it again, and after at least two attempts `repair` lets the next one through.
    pub fn connect_in_vain(
        &self,
        peer: impl Into<IpAddr>,
        fault: &[&str],
        repair: &[&str],
    ) -> Result<Flow> {
        let peer = SocketAddr::new(peer.into(), PORT);
        self.lose_first(1, &format!("tcp dport {PORT}"))?;
        let listener = listen(&self.receiver, peer)?;
        let client = socket(&self.sender, peer.ip())?;
        begin_connect(&client, peer)?;
        for line in fault {
            self.sender.run(line)?;
        }
        wait_for_counter(&self.sender, "TcpExtTCPTimeouts", 2)?;
        for line in repair {
            self.sender.run(line)?;
        }
        let server = accept(&listener)?;
        let client = client.into();
        Ok(Flow { client, server })
    }

    /// The sender's SYN carries data to a server that does not accept it: the server acknowledges the
    /// SYN alone, and the data is retransmitted.
    pub fn refused_fast_open_data(&self, peer: IpAddr) -> Result<Flow> {
        self.sender.sysctl("net.ipv4.tcp_fastopen", FAST_OPEN)?;
        self.receiver.sysctl("net.ipv4.tcp_fastopen", "0")?;
        let peer = SocketAddr::new(peer, PORT);
        let listener = listen(&self.receiver, peer)?;
        let client = socket(&self.sender, peer.ip())?;
        send_with_syn(&client, peer)?;
        let server = accept(&listener)?;
        let mut flow = Flow {
            client: client.into(),
            server,
        };
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Both sides connect to each other at the same time, and the sender's SYN is lost. Its answer to
    /// the receiver's SYN, a SYN-ACK, arrives with the second retransmit, after three seconds.
    pub fn simultaneous_open(&self, peer: IpAddr) -> Result<Flow> {
        let local = sender_towards(peer);
        let (local, peer) = (SocketAddr::new(local, PORT), SocketAddr::new(peer, PORT));
        self.lose(&format!("tcp dport {PORT} tcp flags & (syn|ack) == syn"))?;
        self.lose_first(
            2,
            &format!("tcp dport {PORT} tcp flags & (syn|ack) == (syn|ack)"),
        )?;
        let ours = socket(&self.sender, local.ip())?;
        let theirs = socket(&self.receiver, peer.ip())?;
        ours.bind(&local.into())?;
        theirs.bind(&peer.into())?;
        begin_connect(&ours, peer)?;
        begin_connect(&theirs, local)?;
        wait_for_counter(&self.sender, "TcpExtTCPSynRetrans", 2)?;
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(false)?;
        }
        let mut flow = Flow {
            client: ours.into(),
            server: theirs.into(),
        };
        flow.server.set_read_timeout(Some(WAIT_TIMEOUT))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    fn lose_two_syn_acks(&self) -> Result<()> {
        // The client retransmits its SYN at the same time as the server its SYN-ACK. The server would
        // answer that SYN, and the count would depend on which of the two comes first.
        let server = &self.sender;
        server.run("nft add table inet lab")?;
        server.run("nft add chain inet lab input { type filter hook input priority 0 ; }")?;
        server.run(&format!(
            "nft add rule inet lab input tcp dport {PORT} tcp flags syn \
             numgen inc mod 1000000 != 0 drop"
        ))?;
        self.lose_first(2, &format!("tcp sport {PORT}"))
    }
}

fn listen(namespace: &Namespace, local: SocketAddr) -> Result<TcpListener> {
    let listener = namespace
        .enter(|| TcpListener::bind(local))?
        .with_context(|| format!("cannot listen at {local}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let mut accepted = None;
    wait_until("a connection to accept", || match listener.accept() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        other => {
            accepted = Some(other?.0);
            Ok(true)
        }
    })?;
    let accepted = accepted.context("it was accepted")?;
    accepted.set_nonblocking(false)?;
    accepted.set_read_timeout(Some(WAIT_TIMEOUT))?;
    Ok(accepted)
}

/// A non-blocking socket.
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
    ensure!(sent == SEGMENT, "{sent} bytes went with the SYN");
    Ok(())
}
