//! The process's side: carries out orders.

use std::convert::Infallible;
use std::ffi::c_int;
use std::ffi::c_uint;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use anyhow::ensure;
use rustix::net;
use rustix::net::SendFlags;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use rustix::thread::UnshareFlags;
use rustix::thread::unshare_unsafe;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::super::lab::SEGMENT;
use super::super::oracle::WAIT_TIMEOUT;
use super::super::oracle::wait_until;
use super::Control;
use super::THREAD;
use super::passing;

/// Interval between two segments of a conversation.
const SEND_INTERVAL: Duration = Duration::from_millis(10);

// The standard library has no safe form of these. It is linked with the C library anyway.
unsafe extern "C" {
    fn fork() -> c_int;
    /// For all threads, unlike the system call.
    safe fn setuid(uid: c_uint) -> c_int;
}

/// The open files of a process.
#[derive(Default)]
struct Open {
    connection: Option<TcpStream>,
    /// A thread that sends on a connection that it has opened.
    thread: Option<mpsc::Sender<usize>>,
    listener: Option<TcpListener>,
    /// Duplicates of the connection's descriptor.
    duplicates: Vec<OwnedFd>,
    /// A socket to another process.
    way: Option<UnixStream>,
}

/// Carries out orders from standard input until it is closed, and ends the process.
pub fn serve() -> ! {
    let Err(error) = obey_all();
    // Standard error is that of the test.
    eprintln!("process {}: {error:#}", process::id());
    process::exit(1)
}

fn obey_all() -> Result<Infallible> {
    // SAFETY: it is open, and nothing else in this process reads standard input.
    let stdin = unsafe { UnixStream::from_raw_fd(0) };
    let mut control = Control::new(stdin);
    let mut open = Open::default();
    loop {
        let order = control.read_line()?;
        let result = match order.as_str() {
            "" => process::exit(0),
            "fork" => {
                let (ours, childs) = UnixStream::pair()?;
                // SAFETY: the test harness's thread only waits for this one and holds no lock that
                // the child will need; the C library keeps its own in order.
                match unsafe { fork() } {
                    0 => {
                        control = Control::new(childs);
                        continue;
                    }
                    -1 => Err(io::Error::last_os_error()).context("fork"),
                    pid => passing::send(control.stream(), ours)
                        .map(|()| pid.to_string())
                        .context("cannot hand over the child"),
                }
            }
            "take_way" => passing::receive(control.stream()).map(|way| {
                open.way = Some(way.into());
                String::new()
            }),
            order => open.obey(order),
        };
        let answer = match result {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {order}: {error:#}\n"),
        };
        control.stream().write_all(answer.as_bytes())?;
    }
}

impl Open {
    fn obey(&mut self, order: &str) -> Result<String> {
        let (order, argument) = order.split_once(' ').unwrap_or((order, ""));
        match order {
            "nothing" => {}
            "own_number" => return Ok(process::id().to_string()),
            "begin_pid_namespace" => {
                // SAFETY: changes nothing but where the next children are counted.
                unsafe { unshare_unsafe(UnshareFlags::NEWPID) }?;
            }
            "become_user" => {
                let failed = setuid(argument.parse()?) != 0;
                ensure!(!failed, "{}", io::Error::last_os_error());
            }
            "connect" => {
                let stream = connect(argument.parse()?)?;
                return self.keep(stream);
            }
            "connect_mptcp" => {
                let peer: SocketAddr = argument.parse()?;
                let socket = mptcp_socket(peer)?;
                socket.connect_timeout(&peer.into(), WAIT_TIMEOUT)?;
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
            "listen_mptcp" => {
                let at: SocketAddr = argument.parse()?;
                let socket = mptcp_socket(at)?;
                socket.bind(&at.into())?;
                socket.listen(1)?;
                socket.set_nonblocking(true)?;
                self.listener = Some(socket.into());
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
            "pass" => {
                let connection = self.connection.as_ref().context("not connected")?;
                passing::send(self.way.as_ref().context("there is no way")?, connection)?;
            }
            "receive_passed" => {
                let way = self.way.as_ref().context("there is no way")?;
                self.keep(passing::receive(way)?.into())?;
            }
            "duplicate" => self.duplicate(argument.parse()?)?,
            "open_sockets" => self.open_sockets(argument.parse()?)?,
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
            thread.join().map_err(|_| anyhow!("it panicked"))??;
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

    /// Opens the connection this many times more.
    fn duplicate(&mut self, times: usize) -> Result<()> {
        allow_open_files()?;
        let connection = self.connection.as_ref().context("not connected")?;
        for _ in 0..times {
            self.duplicates
                .push(connection.as_fd().try_clone_to_owned()?);
        }
        Ok(())
    }

    /// Opens this many sockets that are never connected.
    fn open_sockets(&mut self, count: usize) -> Result<()> {
        allow_open_files()?;
        for _ in 0..count {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            self.duplicates.push(socket.into());
        }
        Ok(())
    }

    /// Makes or accepts several connections in sequence; on each, both sides send `segments` segments
    /// and wait until all have arrived. The local ports.
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

/// Raises the limit on open files as far as an ordinary user may.
fn allow_open_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

fn mptcp_socket(address: SocketAddr) -> Result<Socket> {
    let domain = Domain::for_address(address);
    Ok(Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))?)
}

/// Each write is a segment: Nagle's algorithm is off.
fn connect(peer: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&peer, WAIT_TIMEOUT)?;
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
        let sent = net::send(&*stream, &[0x5a; SEGMENT], SendFlags::EOR)?;
        ensure!(sent == SEGMENT, "the socket took {sent} bytes of a segment");
    }
    Ok(())
}

/// Sends and receives at the same time. At the end a byte each way confirms that everything has
/// arrived, so that nothing is left to send when the connection is closed.
fn exchange(mut stream: TcpStream, segments: usize) -> Result<()> {
    stream.set_read_timeout(Some(WAIT_TIMEOUT))?;
    let mut out = stream.try_clone()?;
    let writer = thread::spawn(move || -> Result<()> {
        for _ in 0..segments {
            send(&mut out, 1)?;
            thread::sleep(SEND_INTERVAL);
        }
        Ok(())
    });
    stream.read_exact(&mut vec![0; segments * SEGMENT])?;
    writer
        .join()
        .map_err(|_| anyhow!("the writer panicked"))??;
    stream.write_all(&[0])?;
    stream.read_exact(&mut [0])?;
    Ok(())
}
