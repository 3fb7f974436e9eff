//! What follows from several fields of an event.

use core::fmt;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use core::net::SocketAddr;

use crate::event::Event;

impl Event {
    /// Local address and port: this machine's side, which retransmits.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_address(), self.local_port())
    }

    /// Address and port of the peer.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer_address(), self.peer_port())
    }

    /// Sets local address, local port and [`ip_version`](Event::ip_version).
    ///
    /// An event has one version of IP, that of the address that was set last. If the peer's address is of the other version,
    /// it becomes the unspecified one of this version, `0.0.0.0` or `::`; the peer's port stays.
    pub fn set_local(&mut self, local: SocketAddr) {
        self.set_local_address(local.ip());
        self.set_local_port(local.port());
        self.set_version_of_local();
        if self.peer_address().is_ipv4() != self.local_address().is_ipv4() {
            self.set_peer_address(unspecified(self.local_address()));
        }
    }

    /// Sets the peer's address and port, and [`ip_version`](Event::ip_version). The local address is treated as the peer's
    /// is by [`set_local`](Event::set_local).
    pub fn set_peer(&mut self, peer: SocketAddr) {
        self.set_peer_address(peer.ip());
        self.set_peer_port(peer.port());
        if self.local_address().is_ipv4() != self.peer_address().is_ipv4() {
            self.set_local_address(unspecified(self.peer_address()));
        }
        self.set_version_of_local();
    }

    fn set_version_of_local(&mut self) {
        self.set_ip_version(if self.local_address().is_ipv4() { 4 } else { 6 });
    }

    /// Is the connection IPv4? An IPv4 connection of a dual-stack socket counts as IPv4.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.peer_address(), IpAddr::V4(_))
    }

    /// Was the segment sent? `false` where the kernel reports that the attempt failed (6.17 and later;
    /// older kernels report only segments that were sent).
    #[inline]
    pub fn sent(&self) -> bool {
        self.sent_if_known()
            .or_else(|| Some(self.error()?.0 == 0))
            .unwrap_or(true)
    }
}

/// The unspecified address of the same version.
fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The fields that identify an event; the JSON form has all of them.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("local", &self.local())
            .field("peer", &self.peer())
            .field("state", &self.state())
            .field("kind", &self.kind())
            .field("segments", &self.segments())
            .finish_non_exhaustive()
    }
}
