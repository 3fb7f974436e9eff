//! The sender's side of the log: the oldest frame of each partition is taken, and settled before the next one.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use super::log::QueueState;
use super::log::Segment;
use super::log::Spool;
use super::segment::Content;
use crate::head::HeadDigest;
use crate::names::FrameId;
use crate::partition::Partition;

/// A frame that is being sent.
#[derive(Debug)]
pub(in crate::publish) struct Outgoing {
    key: (u64, usize),
    pub(in crate::publish) id: FrameId,
    pub(in crate::publish) events: u64,
    pub(in crate::publish) head: HeadDigest,
    content: Content,
}

impl Outgoing {
    /// Reads the frame.
    pub(in crate::publish) fn frame(&self) -> io::Result<Bytes> {
        self.content.read()
    }
}

impl Spool {
    /// The next frame to send. Until it is settled, no other frame of its partition is.
    pub(in crate::publish) fn next(&mut self) -> Option<Outgoing> {
        loop {
            let partition = self.ready.pop_front()?;
            let Some(queue) = self.queues.get_mut(&partition) else {
                continue;
            };
            queue.state = QueueState::Idle;
            // Its frames may have been dropped.
            let Some(&key) = queue.frames.front() else {
                continue;
            };
            let Some(segment) = segment(&mut self.segments, key.0) else {
                continue;
            };
            queue.state = QueueState::Out;
            let path = segment.path.clone();
            let entry = &segment.entries[key.1];
            let content = match (&entry.frame, path) {
                (Some(frame), _) => Content::Memory(frame.clone()),
                (None, Some(path)) => Content::File(path, entry.range.clone()),
                (None, None) => Content::Memory(Bytes::new()),
            };
            return Some(Outgoing {
                key,
                id: entry.meta.id.clone(),
                events: entry.meta.events,
                head: entry.meta.head,
                content,
            });
        }
    }

    /// The broker has the frame.
    pub(in crate::publish) fn acknowledge(&mut self, outgoing: &Outgoing, is_duplicate: bool) {
        self.counts.duplicates += u64::from(is_duplicate);
        self.counts.acknowledged.add(outgoing.events);
        match self.remove(outgoing) {
            true => self.counts.queued.take(outgoing.events),
            // It was dropped while it was being sent, and has arrived nevertheless.
            false => self.counts.dropped.take(outgoing.events),
        }
    }

    /// The frame can never be sent. Returns whether it was still there.
    pub(in crate::publish) fn lose(&mut self, outgoing: &Outgoing, cause: &str) -> bool {
        let is_there = self.remove(outgoing);
        if is_there {
            self.counts.fail(cause);
            self.counts.queued.take(outgoing.events);
            self.counts.dropped.add(outgoing.events);
        }
        is_there
    }

    /// The frame was not acknowledged, and is sent again.
    pub(in crate::publish) fn give_back(&mut self, outgoing: &Outgoing) {
        self.settle(outgoing.id.partition, true);
    }

    /// Removes a frame that was sent from its queue. Returns whether it was still there.
    fn remove(&mut self, outgoing: &Outgoing) -> bool {
        let partition = outgoing.id.partition;
        let queue = self.queues.entry(partition).or_default();
        let is_there = queue.frames.front() == Some(&outgoing.key);
        if is_there {
            queue.frames.pop_front();
            if let Some(segment) = segment(&mut self.segments, outgoing.key.0) {
                let entry = &mut segment.entries[outgoing.key.1];
                entry.is_live = false;
                entry.frame = None;
                segment.live -= 1;
            }
            self.remove_finished();
        }
        self.settle(partition, false);
        is_there
    }

    fn settle(&mut self, partition: Partition, is_first: bool) {
        let queue = self.queues.entry(partition).or_default();
        if queue.frames.is_empty() {
            queue.state = QueueState::Idle;
            return;
        }
        queue.state = QueueState::Ready;
        match is_first {
            true => self.ready.push_front(partition),
            false => self.ready.push_back(partition),
        }
    }
}

fn segment(segments: &mut VecDeque<Segment>, number: u64) -> Option<&mut Segment> {
    let index = segments.binary_search_by_key(&number, |segment| segment.number);
    index.ok().and_then(|index| segments.get_mut(index))
}
