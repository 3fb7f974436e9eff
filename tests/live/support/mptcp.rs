//! MPTCP, where the kernel has it.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::root::skipped;

/// Returns whether the kernel has MPTCP; reports that the test is skipped if not.
pub fn has_mptcp() -> bool {
    let has = Path::new("/proc/sys/net/mptcp").exists();
    if !has {
        skipped("this kernel is built without CONFIG_MPTCP");
    }
    has
}

/// An MPTCP socket of IPv4.
pub fn mptcp_socket() -> Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP))
        .context("cannot make an MPTCP socket")
}
