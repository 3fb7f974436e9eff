//! Processes that hold sockets and use them as tests order. Their identities are the truth that owners
//! in events are compared with.
//!
//! A process is this test binary, running the test [`ENTRY`] alone, which calls [`serve::serve()`]. It
//! takes one order a line from the Unix socket at its standard input, and ends when that is closed:
//! with the test at the latest.

mod passing;
mod serve;

use std::env;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::str::FromStr;

use anyhow::Context;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;

use super::Root;
use super::netns::Namespace;
use super::oracle::WAIT_TIMEOUT;

/// The full path of the test below. With a wrong path the process would end without an answer.
const ENTRY: &str = "support::processes::the_process_that_other_tests_start";
/// The variable that marks a process started by a test.
const STARTED: &str = "RETRANS_TEST_PROCESS";

/// Name of the thread that opens sockets instead of the main thread.
pub const THREAD: &str = "another-thread";

/// Not a test: the entry of a process that a test has started. In other runs it does nothing.
#[test]
fn the_process_that_other_tests_start() -> Result<()> {
    match env::var_os(STARTED) {
        Some(_) => serve::serve(),
        None => Ok(()),
    }
}

/// A process. Ended when dropped.
pub struct Process {
    pid: u32,
    /// `None` if another process forked it, which is its parent then.
    child: Option<Child>,
    control: Control,
}

