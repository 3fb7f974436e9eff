//! The log of frames: appends at the end, sends in order in each partition, drops the oldest segment when it is full.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::directory::Directory;
use super::entry;
use super::entry::Meta;
use super::segment::SegmentFile;
use crate::head::HeadDigest;
use crate::names::AgentRun;
use crate::names::FrameId;
use crate::partition::Partition;
use crate::publish::counts::PublishCounts;

/// Largest size of a segment in bytes. A segment is the smallest part that is dropped or removed.
const MAX_SEGMENT: u64 = 1 << 20;

/// Frames that the broker has not acknowledged.
pub(in crate::publish) struct Spool {
    run: AgentRun,
    head: HeadDigest,
    /// Heads of the frames: of this run first, then those of earlier runs.
    pub(super) heads: Vec<(HeadDigest, Bytes)>,
    pub(super) directory: Option<Directory>,
    max_bytes: u64,
    segment_size: u64,
    /// Oldest first; the last one may be open.
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_segment: u64,
    pub(super) queues: BTreeMap<Partition, Queue>,
    /// Partitions with frames of which none is being sent.
    pub(super) ready: VecDeque<Partition>,
    pub(super) counts: PublishCounts,
    /// The last frame could not be stored, and the log says so.
    is_failing: bool,
}

/// A part of the log.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) entries: Vec<Entry>,
    /// Number of entries that are not acknowledged.
    pub(super) live: usize,
    pub(super) bytes: u64,
    pub(super) path: Option<Arc<PathBuf>>,
    /// It is written. `None`: it is in memory, or closed.
    pub(super) file: Option<SegmentFile>,
    pub(super) is_open: bool,
}

pub(super) struct Entry {
    pub(super) meta: Meta,
    pub(super) range: Range<u64>,
    /// The frame; `None` if it has to be read from the file.
    pub(super) frame: Option<Bytes>,
    pub(super) is_live: bool,
}

/// The frames of a partition.
#[derive(Default)]
pub(super) struct Queue {
    /// The number of the next frame of this run.
    next_number: u64,
    /// Segment and index of the frames, oldest first.
    pub(super) frames: VecDeque<(u64, usize)>,
    pub(super) state: QueueState,
}

/// Whether a partition is in [`Spool::ready`]. It may be there although its frames have been dropped.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum QueueState {
    /// It has no frames.
    #[default]
    Idle,
    /// It is in the list of those whose oldest frame may be sent.
    Ready,
    /// A frame is being sent.
    Out,
}

impl Spool {
    pub(super) fn new(
        run: AgentRun,
        head: Vec<u8>,
        directory: Option<Directory>,
        max_bytes: u64,
    ) -> Spool {
        let digest = HeadDigest::of(&head);
        Spool {
            run,
            head: digest,
            heads: vec![(digest, head.into())],
            directory,
            max_bytes,
            segment_size: (max_bytes / 8).min(MAX_SEGMENT),
            segments: VecDeque::new(),
            next_segment: 0,
            queues: BTreeMap::new(),
            ready: VecDeque::new(),
            counts: PublishCounts::default(),
            is_failing: false,
        }
    }

    /// The counters.
    pub(in crate::publish) fn counts(&self) -> &PublishCounts {
        &self.counts
    }

    /// Records a failure.
    pub(in crate::publish) fn fail(&mut self, cause: &str) {
        self.counts.fail(cause);
    }

    /// The heads of the frames that may be in it.
    pub(in crate::publish) fn heads(&self) -> Vec<(HeadDigest, Bytes)> {
        self.heads.clone()
    }

    /// Returns whether nothing waits to be acknowledged.
    pub(in crate::publish) fn is_empty(&self) -> bool {
        self.counts.queued.frames == 0
    }

