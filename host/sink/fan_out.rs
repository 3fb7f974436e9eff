//! Passes the results of the chain to all sinks: the standard streams, those that never wait, and those behind queues.

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

/// Sinks that are called in the thread of the chain, and queues, each of which gets what it subscribed to.
pub struct FanOut<S> {
    direct: S,
    beside: Vec<Box<dyn Sink + Send>>,
    queues: Vec<Queue>,
}

impl<S: Sink> FanOut<S> {
    /// `direct` may wait, as for a reader of standard output. The sinks `beside` it get everything but lines, first, and
    /// must not wait.
    pub fn new(direct: S, beside: Vec<Box<dyn Sink + Send>>, queues: Vec<Queue>) -> FanOut<S> {
        FanOut {
            direct,
            beside,
            queues,
        }
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
        for sink in &mut self.beside {
            sink.alerts(alerts)?;
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
        for sink in &mut self.beside {
            sink.events(batch)?;
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
        self.beside.iter_mut().for_each(|sink| sink.stats(stats));
        self.direct.stats(stats);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.direct.flush()
    }

    fn counted(&self) -> Vec<SinkStats> {
        let queues = self.queues.iter().map(Queue::stats);
        let beside = self.beside.iter().flat_map(|sink| sink.counted());
        queues.chain(beside).collect()
    }

    fn finish(&mut self) -> Vec<SinkStats> {
        self.direct.finish();
        // All sinks deliver at the same time.
        let closing = queue::close(&self.queues);
        let beside: Vec<_> = self.beside.iter_mut().map(|sink| sink.finish()).collect();
        let mut counted = closing.finish();
        counted.extend(beside.into_iter().flatten());
        counted
    }
}
