//! Processes that hold sockets, do with them what they are told, and can prove who they are: the truth
//! that the owners in the events are compared with.
//!
//! A process is this test binary once more, running nothing but the test [`ENTRY`], which is
//! [`serve`]. It takes one order a line from a Unix socket, and ends when that is closed: with the
//! test at the latest.

mod passing;
mod serve;

use std::env;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;
use tempfile::TempDir;

use super::Root;
use super::netns::Namespace;
use super::oracle::PATIENCE;
use super::oracle::wait_until;

pub use self::serve::THREAD;
pub use self::serve::serve;

/// The test that every test binary with such processes must have; it calls [`serve`].
pub const ENTRY: &str = "the_process_that_other_tests_start";
/// Tells a process where it is given its orders.
const CONTROL: &str = "RETRANS_TEST_CONTROL";

/// A process. Ended when dropped.
pub struct Process {
    pid: u32,
    /// `None` for one that another process forked: that is its parent.
    child: Option<Child>,
    control: BufReader<UnixStream>,
    home: Arc<Home>,
}

/// Where a process and those that it forks report.
struct Home {
    directory: TempDir,
    listener: UnixListener,
}

impl Process {
    /// Starts a process in a network namespace. It holds no socket yet.
    pub fn start(_: &Root, namespace: &Namespace) -> Result<Process> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        let network = File::open(namespace.path())?;
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["--exact", ENTRY, "--nocapture"])
            .env(CONTROL, &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // SAFETY: two system calls on the child's own behalf, which neither allocate nor lock.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                let network = network.as_fd();
                Ok(move_into_link_name_space(
                    network,
                    Some(LinkNameSpaceType::Network),
                )?)
            });
        }
        let mut child = command.spawn().context("cannot start a process")?;
        let home = Arc::new(Home {
            directory,
            listener,
        });
        let control = home.admit(|| match child.try_wait()? {
            Some(status) => bail!("the process ended before it reported: {status}"),
            None => Ok(()),
        })?;
        Ok(Process {
            pid: child.id(),
            child: Some(child),
            control,
            home,
        })
    }

    /// Forks a child, which holds what this process holds.
    pub fn fork(&mut self) -> Result<Process> {
        // What fork() returned to the parent: the number in the parent's pid namespace, which is ours.
        let pid = self.ask("fork")?;
        let control = self.home.admit(|| Ok(()))?;
        Ok(Process {
            pid,
            child: None,
            control,
            home: Arc::clone(&self.home),
        })
    }

    /// The next child that is forked is the first process of a new pid namespace.
    pub fn begin_pid_namespace(&mut self) -> Result<()> {
        self.order("begin_pid_namespace")
    }

    /// The number by which it knows itself.
    pub fn own_number(&mut self) -> Result<u32> {
        self.ask("own_number")
    }

    /// Gives up root for this user.
    pub fn become_user(&mut self, uid: u32) -> Result<()> {
        self.order(format_args!("become_user {uid}"))
    }

    /// Connects; the local address.
    pub fn connect(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect {peer}"))
    }

    /// The same with MPTCP.
    pub fn connect_mptcp(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_mptcp {peer}"))
    }

    /// The same in a thread by the name of [`THREAD`], which also sends then.
    pub fn connect_in_thread(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_in_thread {peer}"))
    }

    /// The same in a thread whose open files are its own: no other thread has the socket.
    pub fn connect_in_thread_with_own_files(&mut self, peer: SocketAddr) -> Result<SocketAddr> {
        self.ask(format_args!("connect_in_thread_with_own_files {peer}"))
    }

    /// Listens.
    pub fn listen(&mut self, at: SocketAddr) -> Result<()> {
        self.order(format_args!("listen {at}"))
    }

    /// Accepts one connection; the peer's address.
    pub fn accept(&mut self) -> Result<SocketAddr> {
        self.ask("accept")
    }

    /// Writes so many segments to the connection.
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

    /// Sends the connection to another process, which need not be there yet to receive it.
    /// Both hold it then.
    pub fn pass_to(&mut self, other: &mut Process) -> Result<()> {
        let path = other.home.directory.path().join("passing");
        other.order(format_args!("await_passing {}", path.display()))?;
        self.order(format_args!("pass {}", path.display()))
    }

    /// Receives the connection that another process has passed.
    pub fn receive_passed(&mut self) -> Result<()> {
        self.order("receive_passed")
    }

    /// Number in the test's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Name of the main thread.
    pub fn comm(&self) -> Result<String> {
        let path = format!("/proc/{}/comm", self.pid);
        let comm = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(comm.trim_end().to_owned())
    }

    /// Effective user.
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
            let comm: PathBuf = thread?.path().join("comm");
            names.push(fs::read_to_string(comm)?.trim_end().to_owned());
        }
        Ok(names)
    }

    /// Gives an order that has no answer but that it was done.
    pub fn order(&mut self, order: impl fmt::Display) -> Result<()> {
        self.begin(order)?;
        self.answer().map(|_| ())
    }

    /// Gives an order without waiting until it is done, which [`Process::answer`] does.
    pub fn begin(&mut self, order: impl fmt::Display) -> Result<()> {
        writeln!(self.control.get_mut(), "{order}").context("the process is gone")
    }

    /// What the process answers to the order that was begun.
    pub fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.control
            .read_line(&mut line)
            .with_context(|| format!("process {} does not answer", self.pid))?;
        match line.trim_end().split_once(' ') {
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
        // A forked one ends when its orders do.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Home {
    /// Waits for a process to report. `alive` fails once it cannot any more.
    fn admit(&self, mut alive: impl FnMut() -> Result<()>) -> Result<BufReader<UnixStream>> {
        let mut control = None;
        wait_until("a process to report", || {
            alive()?;
            match self.listener.accept() {
                Ok((stream, _)) => control = Some(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            Ok(control.is_some())
        })?;
        let control = control.context("it has reported")?;
        control.set_nonblocking(false)?;
        // Longer than any order may take there.
        control.set_read_timeout(Some(3 * PATIENCE))?;
        Ok(BufReader::new(control))
    }
}
