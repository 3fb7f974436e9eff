//! Two hosts and the link between them, and recipes that make the sender retransmit an exact number of
//! segments for one reason.
//!
//! The receiver drops packets as they come in: to the sender, a packet dropped on the way out would be
//! an error, not a loss.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rustix::net::SendFlags;
use rustix::net::send;
use socket2::SockRef;

use super::kernel::is_since;
use super::netns::Namespace;
use super::oracle::Nstat;
use super::oracle::WAIT_TIMEOUT;
use super::oracle::wait_until;

/// The sender's IPv4 address. Every lab uses the same addresses: they are private to its namespaces.
pub const SENDER_V4: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
/// The sender's IPv6 address.
pub const SENDER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 7, 0, 0, 0, 0, 0, 1);
/// The receiver's IPv4 address.
pub const RECEIVER_V4: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
/// The receiver's IPv6 address.
pub const RECEIVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 7, 0, 0, 0, 0, 0, 2);
/// Where the receiver listens.
pub const PORT: u16 = 5201;

/// Congestion control of both sides, whatever the machine's default is.
pub const CONGESTION_CONTROL: &str = "reno";

/// Payload of one segment: more than any pure acknowledgement or handshake packet has.
pub const SEGMENT: usize = 700;
/// The local ports that unanswered connects come from.
pub const LOCAL_PORTS: RangeInclusive<u64> = 40_000..=40_007;
/// For nft: matches the segments that a [`Flow`] sends, and no packet without payload.
pub const HAS_PAYLOAD: &str = "meta length > 600";
/// Interval between two writes: time to detect and repair a loss, so that losses do not overlap. The
/// kernel waits two or three jiffies for reordered packets, at most 30 ms where HZ is 100.
const SEND_INTERVAL: Duration = Duration::from_millis(30);

/// Segments that each connection of a lossy transfer sends.
const TRANSFER_SEGMENTS: usize = 80;

/// Two private network namespaces with a veth pair between them.
pub struct Lab {
    /// Connects and sends; the one that retransmits.
    pub sender: Namespace,
    /// Listens and loses packets.
    pub receiver: Namespace,
}

/// An established connection between the two.
pub struct Flow {
    /// The sender's end.
    pub client: TcpStream,
    /// The receiver's end.
    pub server: TcpStream,
}

impl Lab {
    /// Both namespaces, linked and addressed. Needs root.
    pub fn new() -> Result<Lab> {
        let sender = Namespace::new()?;
        let receiver = Namespace::new()?;
        sender.run(&format!(
            "ip link add name to-receiver type veth peer name to-sender netns {}",
            receiver.path()
        ))?;
        for (namespace, device) in [(&sender, "to-receiver"), (&receiver, "to-sender")] {
            // No GSO: one packet is one segment, for the filter and for the counters.
            namespace.run(&format!(
                "ip link set dev {device} gso_max_segs 1 gso_max_size 1600 up"
            ))?;
            // An orphaned connection gives up after one more timeout.
            namespace.sysctl("net.ipv4.tcp_orphan_retries", "1")?;
        }
        for (namespace, device, v4, v6) in [
            (&sender, "to-receiver", SENDER_V4, SENDER_V6),
            (&receiver, "to-sender", RECEIVER_V4, RECEIVER_V6),
        ] {
            // nodad: usable at once.
            namespace.run(&format!(
                "ip address add {v4}/24 dev {device} noprefixroute"
            ))?;
            namespace.run(&format!(
                "ip address add {v6}/64 dev {device} noprefixroute nodad"
            ))?;
            route(namespace, device, "")?;
        }
        receiver.run("nft add table inet lab")?;
        receiver.run("nft add chain inet lab input { type filter hook input priority 0 ; }")?;
        let lab = Lab { sender, receiver };
        lab.wait_for_link(RECEIVER_V4)?;
        lab.wait_for_link(RECEIVER_V6)?;
        Ok(lab)
    }

    /// Waits until packets arrive. A SYN that waits for the peer's link-layer address would be
    /// retransmitted, and add an event.
    pub fn wait_for_link(&self, peer: impl Into<IpAddr>) -> Result<()> {
        wait_for_link(&self.sender, &self.receiver, peer.into())
    }

    /// The receiver drops what matches this nft rule.
    pub fn lose(&self, rule: &str) -> Result<()> {
        self.receiver
            .run(&format!("nft add rule inet lab input {rule} drop"))?;
        Ok(())
    }

    /// The receiver drops the first `packets` that match; the next one gets through, whenever it comes.
    pub fn lose_first(&self, packets: u32, rule: &str) -> Result<()> {
        // Counts from 0, and begins again after more packets than any test sends.
        self.lose(&format!("{rule} numgen inc mod 1000000 < {packets}"))
    }

    /// The receiver stops dropping packets.
    pub fn lose_nothing(&self) -> Result<()> {
        self.receiver.run("nft flush chain inet lab input")?;
        Ok(())
    }

