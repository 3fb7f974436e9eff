//! The helper: a process that starts worker processes for a host that may start none itself.
//!
//! The sandbox of the host forbids new processes, and a new version of a plugin is compiled in one. The helper is
//! started before the host has its sandbox, has no capabilities, writes no files, and ends with the host, as does the
//! worker that it waits for. One message in each direction makes a job: the host sends descriptors (the order, the
//! input and the output of the worker), the helper answers how the worker ended. An order is one of two: a host whose
//! sandbox holds a fault in must not get out of it through the helper.

use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::io::Seek as _;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::Context as _;
use rustix::net::AddressFamily;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::recvmsg;
use rustix::net::sendmsg;
use rustix::net::socketpair;

use super::job::Ended;
use super::job::Job;
use super::job::Order;
use super::job::THIS_PROGRAM;
use crate::plugin::load::sealed_memory;
use crate::system::privileges;
use crate::system::privileges::User;
use crate::system::sandbox;

/// Name of the hidden subcommand of the helper.
pub const SUBCOMMAND: &str = "helper";

/// Maximum length of an answer: a message of a worker, whose characters JSON may escape.
const MAX_ANSWER: usize = 64 << 10;

/// Descriptors of a job: order, input, output.
const DESCRIPTORS: usize = 3;

/// The connection to the helper. Dropping it ends the helper.
#[derive(Debug)]
pub struct Helper(Mutex<OwnedFd>);

impl Helper {
    /// Starts the helper, as `user` if there is one. It runs the executable of this process.
    pub fn start(user: Option<&User>) -> io::Result<Helper> {
        let pair = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        );
        let (ours, theirs) = pair?;
        let mut command = Command::new(THIS_PROGRAM);
        command
            .arg(SUBCOMMAND)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .process_group(0);
        if let Some(user) = user {
            command.uid(user.uid()).gid(user.gid());
        }
        command.spawn()?;
        Ok(Helper(Mutex::new(ours)))
    }

    /// Has the helper run a job, and waits for its end.
    pub(crate) fn run(&self, job: &Job) -> io::Result<Ended> {
        let mut order = sealed_memory::create()?;
        serde_json::to_writer(&mut order, &job.order)?;
        order.rewind()?;
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptors = [order.as_fd(), job.input.as_fd(), job.output.as_fd()];
        let sent = send(socket.as_fd(), b"job", &descriptors);
        let mut answer = vec![0; MAX_ANSWER];
        // A socket whose other side is closed takes nothing, and has nothing.
        let length = match sent.and_then(|()| receive(socket.as_fd(), &mut answer)) {
            Ok((length, _)) => length,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        match length {
            0 => Err(io::Error::other(
                "the process that starts compilers has ended; restart the host to load new versions of plugins",
            )),
            length => match serde_json::from_slice(&answer[..length])? {
                Answer::Ended(ended) => Ok(ended),
                Answer::NotStarted(message) => Err(io::Error::other(message)),
            },
        }
    }
}

/// What the helper answers.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Answer {
    /// The worker has ended.
    Ended(Ended),
    /// The worker could not be started, for this reason.
    NotStarted(String),
}

/// Runs the helper: does the jobs that arrive on its standard input, until the host has ended.
pub fn serve() -> anyhow::Result<()> {
    // Signals for all processes of a service are meant for the host. Workers inherit this.
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
        // SAFETY: SIG_IGN is no function that could be called.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    privileges::drop_all()?;
    sandbox::confine_helper()?;
    let socket = io::stdin();
    let mut message = [0; 16];
    loop {
        let (length, descriptors) =
            receive(socket.as_fd(), &mut message).context("cannot receive a job")?;
        if length == 0 {
            return Ok(());
        }
        let answer = match run(descriptors, socket.as_fd()) {
            Ok(ended) => Answer::Ended(ended),
            Err(error) => Answer::NotStarted(error.to_string()),
        };
        let answer = serde_json::to_vec(&answer)?;
        send(socket.as_fd(), &answer, &[]).context("cannot send an answer")?;
    }
}

fn run(descriptors: Vec<OwnedFd>, client: BorrowedFd<'_>) -> io::Result<Ended> {
    let files: Vec<File> = descriptors.into_iter().map(File::from).collect();
    let Ok([order, input, output]) = <[File; DESCRIPTORS]>::try_from(files) else {
        return Err(io::Error::other("a job with missing descriptors"));
    };
    let order: Order = serde_json::from_reader(io::BufReader::new(order))?;
    let job = Job {
        order,
        input,
        output,
    };
    job.run(Path::new(THIS_PROGRAM), Some(client))
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    // The other side may have ended: that is an error, and no SIGPIPE.
    sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Receives a message. Its length is 0 if the other side has ended.
fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    loop {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Err(rustix::io::Errno::INTR) => continue,
            received => received?,
        };
        let descriptors = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        return Ok((received.bytes, descriptors.flatten().collect()));
    }
}
