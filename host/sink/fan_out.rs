//! Passes the results of the chain to all sinks: the standard streams, and the sinks behind queues.

use std::io;

use super::Sink;
use super::queue;
use super::queue::Message;
use super::queue::Queue;
use super::queue::Reopen;
use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// A sink that is called in the thread of the chain, and queues, each of which gets what it subscribed to.
pub struct FanOut<S> {
    direct: S,
    queues: Vec<Queue>,
}

impl<S: Sink> FanOut<S> {
    /// `direct` is called in the thread of the chain.
    pub fn new(direct: S, queues: Vec<Queue>) -> FanOut<S> {
        FanOut { direct, queues }
    }

    fn queue_lines(&self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        for queue in self
            .queues
            .iter()
            .filter(|queue| queue.subscription().lines)
        {
            queue.send(Message::Lines(lines.to_vec()));
        }
    }

    /// Handles with which SIGHUP makes the destinations of the queues reopen their files.
    pub fn reopens(&self) -> Vec<Reopen> {
        self.queues.iter().map(Queue::reopen).collect()
    }
}

impl<S: Sink> Sink for FanOut<S> {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.queue_lines(lines);
        self.direct.lines(lines)
    }

    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.queue_lines(lines);
        self.direct.coloured_lines(lines)
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        for queue in self
            .queues
            .iter()
            .filter(|queue| queue.subscription().alerts)
        {
            queue.send(Message::Alerts(alerts.to_vec()));
        }
        self.direct.alerts(alerts)
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        for queue in self
            .queues
            .iter()
            .filter(|queue| queue.subscription().events)
        {
            queue.send(Message::Events(batch.clone()));
        }
        self.direct.events(batch)
    }

    fn stats(&mut self, stats: &Stats) {
        for queue in self
            .queues
            .iter()
            .filter(|queue| queue.subscription().stats)
        {
            queue.send(Message::Stats(Box::new(stats.clone())));
        }
        self.direct.stats(stats);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.direct.flush()
    }

    fn counted(&self) -> Vec<SinkStats> {
        self.queues.iter().map(Queue::stats).collect()
    }

    fn finish(&mut self) -> Vec<SinkStats> {
        self.direct.finish();
        queue::finish(&self.queues)
    }
}
