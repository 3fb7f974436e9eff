//! What follows from several fields of an event.

use core::fmt;
use core::net::IpAddr;
use core::net::SocketAddr;

use crate::event::Event;

impl Event {
    /// Local address and port: those of the side that retransmits.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_address(), self.local_port())
    }

    /// Address and port of the peer.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer_address(), self.peer_port())
    }

    /// Is the connection IPv4? An IPv4 connection of a dual-stack socket is.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.peer_address(), IpAddr::V4(_))
    }

    /// Was a segment sent? Not when the kernel says that the attempt failed (6.17 and later;
    /// before, only what was sent is an event).
    #[inline]
    pub fn sent(&self) -> bool {
        self.sent_if_known()
            .or_else(|| Some(self.error()?.0 == 0))
            .unwrap_or(true)
    }
}

/// What tells one event from another; all fields are in the JSON form.
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
