//! `retrans-host` as a child process, watching the live probe.

use std::fmt;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::process::set_parent_process_death_signal;
use serde_json::Value;

use super::Root;
use super::kernel::is_since;
use super::misses;
use super::netns::Namespace;
use super::netns::command;
use super::oracle::wait_until;
use crate::common::ledger::Ledger;
use crate::common::refusal::BINARY;

/// The host's message once the probe is attached.
const ATTACHED: &str = "watching TCP retransmits";
/// Mounts tracefs if it is not mounted, then becomes the command. For a private mount namespace.
pub const WITH_TRACEFS: &str = "test -d /sys/kernel/tracing/events \
    || mount -t tracefs tracefs /sys/kernel/tracing || exit; exec \"$0\" \"$@\"";

/// The words of a command that becomes another program, as a user other than root with only the two capabilities.
pub fn other_user_launcher() -> Result<Vec<&'static str>> {
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all,+bpf,+perfmon",
        "--ambient-caps=-all,+bpf,+perfmon",
    ];
    Ok(match is_since(5, 11)? {
        true => setpriv.to_vec(),
        // There, maps count as locked memory.
        false => [&["prlimit", "--memlock=unlimited"], &setpriv[..]].concat(),
    })
}

/// A running host. Killed when dropped.
pub struct Host {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    /// How it must be attached: by default a host falls back to classic tracepoints, which would hide that BTF-typed
    /// ones do not work.
    attached_as: &'static str,
}

/// A host that has ended.
pub struct Run {
    /// Standard output.
    pub lines: Vec<String>,
    /// Standard error.
    pub stderr: Vec<String>,
    /// From standard error.
    pub ledger: Ledger,
    /// How it ended.
    pub status: ExitStatus,
}

impl Host {
    /// Starts the host and waits until it is attached.
    pub fn start(_: &Root, arguments: &[&str]) -> Result<Host> {
        let mut command = Command::new(BINARY);
        command.args(arguments);
        Host::spawn(command, usize::MAX)?.attached()
    }

    /// The same with another build of the host.
    pub fn start_build(_: &Root, program: &Path, arguments: &[&str]) -> Result<Host> {
        let mut command = Command::new(program);
        command.args(arguments);
        Host::spawn(command, usize::MAX)?.attached()
    }

    /// The same with a reader that closes the pipe after the first line, as `head -1` does.
    pub fn start_into_head(_: &Root, arguments: &[&str]) -> Result<Host> {
        let mut command = Command::new(BINARY);
        command.args(arguments);
        Host::spawn(command, 1)?.attached()
    }

    /// The same with this standard output, which the test may or may not read.
    pub fn start_into(root: &Root, stdout: impl Into<Stdio>, arguments: &[&str]) -> Result<Host> {
        Host::start_build_into(root, Path::new(BINARY), stdout, arguments)
    }

    /// The same with another build of the host.
    pub fn start_build_into(
        _: &Root,
        program: &Path,
        stdout: impl Into<Stdio>,
        arguments: &[&str],
    ) -> Result<Host> {
        let mut command = Command::new(program);
        command.args(arguments);
        Host::spawn_into(command, stdout.into(), 0)?.attached()
    }

    /// The same with tracefs mounted, in a private mount namespace.
    pub fn start_with_tracefs(root: &Root, arguments: &[&str]) -> Result<Host> {
        let launcher = ["unshare", "--mount", "sh", "-c", WITH_TRACEFS];
        Host::start_by(root, &launcher, arguments)
    }

    /// The same through another program: its arguments, which those of the host follow. It must become
    /// the host, not start it.
    pub fn start_by(_: &Root, launcher: &[&str], arguments: &[&str]) -> Result<Host> {
        let [program, words @ ..] = launcher else {
            bail!("no program to start the host");
        };
        let mut command = command(program);
        command.args(words).arg(BINARY).args(arguments);
        Host::spawn(command, usize::MAX)?.attached()
    }

    /// The same with this command, which becomes the host.
    pub fn start_command(_: &Root, command: Command) -> Result<Host> {
        Host::spawn(command, usize::MAX)?.attached()
    }

    /// The same with this standard output, which the test may or may not read.
    pub fn start_command_into(
        _: &Root,
        command: Command,
        stdout: impl Into<Stdio>,
    ) -> Result<Host> {
        Host::spawn_into(command, stdout.into(), 0)?.attached()
    }

    /// The same as a user other than root, with only these two capabilities.
    pub fn start_as_other_user(root: &Root, arguments: &[&str]) -> Result<Host> {
        Host::start_by(root, &other_user_launcher()?, arguments)
    }

    fn spawn(command: Command, read_lines: usize) -> Result<Host> {
        Host::spawn_into(command, Stdio::piped(), read_lines)
    }

    fn spawn_into(mut command: Command, stdout: Stdio, read_lines: usize) -> Result<Host> {
        let is_classic = command.get_args().any(|word| word == "tracepoint");
        command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped());
        // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
        unsafe {
            // The host ends with the test, even if the test is killed.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {BINARY}"))?;
        let stdout = match child.stdout.take() {
            Some(stdout) => Lines::of(stdout, read_lines),
            None => Lines::of(io::empty(), 0),
        };
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        Ok(Host {
            child,
            stdout,
            stderr: Lines::of(stderr, usize::MAX),
            attached_as: if is_classic {
                "(tracepoint, "
            } else {
                "(btf, "
            },
        })
    }