    /// Listens at `peer` in the receiver and connects the sender to it. Each write is a segment:
    /// Nagle's algorithm is off.
    pub fn connect(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        connect(&self.sender, &self.receiver, peer.into())
    }

    /// Lets the kernel hand packets of many segments to the devices, as it does by default.
    pub fn with_offload(&self) -> Result<()> {
        for (namespace, device) in [(&self.sender, "to-receiver"), (&self.receiver, "to-sender")] {
            namespace.run(&format!(
                "ip link set dev {device} gso_max_segs 65535 gso_max_size 65536"
            ))?;
        }
        Ok(())
    }

    /// Disables timers: connections made after this are repaired by fast retransmits alone, however
    /// slow the machine is.
    pub fn fast_retransmits_only(&self) -> Result<()> {
        self.sender.sysctl("net.ipv4.tcp_early_retrans", "0")?;
        route(&self.sender, "to-receiver", "rto_min 10s")
    }

    /// Disables tail loss probes and delays timeouts by at least half a second: connections made after
    /// this leave time for a change in between.
    pub fn timeouts_only(&self) -> Result<()> {
        self.sender.sysctl("net.ipv4.tcp_early_retrans", "0")?;
        self.patient_timers()
    }

    /// Sets a minimum of half a second for timeouts towards the receiver.
    pub fn patient_timers(&self) -> Result<()> {
        route(&self.sender, "to-receiver", "rto_min 500ms")
    }

    /// Twenty segments to the receiver, of which it loses five: five fast retransmits.
    ///
    /// Exactly five in any order of packets: each loss costs one retransmit, which the filter counts as
    /// well, and of 25 packets it drops five. The kernel's own counters must agree: an error says that
    /// the recipe failed, and not the host.
    pub fn five_fast_retransmits(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        self.fast_retransmits_only()?;
        let before = Nstat::of(&self.sender)?;
        let mut flow = self.connect(peer)?;
        self.lose(&format!(
            "tcp dport {PORT} {HAS_PAYLOAD} numgen inc mod 5 == 2"
        ))?;
        for _ in 0..20 {
            flow.send_segment()?;
            thread::sleep(SEND_INTERVAL);
        }
        flow.receive_segments(20)?;
        self.lose_nothing()?;
        let after = Nstat::of(&self.sender)?;
        for counter in ["TcpRetransSegs", "TcpExtTCPFastRetrans"] {
            let counted = after.get(counter)? - before.get(counter)?;
            ensure!(counted == 5, "5 fast retransmits: {counter} is {counted}");
        }
        Ok(flow)
    }

    /// Three connections at once, two over IPv4 and one over IPv6, on a link that loses every eighth
    /// segment. The numbers and kinds of retransmits depend on the machine.
    pub fn lossy_transfer(&self) -> Result<()> {
        self.lossy_transfer_of(2, 1)
    }

    /// The same with these numbers of connections over IPv4 and IPv6, which together are no multiple of 7.
    pub fn lossy_transfer_of(&self, ipv4: usize, ipv6: usize) -> Result<()> {
        let peers = [IpAddr::from(RECEIVER_V4)].repeat(ipv4);
        let peers = [peers, [IpAddr::from(RECEIVER_V6)].repeat(ipv6)].concat();
        let flows = peers.iter().map(|peer| self.connect(*peer));
        let mut flows = flows.collect::<Result<Vec<_>>>()?;
        // Retransmits are counted, too: of seven new segments one is lost. Seven is no multiple of the
        // number of flows, so that each has losses.
        self.lose(&format!(
            "tcp dport {PORT} {HAS_PAYLOAD} numgen inc mod 8 == 4"
        ))?;
        for _ in 0..TRANSFER_SEGMENTS {
            for flow in &mut flows {
                flow.send_segment()?;
            }
            thread::sleep(SEND_INTERVAL);
        }
        for flow in &mut flows {
            flow.receive_segments(TRANSFER_SEGMENTS)?;
        }
        self.lose_nothing()
    }

