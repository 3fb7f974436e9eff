//! This program as a user would start it: the demo runs it with other arguments, in the directory of its files.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::process::set_parent_process_death_signal;
use tempfile::TempDir;

use crate::plugin::worker::job::THIS_PROGRAM;
use crate::system::stdio;

/// The longest that the host may take to attach its probe, plugins compiled.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest wait for a message of the host before it is looked at again.
const STEP: Duration = Duration::from_millis(100);

/// Prints a command line as a user would type it.
pub fn show(arguments: &[&str]) {
    stdio::print(&format!("\n$ retrans-host {}\n", arguments.join(" ")));
}

/// Shows the command line, and runs it to its end. What it prints is shown.
pub fn run(directory: &Path, arguments: &[&str]) -> Result<()> {
    show(arguments);
    let status = command(directory, arguments).status();
    let status = status.context("cannot start this program once more")?;
    if !status.success() {
        bail!("`retrans-host {}` failed: {status}", arguments.join(" "));
    }
    Ok(())
}

/// What it prints to standard output.
pub fn output(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = command(directory, arguments).output();
    let output = output.context("cannot start this program once more")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`retrans-host {}` failed: {}",
            arguments.join(" "),
            said.trim()
        );
    }
    String::from_utf8(output.stdout).context("this program printed what is no text")
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

/// A watch on the live probe, which shares the terminal of the demo. It is killed when this is dropped.
pub struct Watching {
    child: Child,
    /// What it says to its service manager goes here.
    socket: UnixDatagram,
    /// Has the socket.
    _scratch: TempDir,
}

impl Watching {
    /// Shows the command line, starts the watch, and waits until it records.
    ///
    /// # Errors
    ///
    /// If it ends before, after it has printed why.
    pub fn start(directory: &Path, arguments: &[&str]) -> Result<Watching> {
        show(arguments);
        // In a directory of its own: the path of a socket has 107 bytes at most.
        let scratch = TempDir::with_prefix("retrans-host-")?;
        let address = scratch.path().join("notify");
        let socket = UnixDatagram::bind(&address).context("cannot make a socket")?;
        socket.set_read_timeout(Some(STEP))?;
        let mut command = command(directory, arguments);
        command.env("NOTIFY_SOCKET", &address);
        // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
        unsafe {
            // It does not outlive the demo, however that ends.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn();
        let mut watching = Watching {
            child: child.context("cannot start this program once more")?,
            socket,
            _scratch: scratch,
        };
        let begun = Instant::now();
        while !is_ready(&watching.socket)? {
            if let Some(status) = watching.child.try_wait()? {
                bail!("the watch could not begin ({status}), for the reason above");
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!(
                    "the watch has not begun within {} s",
                    START_TIMEOUT.as_secs()
                );
            }
        }
        Ok(watching)
    }

    /// Ends the watch as Ctrl-C does, and waits until it has told what it counted.
    pub fn end(mut self) -> Result<()> {
        let Watching { child, .. } = &mut self;
        // A shell starts background processes with SIGINT ignored, and the host respects that: SIGTERM.
        kill_process(Pid::from_child(child), Signal::TERM)?;
        let status = child.wait()?;
        if !status.success() {
            bail!("the watch failed: {status}");
        }
        Ok(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Watching { child, .. } = self;
        // Both fail if it has ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Waits for a message of the watch. Returns whether it says that it has begun.
fn is_ready(socket: &UnixDatagram) -> Result<bool> {
    let mut message = [0; 1024];
    match socket.recv(&mut message) {
        Ok(length) => Ok(message[..length]
            .split(|byte| *byte == b'\n')
            .any(|line| line == b"READY=1")),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).context("cannot read what the watch says"),
    }
}