impl Process {
    /// Starts a process in a network namespace. It holds no socket yet.
    pub fn start(_: &Root, namespace: &Namespace) -> Result<Process> {
        let (control, controlled) = UnixStream::pair()?;
        // Longer than every order takes.
        control.set_read_timeout(Some(3 * WAIT_TIMEOUT))?;
        let network = File::open(namespace.path())?;
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["--exact", ENTRY, "--nocapture"])
            .env(STARTED, "1")
            .stdin(OwnedFd::from(controlled))
            .stdout(Stdio::null());
        // SAFETY: two system calls on the child's own behalf, which neither allocate nor lock.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                let kind = Some(LinkNameSpaceType::Network);
                Ok(move_into_link_name_space(network.as_fd(), kind)?)
            });
        }
        let child = command.spawn().context("cannot start a process")?;
        let mut process = Process {
            pid: child.id(),
            child: Some(child),
            control: Control::new(control),
        };
        // Once it answers, it has executed the program, and its name is final.
        process.order("nothing")?;
        Ok(process)
    }

    /// Forks a child, which holds what this process holds.
    pub fn fork(&mut self) -> Result<Process> {
        self.begin("fork")?;
        let control = UnixStream::from(passing::receive(self.control.stream())?);
        control.set_read_timeout(Some(3 * WAIT_TIMEOUT))?;
        // The result of fork() in the parent: the process number in this pid namespace.
        let pid = self.answer()?.parse()?;
        Ok(Process {
            pid,
            child: None,
            control: Control::new(control),
        })
    }

    /// The next child that it forks is process 1 of a new pid namespace.
    pub fn begin_pid_namespace(&mut self) -> Result<()> {
        self.order("begin_pid_namespace")
    }

    /// Its process number as it sees it.
    pub fn own_number(&mut self) -> Result<u32> {
        self.ask("own_number")
    }

    /// Changes its user to this one.
    pub fn become_user(&mut self, uid: u32) -> Result<()> {
        self.order(format_args!("become_user {uid}"))
    }

    /// Duplicates the descriptor of its connection this many times.
    pub fn duplicate(&mut self, times: usize) -> Result<()> {
        self.order(format_args!("duplicate {times}"))
    }

    /// Opens this many sockets that are never connected.
    pub fn open_sockets(&mut self, count: usize) -> Result<()> {
        self.order(format_args!("open_sockets {count}"))
    }

    /// Connects; returns the local address.
    pub fn connect(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect {peer}"))
    }

    /// The same with MPTCP.
    pub fn connect_mptcp(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_mptcp {peer}"))
    }

    /// The same in a thread named [`THREAD`], which also sends afterwards.
    pub fn connect_in_thread(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_in_thread {peer}"))
    }

    /// The same in a thread with its own table of open files: no other thread has the socket.
    pub fn connect_in_thread_with_own_files(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_in_thread_with_own_files {peer}"))
    }

    /// Listens.
    pub fn listen(&mut self, at: SocketAddr) -> Result<()> {
        self.order(format_args!("listen {at}"))
    }

    /// The same with MPTCP.
    pub fn listen_mptcp(&mut self, at: SocketAddr) -> Result<()> {
        self.order(format_args!("listen_mptcp {at}"))
    }

    /// Accepts one connection; returns the peer's address.
    pub fn accept(&mut self) -> Result<SocketAddr> {
        self.ask("accept")
    }

    /// Writes `segments` segments to the connection.
    pub fn send_segments(&mut self, segments: usize) -> Result<()> {
        self.order(format_args!("send {segments}"))
    }

    /// Closes the connection.
    pub fn close(&mut self) -> Result<()> {
        self.order("close")
    }

    /// Closes the listening socket.
    pub fn close_listener(&mut self) -> Result<()> {
        self.order("close_listener")
    }

    /// Sends the connection to another process, which may receive it later. This process still holds
    /// it.
    pub fn pass_to(&mut self, other: &mut Process) -> Result<()> {
        let (from, to) = UnixStream::pair()?;
        self.take_way(&from)?;
        other.take_way(&to)?;
        self.order("pass")
    }

    /// Gives the process one end of a socket pair, its way to another process.
    fn take_way(&mut self, way: &UnixStream) -> Result<()> {
        self.begin("take_way")?;
        passing::send(self.control.stream(), way)?;
        self.answer().map(|_| ())
    }

    /// Receives a connection that another process has passed.
    pub fn receive_passed(&mut self) -> Result<()> {
        self.order("receive_passed")
    }

    /// Process number in the test's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of its main thread.
    pub fn comm(&self) -> Result<String> {
        let path = format!("/proc/{}/comm", self.pid);
        let comm = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(comm.trim_end().to_owned())
    }

    /// Its effective user.
    pub fn uid(&self) -> Result<u32> {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        // Real, effective, saved, file system.
        let effective = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(effective
            .with_context(|| format!("{path} has no Uid"))?
            .parse()?)
    }

    /// The names of its threads.
    pub fn threads(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let comm = thread?.path().join("comm");
            names.push(fs::read_to_string(comm)?.trim_end().to_owned());
        }
        Ok(names)
    }

    /// Gives an order and waits until it is done.
    pub fn order(&mut self, order: impl fmt::Display) -> Result<()> {
        self.begin(order)?;
        self.answer().map(|_| ())
    }

    /// Gives an order; [`Process::answer`] waits until it is done.
    pub fn begin(&mut self, order: impl fmt::Display) -> Result<()> {
        let line = format!("{order}\n");
        let sent = self.control.stream().write_all(line.as_bytes());
        sent.with_context(|| format!("process {} has ended", self.pid))
    }

    /// The answer to the order that was begun.
    pub fn answer(&mut self) -> Result<String> {
        let line = self.control.read_line();
        let line = line.with_context(|| format!("process {} does not answer", self.pid))?;
        match line.split_once(' ') {
            Some(("ok", answer)) => Ok(answer.to_owned()),
            Some(("error", error)) => Err(anyhow!("process {}: {error}", self.pid)),
            _ => bail!("process {} ended, its last words: {line:?}", self.pid),
        }
    }

    fn ask<T>(&mut self, question: impl fmt::Display) -> Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        self.begin(question)?;
        let answer = self.answer()?;
        answer
            .parse()
            .with_context(|| format!("no such answer was expected: {answer}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A forked process ends when its control socket is closed.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One end of the socket for orders and answers.
struct Control(BufReader<UnixStream>);

impl Control {
    fn new(stream: UnixStream) -> Control {
        // Reads byte by byte: a descriptor may follow a line, and a larger read would lose it.
        Control(BufReader::with_capacity(1, stream))
    }

    fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    /// A line without its end; empty at the end of the stream.
    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        line.truncate(line.trim_end_matches('\n').len());
        Ok(line)
    }
}