    /// One segment, lost until the third timeout: a tail loss probe and three timeouts.
    pub fn tail_loss_probe_and_three_timeouts(&self, peer: impl Into<IpAddr>) -> Result<Flow> {
        let mut flow = self.connect(peer)?;
        self.lose_first(4, &format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
        flow.send_segment()?;
        flow.receive_segments(1)?;
        Ok(flow)
    }

    /// Unanswered SYNs are retransmitted once, after a second.
    pub fn one_syn_retransmit(&self) -> Result<()> {
        self.sender.sysctl("net.ipv4.tcp_syn_retries", "1")?;
        if is_since(6, 5)? {
            // Else the first four timeouts do not back off.
            self.sender
                .sysctl("net.ipv4.tcp_syn_linear_timeouts", "0")?;
        }
        Ok(())
    }

    /// Connects to addresses that do not answer, all at once, from [`LOCAL_PORTS`]; each SYN is
    /// retransmitted exactly once. Takes three seconds.
    pub fn unanswered_connects(&self, peers: &[IpAddr]) -> Result<()> {
        self.one_syn_retransmit()?;
        self.sender.sysctl(
            "net.ipv4.ip_local_port_range",
            &format!("{} {}", LOCAL_PORTS.start(), LOCAL_PORTS.end()),
        )?;
        self.lose(&format!("tcp dport {PORT}"))?;
        let attempts = self.sender.enter(|| {
            thread::scope(|scope| {
                let attempts: Vec<_> = peers
                    .iter()
                    // The threads inherit the namespace of the thread that starts them.
                    .map(|peer| scope.spawn(move || TcpStream::connect((*peer, PORT))))
                    .collect();
                attempts
                    .into_iter()
                    .map(|attempt| attempt.join().expect("connecting does not panic"))
                    .collect::<Vec<_>>()
            })
        })?;
        for (peer, attempt) in peers.iter().zip(attempts) {
            ensure!(attempt.is_err(), "{peer} answered, although it was cut off");
        }
        self.lose_nothing()
    }
}

impl Flow {
    /// Sends one segment.
    ///
    /// MSG_EOR: where acknowledgements are late, as in a busy virtual machine, the kernel would append
    /// the data to a segment that still waits, and fewer and longer segments would be sent.
    pub fn send_segment(&mut self) -> Result<()> {
        let sent = send(&self.client, &[0x5a; SEGMENT], SendFlags::EOR)?;
        ensure!(sent == SEGMENT, "the socket took {sent} bytes of a segment");
        Ok(())
    }

    /// Writes `bytes` bytes in one call.
    pub fn send(&mut self, bytes: usize) -> Result<()> {
        self.client
            .write_all(&vec![0x5a; bytes])
            .context("cannot send")
    }

    /// Reads the payload of `segments` segments.
    pub fn receive_segments(&mut self, segments: usize) -> Result<()> {
        self.receive(segments * SEGMENT)
    }

    /// Reads `bytes` bytes.
    pub fn receive(&mut self, bytes: usize) -> Result<()> {
        self.server
            .read_exact(&mut vec![0; bytes])
            .context("the data did not arrive")
    }

    /// The largest payload of a segment at present.
    pub fn mss(&self) -> Result<usize> {
        Ok(SockRef::from(&self.client).tcp_mss()?.try_into()?)
    }
}

/// The sender's address of the same family as `peer`.
pub fn sender_towards(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => SENDER_V4.into(),
        IpAddr::V6(_) => SENDER_V6.into(),
    }
}

/// Waits until packets from one namespace arrive at an address of the other.
pub fn wait_for_link(from: &Namespace, to: &Namespace, peer: IpAddr) -> Result<()> {
    let peer = SocketAddr::new(peer, PORT);
    let any = match peer {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let receiver = to
        .enter(|| UdpSocket::bind(peer))?
        .with_context(|| format!("cannot listen at {peer}"))?;
    receiver.set_read_timeout(Some(Duration::from_millis(10)))?;
    let sender = from.enter(|| UdpSocket::bind((any, 0)))??;
    wait_until(format_args!("a datagram to arrive at {peer}"), || {
        // While the address is being set up, sending fails.
        let _ = sender.send_to(&[0], peer);
        Ok(receiver.recv(&mut [0]).is_ok())
    })
}

/// Listens at `peer` in one namespace and connects from the other.
pub fn connect(from: &Namespace, to: &Namespace, peer: IpAddr) -> Result<Flow> {
    let peer = SocketAddr::new(peer, PORT);
    // An IPv6 socket reaches IPv4 through a mapped address; the listener is an IPv4 socket.
    let local = SocketAddr::new(peer.ip().to_canonical(), PORT);
    let listener = listen(to, local)?;
    let client = from
        .enter(|| TcpStream::connect_timeout(&peer, WAIT_TIMEOUT))?
        .with_context(|| format!("cannot connect to {peer}"))?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_read_timeout(Some(WAIT_TIMEOUT))?;
    Ok(Flow { client, server })
}

/// Listens in a namespace. A process that another test starts has copies of all sockets until it executes its program:
/// an earlier listener at the same address may be closed later than the test closed it.
pub fn listen(namespace: &Namespace, local: SocketAddr) -> Result<TcpListener> {
    let mut listener = None;
    wait_until(format_args!("{local} to be free"), || {
        match namespace.enter(|| TcpListener::bind(local))? {
            Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(false),
            bound => {
                listener = Some(bound.with_context(|| format!("cannot listen at {local}"))?);
                Ok(true)
            }
        }
    })?;
    listener.context("it was bound")
}

/// Routes to the other side. Congestion control of a namespace cannot be set by a sysctl.
fn route(namespace: &Namespace, device: &str, metrics: &str) -> Result<()> {
    for prefix in ["10.7.0.0/24", "fd00:7::/64"] {
        namespace.run(&format!(
            "ip route replace {prefix} dev {device} congctl {CONGESTION_CONTROL} {metrics}"
        ))?;
    }
    Ok(())
}
