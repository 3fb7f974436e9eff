//! The sink of a live view: lines and alerts of plugins go to the model.

use std::io;
use std::sync::Arc;

use retrans_view::top;
use retrans_view::top::Recording;

use super::shared::Shared;
use crate::sink::Sink;
use crate::stats::Stats;
use crate::stats::counters::StreamStats;
use crate::stream::alert::Alert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;

/// The sink.
pub struct Results(Arc<Shared>);

impl Results {
    /// Writes to this model.
    pub fn new(shared: Arc<Shared>) -> Results {
        Results(shared)
    }
}

impl Sink for Results {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        if !lines.is_empty() {
            self.0.log(&String::from_utf8_lossy(lines));
        }
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        if !alerts.is_empty() {
            let mut model = self.0.model();
            alerts.iter().for_each(|alert| model.alert(&shown(alert)));
        }
        Ok(())
    }

    fn stats(&mut self, stats: &Stats) {
        let mut model = self.0.model();
        if let Some(StreamStats::Live { kernel, .. }) = &stats.stream {
            model.missed = kernel.recursion_misses;
        }
        // The recording of --record, unless there is one from here.
        if let Some(summary) = stats
            .recorded
            .as_ref()
            .filter(|_| !self.0.wants_recording())
        {
            model.record(Recording::On {
                events: summary.events,
                bytes: summary.bytes,
                not_recorded: summary.not_recorded,
            });
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An alert as the view has it.
fn shown(alert: &Alert) -> top::Alert {
    top::Alert {
        wall_time: alert.wall_time,
        plugin: alert.plugin.clone(),
        name: alert.name.clone(),
        severity: match alert.severity {
            Severity::Info => top::Severity::Info,
            Severity::Warning => top::Severity::Warning,
            Severity::Critical => top::Severity::Critical,
        },
        is_resolved: alert.state == State::Resolved,
        summary: alert.summary.clone(),
        labels: alert.labels.clone(),
    }
}
