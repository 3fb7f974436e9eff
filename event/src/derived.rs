//! What follows from several fields of an event.

use core::fmt;
use core::net::IpAddr;
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
