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

/// Collects the alerts, lines and metrics of a plugin.
///
/// They take effect when the call of the host has succeeded. A call that fails has no effects.
#[derive(Debug, Default)]
pub struct Output {
    /// Number of the event that is being processed; `None` outside of `on_event`.
    event: Option<u32>,
    alerts: Vec<Alert>,
    lines: Vec<u8>,
    metrics: Vec<(String, Metric)>,
}

/// What the call says of a metric so far.
#[derive(Debug)]
enum Metric {
    /// A counter grows by this; by 0 if the call does not use it.
    Count(u64),
    /// A gauge has this value; `None` if the call does not set it.
    Gauge(Option<f64>),
    /// A histogram has these further values.
    Observed(Vec<f64>),
}

impl Metric {
    fn is_used(&self) -> bool {
        match self {
            Metric::Count(by) => *by > 0,
            Metric::Gauge(value) => value.is_some(),
            Metric::Observed(values) => !values.is_empty(),
        }
    }

    fn clear(&mut self) {
        match self {
            Metric::Count(by) => *by = 0,
            Metric::Gauge(value) => *value = None,
            Metric::Observed(values) => values.clear(),
        }
    }
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

    /// Adds to one of the plugin's own counters, which the host prints in the ledger and serves with `--listen`. The name
    /// has 1 to 64 bytes, and no spaces.
    pub fn count(&mut self, metric: &str, by: u64) {
        for (name, known) in &mut self.metrics {
            if let Metric::Count(count) = known
                && name == metric
            {
                *count = count.saturating_add(by);
                return;
            }
        }
        self.metrics.push((metric.to_owned(), Metric::Count(by)));
    }

    /// Sets one of the plugin's own gauges, such as the number of keys that it keeps. The host shows the value that was
    /// set last. The name is as that of a counter; a value that is no finite number is left out.
    pub fn gauge(&mut self, metric: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        for (name, known) in &mut self.metrics {
            if let Metric::Gauge(last) = known
                && name == metric
            {
                *last = Some(value);
                return;
            }
        }
        self.metrics
            .push((metric.to_owned(), Metric::Gauge(Some(value))));
    }

    /// Adds a value to one of the plugin's own histograms, such as a time in seconds. The host has buckets up to 1, 2 and
    /// 5 times each power of ten from 10^-6 to 10^6. The name is as that of a counter; a value that is no finite number is
    /// left out.
    pub fn observe(&mut self, metric: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        for (name, known) in &mut self.metrics {
            if let Metric::Observed(values) = known
                && name == metric
            {
                values.push(value);
                return;
            }
        }
        self.metrics
            .push((metric.to_owned(), Metric::Observed(vec![value])));
    }

    /// Clears the effects of the last call, and keeps the buffers.
    pub(crate) fn begin(&mut self) {
        self.event = None;
        self.alerts.clear();
        self.lines.clear();
        // Removes metrics that the last call did not use: generated names must not accumulate.
        self.metrics.retain(|(_, metric)| metric.is_used());
        self.metrics
            .iter_mut()
            .for_each(|(_, metric)| metric.clear());
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
        for (name, metric) in self.metrics.iter().filter(|(_, metric)| metric.is_used()) {
            match metric {
                Metric::Count(by) => host.count(name, *by),
                Metric::Gauge(Some(value)) => host.gauge(name, *value),
                Metric::Gauge(None) => {}
                Metric::Observed(values) => host.observe(name, values),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_metrics_do_not_accumulate() {
        let mut output = Output::default();
        for call in 0..100 {
            output.begin();
            output.count("often", 1);
            output.gauge("often", 1.0);
            output.observe("often", 1.0);
            output.count(&format!("once {call}"), 1);
            output.gauge(&format!("once {call}"), 1.0);
            output.observe(&format!("once {call}"), 1.0);
            assert!(output.metrics.len() <= 9);
        }
    }
}
