//! The effects of a call, held back until the call ends.

use std::fmt;
use std::io::Write;

use anyhow::Context;
use retrans_event::LineWriter;
use serde::Serialize;

use crate::alert::Alert;
use crate::event::Event;
use crate::host::Host;
use crate::result::Result;

/// Collects the alerts, lines and counts of a plugin.
///
/// They take effect when the call of the host has succeeded. A call that fails has no effects.
#[derive(Debug, Default)]
pub struct Output {
    /// Number of the event that is being processed; `None` outside of `on_event`.
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
    /// Raises or resolves an alert. In [`on_event`](crate::Plugin::on_event) the alert is about that event.
    pub fn alert(&mut self, mut alert: Alert) {
        alert.event = self.event;
        self.alerts.push(alert);
    }

    /// Raises or resolves several alerts, or an optional one, such as those that [`Alarm`](crate::Alarm) returns.
    pub fn alerts(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        alerts.into_iter().for_each(|alert| self.alert(alert));
    }

    /// Writes a line to the host's standard output. Adds the line feed, unless the text ends with one. Text
    /// with line feeds inside is several lines.
    pub fn line(&mut self, line: impl fmt::Display) {
        let start = self.lines.len();
        // Writing to a Vec does not fail. A Display that fails panics, here as in `to_string`.
        let _ = write!(self.lines, "{line}");
        if !self.lines[start..].ends_with(b"\n") {
            self.lines.push(b'\n');
        }
    }

    /// Writes a value as one line of JSON to the host's standard output.
    ///
    /// # Errors
    ///
    /// Where the value cannot be written as JSON. Then no part of the line is written.
    pub fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let start = self.lines.len();
        let written = serde_json::to_writer(&mut self.lines, value);
        match written {
            Ok(()) => self.lines.push(b'\n'),
            Err(_) => self.lines.truncate(start),
        }
        written.context("cannot write a value as JSON")
    }

    /// Writes an event as one line of JSON, as [`json`](Output::json) does, in a third of the time. The writer, which
    /// the plugin keeps, selects the fields.
    ///
    /// # Errors
    ///
    /// Where the labels cannot be written as JSON. Then no part of the line is written.
    pub fn json_event(&mut self, event: &Event, writer: &mut LineWriter) -> Result<()> {
        let start = self.lines.len();
        self.lines.extend_from_slice(writer.write(event));
        let written = match writer.wants_labels() {
            true => event.write_labels(&mut self.lines),
            false => Ok(()),
        };
        match written {
            Ok(()) => self.lines.extend_from_slice(b"}\n"),
            Err(_) => self.lines.truncate(start),
        }
        written.context("cannot write a value as JSON")
    }

    /// Adds to one of the plugin's own counters, which the host prints in the ledger. The name has 1 to 64
    /// bytes, and no spaces.
    pub fn count(&mut self, metric: &str, by: u64) {
        match self.counts.iter_mut().find(|count| count.metric == metric) {
            Some(count) => count.by = count.by.saturating_add(by),
            None => self.counts.push(Count {
                metric: metric.to_owned(),
                by,
            }),
        }
    }

    /// Clears the effects of the last call, and keeps the buffers.
    pub(crate) fn begin(&mut self) {
        self.event = None;
        self.alerts.clear();
        self.lines.clear();
        // Removes counters that the last call did not use: generated names must not accumulate.
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
    fn unused_counters_do_not_accumulate() {
        let mut output = Output::default();
        for call in 0..100 {
            output.begin();
            output.count("often", 1);
            output.count(&format!("once {call}"), 1);
            assert!(output.counts.len() <= 3);
        }
    }
}
