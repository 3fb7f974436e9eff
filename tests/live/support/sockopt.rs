//! What the kernel says of a socket through getsockopt and fstat: independent of the probe.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use anyhow::Result;
use anyhow::ensure;

/// `SO_COOKIE`, since 4.12.
const SO_COOKIE: i32 = 57;
/// `SO_NETNS_COOKIE`, since 5.14.
const SO_NETNS_COOKIE: i32 = 71;

/// The kernel's `struct tcp_info`, as far as this kernel has it.
pub struct TcpInfo(Vec<u8>);

impl TcpInfo {
    /// Of a connection.
    pub fn of(socket: &TcpStream) -> Result<TcpInfo> {
        let info = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, 512)?;
        // snd_wnd, since 5.4, is the last member that is read here.
        ensure!(info.len() >= 232, "tcp_info has {} bytes", info.len());
        Ok(TcpInfo(info))
    }

    /// A member of 8 bits, by its offset.
    pub fn u8(&self, offset: usize) -> u64 {
        self.0[offset].into()
    }

    /// A member of 32 bits.
    pub fn u32(&self, offset: usize) -> u64 {
        u32::from_ne_bytes(self.0[offset..][..4].try_into().expect("four bytes")).into()
    }

    /// A member of 64 bits.
    pub fn u64(&self, offset: usize) -> u64 {
        u64::from_ne_bytes(self.0[offset..][..8].try_into().expect("eight bytes"))
    }
}

/// The socket's cookie.
pub fn cookie(socket: &TcpStream) -> Result<u64> {
    Ok(u64_option(socket, libc::SOL_SOCKET, SO_COOKIE)?)
}

/// The cookie of its network namespace; `None` where the kernel does not tell.
pub fn netns_cookie(socket: &TcpStream) -> Option<u64> {
    u64_option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE).ok()
}

/// The inode, as fstat has it.
pub fn inode(socket: &TcpStream) -> Result<u64> {
    let file = File::from(socket.as_fd().try_clone_to_owned()?);
    Ok(file.metadata()?.ino())
}

fn u64_option(socket: &TcpStream, level: i32, name: i32) -> io::Result<u64> {
    let bytes = option(socket, level, name, 8)?;
    let bytes = bytes.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(u64::from_ne_bytes(bytes))
}

fn option(socket: &TcpStream, level: i32, name: i32, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; most];
    let mut length = most as libc::socklen_t;
    // SAFETY: the buffer has `length` bytes, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}
