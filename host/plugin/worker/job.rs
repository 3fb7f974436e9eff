//! A worker process: this program, with the arguments of a hidden subcommand, an input and an output.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::poll;
use rustix::io::Errno;
use serde::Deserialize;
use serde::Serialize;

use crate::plugin::spec::limits::Limits;
use crate::system::sanitize::joined;

/// Path of the executable of this process. The link is used, not its target: the file there may be another version by
/// now.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Name of the hidden subcommand that compiles: `compile SECONDS BYTES`.
pub const COMPILE: &str = "compile";

/// Name of the hidden subcommand of the footprint check: `footprint LIMITS`.
pub const FOOTPRINT: &str = "footprint";

/// The variable with the variables that the plugin was granted: names and values, as JSON.
pub(super) const GRANTED: &str = "RETRANS_HOST_GRANTED";

/// Number of threads of the compiler. The stack of each counts as memory.
const COMPILER_THREADS: &str = "4";

/// Maximum length in bytes of an error message of the process.
const MAX_MESSAGE: u64 = 4096;

/// What a worker process is to do.
#[derive(Debug)]
pub(crate) struct Job {
    /// What it is to do, in words.
    pub(crate) order: Order,
    /// Its standard input.
    pub(crate) input: File,
    /// Its standard output: memory, so that it never waits for a reader.
    pub(crate) output: File,
}

/// What a worker is to do. It names no program, argument or variable: the helper, which has more rights than the host
/// that sends it, does nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Compile the component.
    Compile {
        /// CPU time in seconds.
        seconds: u64,
        /// Memory in bytes.
        bytes: u64,
    },
    /// Check the footprint of compiled code.
    Footprint {
        /// The limits of the plugin.
        limits: Limits,
        /// Names and values of the variables that the plugin was granted.
        variables: Vec<(String, String)>,
    },
}

impl Order {
    /// The command that obeys. The environment of this process has no meaning for it.
    fn command(&self, program: &Path) -> io::Result<Command> {
        let mut command = Command::new(program);
        command.env_clear();
        match self {
            Order::Compile { seconds, bytes } => {
                command.arg(COMPILE);
                command.args([seconds.to_string(), bytes.to_string()]);
                command.env("RAYON_NUM_THREADS", COMPILER_THREADS);
            }
            Order::Footprint { limits, variables } => {
                command.arg(FOOTPRINT);
                command.arg(serde_json::to_string(limits)?);
                // As one value: under its own name, LD_PRELOAD would have its effect.
                command.env(GRANTED, serde_json::to_string(variables)?);
            }
        }
        Ok(command)
    }
}

/// Waits until `first` can be read. Returns false if the other side of the socket `client` is closed before.
fn is_readable_before_end(first: BorrowedFd<'_>, client: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [
        PollFd::from_borrowed_fd(first, PollFlags::IN),
        PollFd::from_borrowed_fd(client, PollFlags::RDHUP),
    ];
    loop {
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            result => {
                result?;
                let [first, client] = fds.map(|fd| fd.revents());
                return Ok(client.is_empty() || !first.is_empty());
            }
        }
    }
}

/// How a worker process ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Its status, as wait(2) returns it.
    status: i32,
    /// What it wrote to standard error, in one line and without the prefix of an error.
    pub(crate) message: String,
}

impl Ended {
    /// The status of the process.
    pub(crate) fn status(&self) -> ExitStatus {
        ExitStatus::from_raw(self.status)
    }
}

impl Job {
    /// Runs `program` for this job, and waits for its end. If `client`, a socket, is closed first, ends it.
    pub(crate) fn run(self, program: &Path, client: Option<BorrowedFd<'_>>) -> io::Result<Ended> {
        let mut child = self
            .order
            .command(program)?
            .stdin(self.input)
            .stdout(self.output)
            .stderr(Stdio::piped())
            // A process group of its own: Ctrl-C ends the host, and the host ends its workers.
            .process_group(0)
            .spawn()?;
        let mut message = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            if let Some(client) = client
                && !is_readable_before_end(stderr.as_fd(), client)?
            {
                child.kill()?;
            }
            stderr.take(MAX_MESSAGE).read_to_end(&mut message)?;
        }
        let message = String::from_utf8_lossy(&message);
        let message = message
            .strip_prefix("retrans-host: error: ")
            .unwrap_or(&message);
        Ok(Ended {
            status: child.wait()?.into_raw(),
            message: joined(message),
        })
    }
}
