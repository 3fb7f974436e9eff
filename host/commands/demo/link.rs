//! Two network namespaces, and a link between them that loses every eighth segment.

use std::io::Read as _;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use rustix::net::SendFlags;
use rustix::net::send;

use super::namespace::Namespace;

/// Addresses in the namespaces. No route leads to them from outside.
const SENDER: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 7, 0, 1),
    Ipv6Addr::new(0xfd00, 7, 0, 0, 0, 0, 0, 1),
);
const RECEIVER: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 7, 0, 2),
    Ipv6Addr::new(0xfd00, 7, 0, 0, 0, 0, 0, 2),
);
const PORT: u16 = 5201;

/// Connections of the transfer, over IPv4 and IPv6. Their sum is no multiple of 7: see [`Link::transfer`].
const CONNECTIONS: (usize, usize) = (9, 4);

/// Segments that each connection sends, without those that it sends again.
const SEGMENTS: usize = 80;

/// Payload of a segment: more than a packet of a handshake or an acknowledgement has.
const SEGMENT: usize = 700;

/// Time between two segments of a connection: most losses are repaired within it.
const INTERVAL: Duration = Duration::from_millis(30);

/// The longest that the transfer waits for data, whose timeouts double.
const PATIENCE: Duration = Duration::from_secs(60);

/// The link, and the namespaces at its ends.
pub struct Link {
    /// Connects and sends: retransmits are here.
    pub sender: Namespace,
    receiver: Namespace,
}

impl Link {
    /// Makes both namespaces and links them.
    ///
    /// # Errors
    ///
    /// As [`Namespace::new`], and if `ip` or `nft` fails.
    pub fn new() -> Result<Link> {
        let link = Link {
            sender: Namespace::new()?,
            receiver: Namespace::new()?,
        };
        let Link { sender, receiver } = &link;
        sender.run(&format!(
            "ip link add name to-receiver type veth peer name to-sender netns {}",
            receiver.path()
        ))?;
        for (namespace, device, (v4, v6)) in [
            (sender, "to-receiver", SENDER),
            (receiver, "to-sender", RECEIVER),
        ] {
            let run = |line: String| namespace.run(&line);
            // No GSO: a packet is one segment, for the rule that loses packets as well.
            run(format!(
                "ip link set dev {device} gso_max_segs 1 gso_max_size 1600 up"
            ))?;
            run(format!("ip address add {v4}/24 dev {device}"))?;
            // nodad: it can be used at once.
            run(format!("ip address add {v6}/64 dev {device} nodad"))?;
        }
        receiver.run("nft add table inet demo")?;
        receiver.run("nft add chain inet demo input { type filter hook input priority 0 ; }")?;
        for peer in [IpAddr::from(RECEIVER.0), IpAddr::from(RECEIVER.1)] {
            link.wait_until_it_carries(peer)?;
        }
        Ok(link)
    }

    /// Sends data over all connections at once while every eighth segment is lost, and waits until it has arrived.
    /// Returns the time that it took.
    pub fn transfer(&self) -> Result<Duration> {
        let (ipv4, ipv6) = CONNECTIONS;
        let peers = [IpAddr::from(RECEIVER.0)].repeat(ipv4);
        let peers = [peers, [IpAddr::from(RECEIVER.1)].repeat(ipv6)].concat();
        let flows = peers.into_iter().map(|peer| self.connect(peer));
        let mut flows = flows.collect::<Result<Vec<Flow>>>()?;
        // The receiver loses them as they come in: a packet that the sender itself drops is an error to it. Segments
        // that are sent again count as well, so that of seven new ones one is lost. Seven is no divisor of the number
        // of connections: each has losses.
        self.receiver.run(&format!(
            "nft add rule inet demo input tcp dport {PORT} meta length > 600 numgen inc mod 8 == 4 drop"
        ))?;
        let begun = Instant::now();
        for _ in 0..SEGMENTS {
            flows.iter().try_for_each(Flow::send)?;
            thread::sleep(INTERVAL);
        }
        flows.iter_mut().try_for_each(Flow::receive)?;
        Ok(begun.elapsed())
    }

    fn connect(&self, peer: IpAddr) -> Result<Flow> {
        let peer = SocketAddr::new(peer, PORT);
        let failed = || format!("cannot connect to {peer} in the demo's network");
        let listener = self
            .receiver
            .enter(|| TcpListener::bind(peer).with_context(failed))?;
        let connect = || TcpStream::connect_timeout(&peer, PATIENCE).with_context(failed);
        let client = self.sender.enter(connect)?;
        let (server, _) = listener.accept().with_context(failed)?;
        // Each write is a segment.
        client.set_nodelay(true)?;
        server.set_read_timeout(Some(PATIENCE))?;
        Ok(Flow { client, server })
    }

    /// Waits until packets arrive. A SYN that waits for the link-layer address of its peer would be sent again.
    fn wait_until_it_carries(&self, peer: IpAddr) -> Result<()> {
        let any = match peer {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let bind = |address: IpAddr, port| move || Ok(UdpSocket::bind((address, port))?);
        let receiver = self.receiver.enter(bind(peer, PORT))?;
        receiver.set_read_timeout(Some(Duration::from_millis(10)))?;
        let sender = self.sender.enter(bind(any, 0))?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            // It fails while the address is being set up.
            let _ = sender.send_to(&[0], (peer, PORT));
            if receiver.recv(&mut [0]).is_ok() {
                return Ok(());
            }
        }
        bail!(
            "no packet arrives at {peer} in the demo's network within {} s",
            PATIENCE.as_secs()
        )
    }
}

/// A connection.
struct Flow {
    client: TcpStream,
    server: TcpStream,
}

impl Flow {
    /// Sends one segment. MSG_EOR: while acknowledgements are late, the kernel would append the data to a segment that
    /// waits.
    fn send(&self) -> Result<()> {
        let sent = send(&self.client, &[0x5a; SEGMENT], SendFlags::EOR)?;
        ensure!(sent == SEGMENT, "a socket took {sent} of {SEGMENT} bytes");
        Ok(())
    }

    /// Reads all that was sent.
    fn receive(&mut self) -> Result<()> {
        let mut data = vec![0; SEGMENTS * SEGMENT];
        let read = self.server.read_exact(&mut data);
        read.context("data did not arrive in the demo's network")
    }
}
