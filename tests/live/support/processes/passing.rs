//! Passes an open file to another process through a Unix socket: SCM_RIGHTS.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::Result;
use anyhow::ensure;
use socket2::MaybeUninitSlice;
use socket2::MsgHdr;
use socket2::MsgHdrMut;
use socket2::SockRef;

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
/// Closes the descriptor on exec: a process that a test starts later would otherwise keep it open.
const MSG_CMSG_CLOEXEC: i32 = 0x4000_0000;

/// `struct cmsghdr` and one descriptor.
const LENGTH: usize = size_of::<usize>() + 3 * size_of::<i32>();
/// With the padding behind it.
const SPACE: usize = LENGTH.next_multiple_of(size_of::<usize>());

/// Sends `file` along with a byte.
pub fn send(way: &UnixStream, file: impl AsFd) -> io::Result<()> {
    let mut control = Vec::with_capacity(SPACE);
    control.extend(LENGTH.to_ne_bytes());
    for number in [SOL_SOCKET, SCM_RIGHTS, file.as_fd().as_raw_fd()] {
        control.extend(number.to_ne_bytes());
    }
    control.resize(SPACE, 0);
    let byte = [IoSlice::new(&[0])];
    let message = MsgHdr::new().with_buffers(&byte).with_control(&control);
    SockRef::from(way).sendmsg(&message, 0)?;
    Ok(())
}

/// Receives what [`send`] sends.
pub fn receive(way: &UnixStream) -> Result<OwnedFd> {
    let mut byte = [MaybeUninit::uninit()];
    let mut bytes = [MaybeUninitSlice::new(&mut byte)];
    let mut control = [MaybeUninit::zeroed(); SPACE];
    let mut message = MsgHdrMut::new()
        .with_buffers(&mut bytes)
        .with_control(&mut control);
    SockRef::from(way).recvmsg(&mut message, MSG_CMSG_CLOEXEC)?;
    let received = message.control_len();
    ensure!(received >= LENGTH, "a message without an open file");
    // SAFETY: the bytes were zero to begin with.
    let control = control.map(|byte| unsafe { byte.assume_init() });
    let mut number = [0; size_of::<i32>()];
    number.copy_from_slice(&control[LENGTH - size_of::<i32>()..LENGTH]);
    // SAFETY: the kernel has just opened it for this process, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::from_ne_bytes(number)) })
}