    fn attached(mut self) -> Result<Host> {
        let waited = wait_until("retrans-host to attach its probe", || {
            if let Some(status) = self.child.try_wait()? {
                bail!("retrans-host ended before it was attached: {status}");
            }
            Ok(self
                .stderr
                .so_far()
                .iter()
                .any(|line| line.contains(ATTACHED)))
        });
        // A host that has ended has said all: the reader may be behind.
        let said = match self.child.try_wait()? {
            Some(_) => self.stderr.finish(),
            None => self.stderr.so_far(),
        };
        waited.with_context(|| format!("retrans-host said: {said:#?}"))?;
        ensure!(
            said.iter()
                .any(|line| line.contains(ATTACHED) && line.contains(self.attached_as)),
            "retrans-host is not attached as {:?}: {said:#?}",
            self.attached_as
        );
        Ok(self)
    }

    /// Process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The lines of standard error so far.
    pub fn said(&self) -> Vec<String> {
        self.stderr.so_far()
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// Peak of the resident memory in KiB.
    pub fn most_memory(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(size
            .with_context(|| format!("{path} has no {name}"))?
            .parse()?)
    }

    /// Waits until a condition holds. If it does not hold in time, the error tells what the host has said.
    pub fn wait_until(
        &self,
        what: impl fmt::Display,
        condition: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        wait_until(what, condition).with_context(|| {
            let misses = misses::of_process(self.pid()).unwrap_or(0);
            misses::add(misses);
            format!(
                "the kernel has skipped {misses} calls, and retrans-host has said: {:#?}",
                self.said()
            )
        })
    }

    /// Waits until standard error has these words.
    pub fn wait_until_said(&self, words: &str) -> Result<()> {
        self.wait_until_in(&self.stderr, words)
    }

    /// Waits until standard output has these words.
    pub fn wait_until_printed(&self, words: &str) -> Result<()> {
        self.wait_until_in(&self.stdout, words)
    }

    fn wait_until_in(&self, lines: &Lines, words: &str) -> Result<()> {
        self.wait_until(format_args!("{words:?}"), || {
            Ok(lines.so_far().iter().any(|line| line.contains(words)))
        })
    }

    /// The lines of this type so far.
    pub fn printed(&self, name: &str) -> Result<Vec<Value>> {
        of_type(&self.stdout.so_far(), name)
    }

    /// Sends a signal to the host.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Ends the host as Ctrl-C does; the results of the run.
    pub fn stop(self) -> Result<Run> {
        self.stop_with(Signal::INT)
    }

    /// Ends the host with this signal; the results of the run.
    pub fn stop_with(self, signal: Signal) -> Result<Run> {
        self.signal(signal)?;
        self.wait()
    }

    /// Waits until the host ends; the results of the run.
    pub fn wait(mut self) -> Result<Run> {
        let mut status = None;
        let waited = wait_until("retrans-host to end", || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        });
        waited.with_context(|| format!("retrans-host said: {:#?}", self.stderr.so_far()))?;
        let stderr = self.stderr.finish();
        let ledger = Ledger::parse(stderr.iter().map(String::as_str))
            .with_context(|| format!("retrans-host said: {stderr:#?}"))?;
        misses::add(misses::in_ledger(&ledger));
        Ok(Run {
            lines: self.stdout.finish(),
            ledger,
            stderr,
            status: status.context("it has ended")?,
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Run {
    /// Standard output, with its line ends.
    pub fn stdout(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("{line}\n"));
        lines.collect()
    }

    /// The retransmits of a namespace's sockets, in the order in which they were printed.
    pub fn retransmits_in(&self, namespace: &Namespace) -> Result<Vec<Value>> {
        let mut events = self.of_type("retransmit")?;
        events.retain(|event| event["netns"]["inode"] == namespace.inode());
        Ok(events)
    }

    /// The lines of this type. Fails unless every line is JSON and has a type.
    pub fn of_type(&self, name: &str) -> Result<Vec<Value>> {
        of_type(&self.lines, name)
    }
}

fn of_type(lines: &[String], name: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for line in lines {
        let value: Value = serde_json::from_str(line)
            .with_context(|| format!("standard output has a line that is not JSON: {line}"))?;
        ensure!(value["type"].is_string(), "a line without a type: {line}");
        if value["type"] == name {
            found.push(value);
        }
    }
    Ok(found)
}

/// Reads lines from a pipe as they come, so that the writer never blocks.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    /// Reads at most `limit` lines, then closes the pipe.
    fn of(pipe: impl Read + Send + 'static, limit: usize) -> Lines {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in BufReader::new(pipe).lines().take(limit) {
                    let line = line.unwrap_or_else(|error| format!("not a line: {error}"));
                    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                    lines.push(line);
                }
            }
        });
        Lines {
            lines,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// All lines. Waits until the writer has closed the pipe.
    fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.so_far()
    }
}
