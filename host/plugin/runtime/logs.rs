//! Log lines of plugins: what a plugin logs, or prints to its standard streams, is written to the host's log.
//!
//! The lines of a call with events are held until it is known what becomes of the call. If it fails, and its events are
//! retried in parts, the parts log the same lines again: the held ones are dropped, so that each line is told once.

use tracing::Level;

use super::limiters::LogBudget;
use crate::system::sanitize::MAX_LINE;
use crate::system::sanitize::printable;

/// Writes the log lines of one instance.
#[derive(Debug)]
pub struct Logs {
    instance: String,
    budget: LogBudget,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// The lines of a call whose lines are held: at most those that may be written in a second.
    held: Option<Vec<(Level, String)>>,
}

/// Lines of a call that failed. They are in a box, because errors have them.
#[derive(Debug)]
pub struct HeldLines(Box<Logs>);

impl HeldLines {
    /// Writes the lines to the log.
    pub(crate) fn write(mut self) {
        self.0.write_held();
    }
}

/// A standard stream of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// Logged at level INFO.
    Stdout,
    /// Logged at level WARN. Messages of panics are written to this stream.
    Stderr,
}

/// Logs the number of lines that were suppressed.
pub(crate) fn log_suppressed(plugin: &str, lines: u64) {
    tracing::warn!(target: "plugin", "{plugin}: {lines} log lines suppressed");
}

impl Logs {
    pub(crate) fn new(instance: &str, budget: LogBudget) -> Logs {
        Logs {
            instance: instance.to_owned(),
            budget,
            stdout: Vec::new(),
            stderr: Vec::new(),
            held: None,
        }
    }

    /// Holds lines from now on.
    pub(crate) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Writes the lines that are held, and holds no more.
    pub(crate) fn write_held(&mut self) {
        for (level, message) in self.held.take().into_iter().flatten() {
            self.write(level, &message);
        }
    }

    /// Returns the lines that are held, and holds no more.
    pub(crate) fn take_held(&mut self) -> HeldLines {
        let mut logs = Logs::new(&self.instance, self.budget.clone());
        logs.held = self.held.take();
        HeldLines(Box::new(logs))
    }

    /// Logs one message, or holds it.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        match &mut self.held {
            Some(held) if (held.len() as u64) < self.budget.allowed() => {
                held.push((level, printable(message)))
            }
            Some(_) => self.budget.suppress(),
            None => self.write(level, &printable(message)),
        }
    }

    /// Writes one line to the log, unless the budget of this second is used up.
    fn write(&mut self, level: Level, message: &str) {
        let Some(suppressed) = self.budget.take() else {
            return;
        };
        let plugin = self.instance.as_str();
        if suppressed > 0 {
            log_suppressed(plugin, suppressed);
        }
        match level {
            Level::ERROR => tracing::error!(target: "plugin", "{plugin}: {message}"),
            Level::WARN => tracing::warn!(target: "plugin", "{plugin}: {message}"),
            Level::INFO => tracing::info!(target: "plugin", "{plugin}: {message}"),
            Level::DEBUG => tracing::debug!(target: "plugin", "{plugin}: {message}"),
            Level::TRACE => tracing::trace!(target: "plugin", "{plugin}: {message}"),
        }
    }

    /// Takes printed bytes, and logs the lines that are complete.
    pub(crate) fn print(&mut self, stdio: Stdio, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = self.line(stdio);
            let room = MAX_LINE.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line(stdio);
            }
        }
    }

    /// Logs incomplete lines.
    pub(crate) fn flush(&mut self) {
        for stdio in [Stdio::Stdout, Stdio::Stderr] {
            if !self.line(stdio).is_empty() {
                self.end_line(stdio);
            }
        }
    }

    fn line(&mut self, stdio: Stdio) -> &mut Vec<u8> {
        match stdio {
            Stdio::Stdout => &mut self.stdout,
            Stdio::Stderr => &mut self.stderr,
        }
    }

    fn end_line(&mut self, stdio: Stdio) {
        let bytes = std::mem::take(self.line(stdio));
        let line = String::from_utf8_lossy(&bytes);
        let level = match stdio {
            Stdio::Stdout => Level::INFO,
            Stdio::Stderr => Level::WARN,
        };
        if !line.trim_end().is_empty() {
            self.log(level, line.trim_end());
        }
    }
}
