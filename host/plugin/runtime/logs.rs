//! Log lines of plugins: what a plugin logs, or prints to its standard streams, is written to the host's log.

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
        }
    }

    /// Logs one message, unless the budget of this second is used up.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        let Some(suppressed) = self.budget.take() else {
            return;
        };
        let plugin = self.instance.as_str();
        if suppressed > 0 {
            log_suppressed(plugin, suppressed);
        }
        let message = printable(message);
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
