//! A worker process: this program, with the arguments of a hidden subcommand, an input and an output.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;

use crate::system::sanitize::joined;

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

/// The part of a job that is text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The arguments: a subcommand and its own.
    pub(crate) arguments: Vec<String>,
    /// The whole environment: that of this process has no meaning for a worker.
    pub(crate) environment: Vec<(String, String)>,
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
    /// Runs `program` for this job, and waits for its end.
    pub(crate) fn run(self, program: &Path) -> io::Result<Ended> {
        let mut child = Command::new(program)
            .args(&self.order.arguments)
            .env_clear()
            .envs(self.order.environment)
            .stdin(self.input)
            .stdout(self.output)
            .stderr(Stdio::piped())
            // A process group of its own: Ctrl-C ends the host, and the host ends its workers.
            .process_group(0)
            .spawn()?;
        let mut message = Vec::new();
        if let Some(stderr) = child.stderr.take() {
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