    /// Appends a frame. Drops the oldest ones if there is no room.
    pub(in crate::publish) fn append(&mut self, partition: Partition, frame: Bytes, events: u64) {
        self.counts.published.add(events);
        let queue = self.queues.entry(partition).or_default();
        let number = queue.next_number;
        // A frame that is dropped has a number: consumers see that it is missing.
        queue.next_number += 1;
        let meta = Meta {
            id: FrameId {
                run: self.run.clone(),
                partition,
                number,
            },
            events,
            head: self.head,
        };
        match self.store(meta, frame) {
            Ok(()) => self.is_failing = false,
            Err(cause) => {
                self.counts.dropped.add(events);
                self.counts.fail(&cause);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!("frames are dropped: {cause}");
                }
            }
        }
    }

    fn store(&mut self, meta: Meta, frame: Bytes) -> Result<(), String> {
        let size = entry::size(&meta, &frame).ok_or("a frame is larger than 4 GiB")?;
        if size + entry::MAGIC.len() as u64 > self.max_bytes {
            return Err(format!("a frame of {size} bytes is larger than the spool"));
        }
        // A segment may have to begin for it.
        self.make_room(size + entry::MAGIC.len() as u64);
        let range = match self.write(&meta, &frame, size) {
            // The oldest frames give way to the newest on a full disk, too.
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.segments.len() > 1 => {
                self.counts.write_errors += 1;
                self.drop_oldest();
                self.write(&meta, &frame, size)
            }
            written => written,
        };
        let range = range.map_err(|error| {
            self.counts.write_errors += 1;
            format!("cannot write to the spool: {error}")
        })?;
        self.push(meta, range, Some(frame));
        Ok(())
    }

    /// Drops the oldest segments until this number of bytes fits in.
    pub(super) fn make_room(&mut self, size: u64) {
        while self.counts.spool_bytes + size > self.max_bytes && !self.segments.is_empty() {
            self.drop_oldest();
        }
    }

    /// Writes an entry of this size to the open segment. Returns where it is.
    fn write(&mut self, meta: &Meta, frame: &[u8], size: u64) -> io::Result<Range<u64>> {
        let is_full =
            |segment: &Segment| !segment.is_open || segment.bytes + size > self.segment_size;
        if self.segments.back().is_none_or(is_full) {
            self.close();
            self.begin_segment()?;
        }
        let Some(segment) = self.segments.back_mut() else {
            return Err(io::Error::other("no segment is open"));
        };
        if let Some(file) = &mut segment.file {
            file.append(&entry::encode(meta, frame), segment.bytes)?;
        }
        let range = segment.bytes..segment.bytes + size;
        segment.bytes = range.end;
        self.counts.spool_bytes += size;
        Ok(range)
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.next_segment;
        let path = self
            .directory
            .as_ref()
            .map(|directory| directory.segment(number));
        let file = path
            .as_ref()
            .map(|path| SegmentFile::create(path))
            .transpose()?;
        let bytes = entry::MAGIC.len() as u64;
        self.next_segment += 1;
        self.counts.spool_bytes += bytes;
        self.segments.push_back(Segment {
            number,
            entries: Vec::new(),
            live: 0,
            bytes,
            path: path.map(Arc::new),
            file,
            is_open: true,
        });
        Ok(())
    }

    /// Closes the open segment. Its frames are read from the file from now on.
    fn close(&mut self) {
        if let Some(segment) = self.segments.back_mut() {
            segment.is_open = false;
            if segment.file.take().is_some() {
                segment
                    .entries
                    .iter_mut()
                    .for_each(|entry| entry.frame = None);
            }
        }
        self.remove_finished();
    }

    /// Adds an entry to the last segment and to the queue of its partition.
    pub(super) fn push(&mut self, meta: Meta, range: Range<u64>, frame: Option<Bytes>) {
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        let partition = meta.id.partition;
        let key = (segment.number, segment.entries.len());
        self.counts.queued.add(meta.events);
        segment.live += 1;
        segment.entries.push(Entry {
            meta,
            range,
            frame,
            is_live: true,
        });
        let queue = self.queues.entry(partition).or_default();
        if queue.state == QueueState::Idle {
            queue.state = QueueState::Ready;
            self.ready.push_back(partition);
        }
        queue.frames.push_back(key);
    }

    /// Removes the segments of which all frames are acknowledged; empties the open one.
    pub(super) fn remove_finished(&mut self) {
        let counts = &mut self.counts;
        self.segments.retain_mut(|segment| {
            if segment.live > 0 {
                return true;
            }
            if !segment.is_open {
                counts.spool_bytes -= segment.bytes;
                remove_file(segment);
                return false;
            }
            // Without entries it need not be emptied. If it cannot be, its frames may be sent twice after a restart.
            let is_cleared = segment
                .file
                .as_mut()
                .is_none_or(|file| file.clear().is_ok());
            if !segment.entries.is_empty() && is_cleared {
                counts.spool_bytes -= segment.bytes - entry::MAGIC.len() as u64;
                segment.bytes = entry::MAGIC.len() as u64;
                segment.entries.clear();
            }
            true
        });
    }

    /// Drops the oldest segment with all of its frames.
    fn drop_oldest(&mut self) {
        let Some(segment) = self.segments.pop_front() else {
            return;
        };
        self.counts.spool_bytes -= segment.bytes;
        for entry in segment.entries.iter().filter(|entry| entry.is_live) {
            self.counts.queued.take(entry.meta.events);
            self.counts.dropped.add(entry.meta.events);
            // The oldest segment has the oldest frames of each queue.
            if let Some(queue) = self.queues.get_mut(&entry.meta.id.partition) {
                queue.frames.pop_front();
            }
        }
        remove_file(&segment);
    }

    /// Ends the use: what is in memory is dropped, what is in the directory is left there.
    pub(in crate::publish) fn end(&mut self) {
        if self.directory.is_none() {
            while !self.segments.is_empty() {
                self.drop_oldest();
            }
        }
        self.close();
        self.directory = None;
    }
}

fn remove_file(segment: &Segment) {
    if let Some(path) = &segment.path {
        let _ = std::fs::remove_file(path.as_path());
    }
}
