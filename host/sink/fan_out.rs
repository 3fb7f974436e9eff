//! All sinks of a run: standard output, and those behind queues.

use std::io;

use super::Sink;
use super::queue::Message;
use super::queue::Queue;
use super::queue::Reopen;
use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// Standard output first, then each queue that wants what there is.
pub struct FanOut<S> {
    first: S,
    queues: Vec<Queue>,
}

impl<S: Sink> FanOut<S> {
    /// A sink that is called in the chain's thread, and sinks that are not.
    pub fn new(first: S, queues: Vec<Queue>) -> FanOut<S> {
        FanOut { first, queues }
    }

    /// Handles with which SIGHUP reaches the queues.
    pub fn reopens(&self) -> Vec<Reopen> {
        self.queues.iter().map(Queue::reopen).collect()
    }
}

impl<S: Sink> Sink for FanOut<S> {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        if !lines.is_empty() {
            for queue in self.queues.iter().filter(|queue| queue.wants().lines) {
                queue.send(Message::Lines(lines.to_vec()));
            }
        }
        self.first.lines(lines)
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        for queue in self.queues.iter().filter(|queue| queue.wants().alerts) {
            queue.send(Message::Alerts(alerts.to_vec()));
        }
        self.first.alerts(alerts)
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        for queue in self.queues.iter().filter(|queue| queue.wants().events) {
            queue.send(Message::Events(batch.clone()));
        }
        self.first.events(batch)
    }

    fn stats(&mut self, stats: &Stats) {
        for queue in self.queues.iter().filter(|queue| queue.wants().stats) {
            queue.send(Message::Stats(Box::new(stats.clone())));
        }
        self.first.stats(stats);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.first.flush()
    }

    fn counted(&self) -> Vec<SinkStats> {
        self.queues.iter().map(Queue::stats).collect()
    }

    fn finish(&mut self) -> Vec<SinkStats> {
        self.first.finish();
        self.queues.iter().map(Queue::finish).collect()
    }
}
