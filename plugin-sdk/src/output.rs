//! What a plugin says during a call, held until the call ends.

use std::fmt;
use std::io::Write;

use anyhow::Context;
use serde::Serialize;

use crate::alert::Alert;
use crate::host::Host;
use crate::result::Result;

/// Where a plugin puts what it has to say: alerts, lines and counts.
///
/// Nothing leaves before the call of the host has returned well: of a call that fails, nothing is
/// seen.
#[derive(Debug, Default)]
pub struct Output {
    /// Number of the event that is being processed.
    event: Option<u32>,
    alerts: Vec<Alert>,
    lines: Vec<u8>,
    counts: Vec<Count>,
}

#[derive(Debug)]
struct Count {
    metric: String,
    by: u64,
}

impl Output {
    /// Raises an alert, or resolves it. Raised in [`on_event`](crate::Plugin::on_event), it is
    /// about that event.
    pub fn alert(&mut self, mut alert: Alert) {
        alert.event = self.event;
        self.alerts.push(alert);
    }

    /// Writes a line to the host's standard output. The line feed is added; one at the end of the
    /// text is not doubled, and text with line feeds inside is several lines.
    pub fn line(&mut self, line: impl fmt::Display) {
        let start = self.lines.len();
        // A Vec takes everything; a Display that fails panics, here as in `to_string`.
        let _ = write!(self.lines, "{line}");
        if !self.lines[start..].ends_with(b"\n") {
            self.lines.push(b'\n');
        }
    }

    /// Writes a value as one line of JSON to the host's standard output.
    ///
    /// # Errors
    ///
    /// Where the value cannot be written as JSON; then no part of it is.
    pub fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let start = self.lines.len();
        let written = serde_json::to_writer(&mut self.lines, value);
        match written {
            Ok(()) => self.lines.push(b'\n'),
            Err(_) => self.lines.truncate(start),
        }
        written.context("cannot write a value as JSON")
    }

    /// Adds to one of the plugin's own counters, which the host shows beside its own.
    pub fn count(&mut self, metric: &str, by: u64) {
        match self.counts.iter_mut().find(|count| count.metric == metric) {
            Some(count) => count.by = count.by.saturating_add(by),
            None => self.counts.push(Count {
                metric: metric.to_owned(),
                by,
            }),
        }
    }

    /// Forgets what the last call said, and keeps the buffers.
    pub(crate) fn begin(&mut self) {
        self.event = None;
        self.alerts.clear();
        self.lines.clear();
        // A metric that went unused for a call is given up, so that made-up names do not pile up.
        self.counts.retain(|count| count.by > 0);
        self.counts.iter_mut().for_each(|count| count.by = 0);
    }

    #[inline]
    pub(crate) fn begin_event(&mut self, number: u32) {
        self.event = Some(number);
    }

    pub(crate) fn commit(&self, host: &dyn Host) {
        for alert in &self.alerts {
            host.emit(alert);
        }
        if !self.lines.is_empty() {
            host.write(&self.lines);
        }
        for count in self.counts.iter().filter(|count| count.by > 0) {
            host.count(&count.metric, count.by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_that_go_unused_do_not_pile_up() {
        let mut output = Output::default();
        for call in 0..100 {
            output.begin();
            output.count("often", 1);
            output.count(&format!("once {call}"), 1);
            assert!(output.counts.len() <= 3);
        }
    }
}
