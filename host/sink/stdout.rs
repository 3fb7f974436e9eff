//! The sink of the standard streams: writes lines to standard output, and alerts to standard error and, if requested,
//! to standard output as JSON.

use std::io;
use std::io::Write as _;
use std::sync::Arc;

use super::Sink;
use super::alert_lines;
use crate::config::LinesTo;
use crate::stream::alert::Alert;
use crate::system::sanitize::clean_lines;
use crate::system::stdio;
use crate::system::stdio::Priority;
use crate::system::stdio::Stdout;
use crate::system::stdio::StdoutStatus;
use crate::system::stdio::count_lines;

/// The sink of the standard streams.
pub struct StdSink {
    stdout: Stdout,
    stdout_status: Arc<StdoutStatus>,
    lines: LinesTo,
    json_alerts: bool,
    /// Nothing is printed any more: standard output was closed, or writes are cancelled.
    is_closed: bool,
}

impl StdSink {
    /// A sink that writes to the standard streams of this process.
    pub fn new(
        stdout_status: Arc<StdoutStatus>,
        lines: LinesTo,
        json_alerts: bool,
    ) -> io::Result<StdSink> {
        Ok(StdSink {
            stdout: Stdout::new()?,
            stdout_status,
            lines,
            json_alerts,
            is_closed: false,
        })
    }

    /// Writes lines to standard output with `write`, or counts them if nothing is printed any more.
    fn print(
        &mut self,
        lines: &[u8],
        write: fn(&mut Stdout, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.is_closed {
            self.stdout_status.add_not_printed(count_lines(lines));
            return Ok(());
        }
        self.stdout_status.set_used();
        let written = write(&mut self.stdout, lines);
        // An error here is one of earlier lines in the buffer. These lines did not reach the buffer.
        let not_buffered = match &written {
            Ok(()) => 0,
            Err(_) => count_lines(lines),
        };
        self.handle_result(written, not_buffered)
    }

    /// Handles an error of standard output. If the run goes on without standard output, or if writes are cancelled, it
    /// counts the lines that are buffered and those that are `not_buffered`. Otherwise it returns the error.
    fn handle_result(&mut self, written: io::Result<()>, not_buffered: u64) -> io::Result<()> {
        let Err(error) = written else { return Ok(()) };
        let is_cancelled = stdio::is_cancelled(&error);
        if !is_cancelled && !self.stdout_status.has_other_output() {
            return Err(error);
        }
        self.is_closed = true;
        let not_printed = self.stdout.discard() + not_buffered;
        self.stdout_status.add_not_printed(not_printed);
        if !is_cancelled {
            let problem = match error.kind() {
                io::ErrorKind::BrokenPipe => "standard output has no reader any more",
                _ => "cannot write to standard output",
            };
            tracing::warn!(
                "{problem} ({error}); further lines are counted, not printed, and the run goes on"
            );
        }
        Ok(())
    }
}

impl Sink for StdSink {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.lines {
            LinesTo::Stdout => return self.print(lines, Stdout::write_all),
            LinesTo::Stderr => stdio::print(&clean_lines(&String::from_utf8_lossy(lines))),
            LinesTo::Discard => {}
        }
        Ok(())
    }

    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.lines {
            LinesTo::Stdout => self.print(lines, Stdout::write_coloured),
            LinesTo::Stderr | LinesTo::Discard => self.lines(lines),
        }
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        let line = match stdio::is_journal() {
            true => alert_lines::line_without_time,
            false => alert_lines::line,
        };
        let priority = alert_lines::priority;
        for group in alerts.chunk_by(|one, next| priority(one) == priority(next)) {
            let lines = group.iter().map(|alert| format!("{}\n", line(alert)));
            let lines: String = lines.collect();
            stdio::print_at(group.first().map_or(Priority::Info, priority), &lines);
        }
        if !self.json_alerts {
            self.stdout_status.set_other_output();
            return Ok(());
        }
        let mut lines = Vec::new();
        alerts
            .iter()
            .try_for_each(|alert| alert_lines::write_json(alert, &mut lines))?;
        self.print(&lines, Stdout::write_all)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let written = self.stdout.flush();
        self.handle_result(written, 0)
    }
}
