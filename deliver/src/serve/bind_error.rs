//! Why an address cannot be bound, and what to do.

use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// An address that cannot be bound. Its text says what to do.
#[derive(Debug)]
pub struct BindError {
    pub(super) address: SocketAddr,
    pub(super) error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { address, error } = self;
        write!(f, "cannot listen on {address}: ")?;
        match error.kind() {
            ErrorKind::AddrInUse => write!(
                f,
                "another program has this port, which ss -ltnp 'sport = :{port}' names; end it, or choose another port",
                port = address.port()
            ),
            ErrorKind::AddrNotAvailable => write!(
                f,
                "this machine does not have the address; choose one of those that ip address shows"
            ),
            ErrorKind::PermissionDenied => write!(
                f,
                "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a larger port"
            ),
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BindError {}
