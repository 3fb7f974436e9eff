//! The standard streams: lines go to standard output, alerts to standard error and, if wanted, to standard output
//! as JSON.

use std::io;
use std::io::Write as _;
use std::sync::Arc;

use super::Sink;
use super::alert_lines;
use crate::config::LinesTo;
use crate::stream::alert::Alert;
use crate::system::sanitize::clean_lines;
use crate::system::stdio;
use crate::system::stdio::Outlet;
use crate::system::stdio::Stdout;
use crate::system::stdio::count_lines;

/// Standard output for lines, standard error for alerts.
pub struct Output {
    stdout: Stdout,
    outlet: Arc<Outlet>,
    lines: LinesTo,
    json_alerts: bool,
    /// Nothing is printed any more: the reader has gone, or writes are called off.
    is_closed: bool,
}

impl Output {
    /// To the standard streams of this process.
    pub fn new(outlet: Arc<Outlet>, lines: LinesTo, json_alerts: bool) -> io::Result<Output> {
        Ok(Output {
            stdout: Stdout::new()?,
            outlet,
            lines,
            json_alerts,
            is_closed: false,
        })
    }

    /// Writes lines, or counts them where they cannot be printed any more.
    fn print(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.is_closed {
            self.outlet.add_not_printed(count_lines(lines));
            return Ok(());
        }
        self.outlet.set_used();
        let written = self.stdout.write_all(lines);
        // Where they could not be taken, those before them could not be written.
        let not_taken = match &written {
            Ok(()) => 0,
            Err(_) => count_lines(lines),
        };
        self.outcome(written, not_taken)
    }

    /// What an error of standard output means for the run.
    fn outcome(&mut self, written: io::Result<()>, not_taken: u64) -> io::Result<()> {
        let Err(error) = written else { return Ok(()) };
        let is_called_off = stdio::is_called_off(&error);
        if !is_called_off && !self.outlet.has_other_work() {
            return Err(error);
        }
        self.is_closed = true;
        let lost = self.stdout.discard() + not_taken;
        self.outlet.add_not_printed(lost);
        if !is_called_off {
            let what = match error.kind() {
                io::ErrorKind::BrokenPipe => "standard output has no reader any more",
                _ => "cannot write to standard output",
            };
            tracing::warn!("{what} ({error}); lines are counted, not printed, and the run goes on");
        }
        Ok(())
    }
}

impl Sink for Output {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.lines {
            LinesTo::Stdout => return self.print(lines),
            LinesTo::Stderr => stdio::print(&clean_lines(&String::from_utf8_lossy(lines))),
            LinesTo::Nowhere => {}
        }
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        let lines = alerts
            .iter()
            .map(|alert| format!("{}\n", alert_lines::line(alert)));
        stdio::print(&lines.collect::<String>());
        if !self.json_alerts {
            self.outlet.set_other_work();
            return Ok(());
        }
        let mut lines = Vec::new();
        alerts
            .iter()
            .try_for_each(|alert| alert_lines::write_json(alert, &mut lines))?;
        self.print(&lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let written = self.stdout.flush();
        self.outcome(written, 0)
    }
}
