//! What a plugin logs, or prints as a program would, becomes lines of the host's log.

use tracing::Level;

use super::meter::LogBudget;
use crate::system::sanitize::MAX_LINE;
use crate::system::sanitize::printable;

/// One plugin's way to the log.
#[derive(Debug)]
pub struct Logs {
    instance: String,
    budget: LogBudget,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Where a guest's standard library prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// Logged as information.
    Stdout,
    /// Logged as a warning: a panic's message comes this way.
    Stderr,
}

/// Says how many lines were not logged.
pub(crate) fn suppressed(plugin: &str, lines: u64) {
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

    /// Logs one message, if there still is room for it in this second.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        let Some(suppressed) = self.budget.take() else {
            return;
        };
        let plugin = self.instance.as_str();
        if suppressed > 0 {
            self::suppressed(plugin, suppressed);
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

    /// Takes what was printed, and logs the lines that are whole.
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

    /// Logs a last line that has no end.
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
