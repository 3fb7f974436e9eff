//! A path with a router in the middle, whose second link becomes narrower than the first.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use anyhow::Result;

use super::lab::CONGESTION_CONTROL;
use super::lab::Flow;
use super::lab::connect;
use super::lab::wait_for_link;
use super::netns::Namespace;

/// The receiver's IPv4 address, behind the router.
pub const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 7, 2, 2);
/// The receiver's IPv6 address.
pub const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 7, 2, 0, 0, 0, 0, 2);
/// MTU of both links at first.
const WIDE: usize = 1500;
/// The reduction of the second link's MTU.
pub const BY: usize = 200;
const NARROW: usize = WIDE - BY;

/// Three private network namespaces in a row.
pub struct Path {
    /// Connects and sends.
    pub sender: Namespace,
    /// Forwards, and reports packets that are too big.
    pub router: Namespace,
    /// Listens.
    pub receiver: Namespace,
}

impl Path {
    /// All three, linked, addressed and routed; one packet is one segment. Needs root.
    pub fn new() -> Result<Path> {
        Path::build("gso_max_segs 1 gso_max_size 1600")
    }

    /// The same with packets of many segments, as on most machines.
    pub fn with_gso() -> Result<Path> {
        let path = Path::build("")?;
        // Else packets have as few as two segments where the machine, and so the round trip, is slow.
        path.sender.sysctl("net.ipv4.tcp_min_tso_segs", "8")?;
        Ok(path)
    }

    fn build(link: &str) -> Result<Path> {
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
        router.sysctl("net.ipv4.ip_forward", "1")?;
        router.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        for (end, device, net) in [(sender, "to-sender", 1), (receiver, "to-receiver", 2)] {
            router.run(&format!(
                "ip link add name {device} type veth peer name to-router netns {}",
                end.path()
            ))?;
            // The router's addresses end in 9.
            for (namespace, device, host) in [(router, device, 9), (end, "to-router", net)] {
                namespace.run(&format!("ip link set dev {device} {link} up"))?;
                namespace.run(&format!("ip address add 10.7.{net}.{host}/24 dev {device}"))?;
                namespace.run(&format!(
                    "ip address add fd00:7:{net}::{host}/64 dev {device} nodad"
                ))?;
            }
            for gateway in [format!("10.7.{net}.9"), format!("fd00:7:{net}::9")] {
                end.run(&format!(
                    "ip route add default via {gateway} congctl {CONGESTION_CONTROL}"
                ))?;
            }
        }
        for peer in [FAR_V4.into(), FAR_V6.into()] {
            wait_for_link(&path.sender, &path.receiver, peer)?;
        }
        Ok(path)
    }

    /// Connects, makes the second link narrower, and sends four segments of the first link's size. The
    /// router drops them all and reports it, and they are retransmitted in smaller segments.
    pub fn four_segments_too_big(&self, peer: IpAddr) -> Result<Flow> {
        let mut flow = connect(&self.sender, &self.receiver, peer)?;
        let segments = 4 * flow.mss()?;
        self.router
            .run(&format!("ip link set dev to-receiver mtu {NARROW}"))?;
        self.receiver
            .run(&format!("ip link set dev to-router mtu {NARROW}"))?;
        // In one write: the kernel processes the router's report when all of it has been sent.
        flow.send(segments)?;
        flow.receive(segments)?;
        Ok(flow)
    }
}
