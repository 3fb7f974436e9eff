//! The process's side: takes orders and carries them out.

use std::env;
use std::ffi::c_int;
use std::ffi::c_uint;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use rustix::thread::UnshareFlags;
use rustix::thread::unshare_unsafe;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::CONTROL;
use super::passing;
use crate::live::lab::SEGMENT;
use crate::live::oracle::PATIENCE;
use crate::live::oracle::wait_until;

/// Name of the thread that opens sockets instead of the main thread.
pub const THREAD: &str = "another-thread";

/// Between two segments of a conversation.
const PACE: Duration = Duration::from_millis(10);

// What the standard library has no safe form of. It is linked with the C library anyway.
unsafe extern "C" {
    fn fork() -> c_int;
    /// Of all threads, unlike the system call.
    safe fn setuid(uid: c_uint) -> c_int;
}

/// What a process has open.
#[derive(Default)]
struct Open {
    connection: Option<TcpStream>,
    /// Sends on a connection that it has opened itself.
    thread: Option<mpsc::Sender<usize>>,
    listener: Option<TcpListener>,
    passing: Option<UnixListener>,
}

/// Carries out the test's orders until there are no more, and ends the process. Returns at once where
/// no test has started this process.
pub fn serve() -> Result<()> {
    let Some(path) = env::var_os(CONTROL) else {
        return Ok(());
    };
    let path = Path::new(&path);
    let mut control = BufReader::new(UnixStream::connect(path)?);
    let mut open = Open::default();
    loop {
        let mut line = String::new();
        if !control.read_line(&mut line).is_ok_and(|length| length > 0) {
            process::exit(0);
        }
        let order = line.trim_end();
        let result = if order == "fork" {
            // SAFETY: the only other thread, that of the test harness, waits for this one and holds no
            // lock; the C library keeps its own in order.
            match unsafe { fork() } {
                0 => {
                    control = BufReader::new(UnixStream::connect(path)?);
                    continue;
                }
                -1 => Err(std::io::Error::last_os_error()).context("fork"),
                pid => Ok(pid.to_string()),
            }
        } else {
            open.obey(order)
        };
        let answer = match result {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {order}: {error:#}\n"),
        };
        if control.get_mut().write_all(answer.as_bytes()).is_err() {
            process::exit(0);
        }
    }
}

impl Open {
    fn obey(&mut self, order: &str) -> Result<String> {
        let (order, argument) = order.split_once(' ').unwrap_or((order, ""));
        match order {
            "own_number" => return Ok(process::id().to_string()),
            "begin_pid_namespace" => {
                // SAFETY: changes nothing but where the next children are counted.
                unsafe { unshare_unsafe(UnshareFlags::NEWPID) }?;
            }
            "become_user" => {
                let failed = setuid(argument.parse()?) != 0;
                ensure!(!failed, "{}", std::io::Error::last_os_error());
            }
            "connect" => {
                let stream = connect(argument.parse()?)?;
                return self.keep(stream);
            }
            "connect_mptcp" => {
                let peer: SocketAddr = argument.parse()?;
                let protocol = Some(Protocol::MPTCP);
                let socket = Socket::new(Domain::for_address(peer), Type::STREAM, protocol)?;
                socket.connect_timeout(&peer.into(), PATIENCE)?;
                return self.keep(socket.into());
            }
            "connect_in_thread" => return self.connect_in_thread(argument.parse()?, false),
            "connect_in_thread_with_own_files" => {
                return self.connect_in_thread(argument.parse()?, true);
            }
            "listen" => {
                let listener = TcpListener::bind(argument.parse::<SocketAddr>()?)?;
                listener.set_nonblocking(true)?;
                self.listener = Some(listener);
            }
            "accept" => {
                let listener = self.listener.as_ref().context("nothing listens")?;
                let (stream, peer) = accept(listener)?;
                self.keep(stream)?;
                return Ok(peer.to_string());
            }
            "send" => self.send(argument.parse()?)?,
            "close" => drop(self.connection.take().context("nothing to close")?),
            "close_listener" => drop(self.listener.take().context("nothing to close")?),
            "await_passing" => self.passing = Some(UnixListener::bind(argument)?),
            "pass" => {
                let connection = self.connection.as_ref().context("not connected")?;
                passing::send(&UnixStream::connect(argument)?, connection)?;
            }
            "receive_passed" => {
                let (way, _) = self.passing.as_ref().context("nothing awaited")?.accept()?;
                self.keep(passing::receive(&way)?.into())?;
            }
            "converse" => return self.converse(argument),
            _ => bail!("there is no such order"),
        }
        Ok(String::new())
    }

    fn keep(&mut self, stream: TcpStream) -> Result<String> {
        let local = stream.local_addr()?;
        self.connection = Some(stream);
        Ok(local.to_string())
    }

    fn connect_in_thread(&mut self, peer: SocketAddr, own_files: bool) -> Result<String> {
        let (orders, ordered) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let work = move || -> Result<()> {
            if own_files {
                // SAFETY: the thread uses no descriptor that is opened or closed elsewhere.
                unsafe { unshare_unsafe(UnshareFlags::FILES) }?;
            }
            let mut stream = connect(peer)?;
            tell.send(stream.local_addr()?)?;
            for segments in ordered {
                send(&mut stream, segments)?;
            }
            Ok(())
        };
        let name = thread::Builder::new().name(THREAD.to_owned());
        let thread = name.spawn(work)?;
        let Ok(local) = told.recv() else {
            thread.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
            bail!("the thread has ended");
        };
        self.thread = Some(orders);
        Ok(local.to_string())
    }

    fn send(&mut self, segments: usize) -> Result<()> {
        match (&self.thread, &mut self.connection) {
            (Some(thread), _) => Ok(thread.send(segments)?),
            (None, Some(connection)) => send(connection, segments),
            (None, None) => bail!("not connected"),
        }
    }

    /// Several connections one after the other, with the listener's clients or to an address; on each,
    /// both sides send so many segments and wait until all have arrived. The local ports.
    fn converse(&mut self, arguments: &str) -> Result<String> {
        let mut words = arguments.split(' ');
        let mut number = || -> Result<usize> { Ok(words.next().context("a number")?.parse()?) };
        let (connections, segments) = (number()?, number()?);
        let peer: Option<SocketAddr> = words.next().map(str::parse).transpose()?;
        let mut ports = Vec::new();
        for _ in 0..connections {
            let stream = match (peer, &self.listener) {
                (Some(peer), _) => connect(peer)?,
                (None, Some(listener)) => accept(listener)?.0,
                (None, None) => bail!("neither a listener nor an address"),
            };
            ports.push(stream.local_addr()?.port().to_string());
            exchange(stream, segments)?;
        }
        Ok(ports.join(" "))
    }
}

/// Each write is a segment of its own: Nagle's algorithm is off.
fn connect(peer: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&peer, PATIENCE)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn accept(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    let mut accepted = None;
    wait_until("a connection", || {
        match listener.accept() {
            Ok(connection) => accepted = Some(connection),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(accepted.is_some())
    })?;
    let (stream, peer) = accepted.context("it was accepted")?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

fn send(stream: &mut TcpStream, segments: usize) -> Result<()> {
    for _ in 0..segments {
        stream.write_all(&[0x5a; SEGMENT])?;
    }
    Ok(())
}

/// Sends and receives at once. In the end a byte each way says that all has arrived, so that
/// nothing is left to be sent when the connection is closed.
fn exchange(mut stream: TcpStream, segments: usize) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut out = stream.try_clone()?;
    let writer = thread::spawn(move || -> Result<()> {
        for _ in 0..segments {
            send(&mut out, 1)?;
            thread::sleep(PACE);
        }
        Ok(())
    });
    stream.read_exact(&mut vec![0; segments * SEGMENT])?;
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    stream.write_all(&[0])?;
    stream.read_exact(&mut [0])?;
    Ok(())
}
