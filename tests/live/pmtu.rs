//! A path with a router in the middle, whose second link becomes narrower than the first.

use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use anyhow::Context;
use anyhow::Result;
use socket2::SockRef;

use super::lab::CONGESTION_CONTROL;
use super::lab::Flow;
use super::lab::connect;
use super::netns::Namespace;
use super::oracle::PATIENCE;

/// The receiver's IPv4 address, behind the router.
pub const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 7, 2, 2);
/// The receiver's IPv6 address.
pub const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 7, 2, 0, 0, 0, 0, 2);
/// What the second link carries in the end; both links begin with 1500.
const NARROW: u32 = 1300;

/// Three private network namespaces in a row.
pub struct Path {
    /// Connects and sends.
    pub sender: Namespace,
    /// Forwards, and says which packets are too big.
    pub router: Namespace,
    /// Listens.
    pub receiver: Namespace,
}

impl Path {
    /// All three, linked, addressed and routed. Needs root.
    pub fn new() -> Result<Path> {
        let path = Path {
            sender: Namespace::new()?,
            router: Namespace::new()?,
            receiver: Namespace::new()?,
        };
        let Path {
            sender,
            router,
            receiver,
        } = &path;
        // Before there are interfaces: what changes later is not taken over by all of them.
        router.sysctl("net.ipv4.ip_forward", "1")?;
        router.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        for (end, device, net) in [(sender, "to-sender", 1), (receiver, "to-receiver", 2)] {
            router.run(&format!(
                "ip link add name {device} type veth peer name to-router netns {}",
                end.path()
            ))?;
            for (namespace, device, host) in [(router, device, 9), (end, "to-router", net)] {
                // No GSO: one packet is one segment.
                namespace.run(&format!(
                    "ip link set dev {device} gso_max_segs 1 gso_max_size 1600 up"
                ))?;
                namespace.run(&format!("ip address add 10.7.{net}.{host}/24 dev {device}"))?;
                namespace.run(&format!(
                    "ip address add fd00:7:{net}::{host}/64 dev {device} nodad"
                ))?;
            }
            for (family, router) in [("-4", "10.7"), ("-6", "fd00:7")] {
                let gateway = match family {
                    "-4" => format!("{router}.{net}.9"),
                    _ => format!("{router}:{net}::9"),
                };
                end.run(&format!(
                    "ip {family} route add default via {gateway} congctl {CONGESTION_CONTROL}"
                ))?;
            }
        }
        Ok(path)
    }

    /// Connects, makes the second link narrower, and sends so many segments, at most a congestion
    /// window's, each as large as the first link carries. The router returns them all, and each is sent
    /// again as two.
    pub fn segments_that_became_too_big(&self, peer: IpAddr, segments: usize) -> Result<Flow> {
        let mut flow = connect(&self.sender, &self.receiver, peer)?;
        let segment = segment_size(&flow)?;
        self.router
            .run(&format!("ip link set dev to-receiver mtu {NARROW}"))?;
        self.receiver
            .run(&format!("ip link set dev to-router mtu {NARROW}"))?;
        let data = vec![0x5a; segments * segment];
        // In one write: the kernel looks at the router's answer when all of it has been sent.
        flow.client.write_all(&data).context("cannot send")?;
        flow.server
            .read_exact(&mut vec![0; data.len()])
            .context("the data did not arrive")?;
        Ok(flow)
    }
}

/// Payload of a full segment on this connection.
pub fn segment_size(flow: &Flow) -> Result<usize> {
    let size = SockRef::from(&flow.client).tcp_mss()?;
    Ok(size.try_into()?)
}
