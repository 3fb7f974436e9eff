//! The chain of one partition: takes the messages of the partition in order, passes their events to the plugins in the
//! stream's time, and makes snapshots.
//!
//! Everything that it does follows from the messages, so that a chain that goes on from a snapshot does the same.

use std::sync::PoisonError;
use std::time::Duration;

use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use retrans_fleet::consume::Accept;
use retrans_fleet::consume::Break;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Cursors;
use retrans_fleet::consume::Frame;
use retrans_fleet::consume::Line;
use retrans_fleet::consume::Message;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::partition::Partition;

use super::fragments::Fragments;
use super::host_counts::HostCounts;
use super::open_alerts::OpenAlerts;
use super::open_alerts::StoredAlert;
use super::partition_sink::PartitionSink;
use super::partition_sink::SharedAlerts;
use super::partition_sink::SharedLines;
use super::partition_sink::SharedSinks;
use super::saved_state::SavedState;
use super::stream_time::Published;
use crate::chain::Chain;
use crate::chain::ChainError;
use crate::plugin::Plugin;
use crate::sink::Sink as _;
use crate::stats::counters::ChainStats;
use crate::stats::fleet::FleetStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;

/// The name in the identifiers of lines: those of all plugins are numbered together.
const CHAIN: &str = "chain";

/// What chains of all partitions have in common.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Events that are older than this when their frame is published are not passed on: they would extend a window into
    /// the past.
    pub max_lateness: Duration,
    /// The maximal age of messages in the stream.
    pub max_age: Duration,
    /// Digest of the plugins.
    pub chain: String,
    /// Whether lines go to the broker, and not to standard output.
    pub publishes_lines: bool,
    /// What came from each host.
    pub hosts: HostCounts,
}

/// The chain of one partition.
pub struct PartitionChain {
    partition: Partition,
    terms: Terms,
    chain: Chain<PartitionSink>,
    sinks: SharedSinks,
    alerts: SharedAlerts,
    lines: Option<SharedLines>,
    cursors: Cursors,
    fragments: Fragments,
    /// The message that was taken last.
    sequence: u64,
    /// The stream's time.
    now: Duration,
    /// Events that were lost since plugins were last told.
    lost: u64,
    /// Events since this chain began here.
    counted: FleetStats,
    /// Events before that, of the snapshot.
    before: FleetStats,
    recycled: Sender<Batch>,
}

impl PartitionChain {
    /// A chain that has taken nothing yet.
    pub fn new(
        partition: Partition,
        terms: Terms,
        plugins: Vec<Plugin>,
        sinks: SharedSinks,
    ) -> PartitionChain {
        let alerts = SharedAlerts::default();
        let lines = terms.publishes_lines.then(SharedLines::default);
        let sink = PartitionSink::new(sinks.clone(), alerts.clone(), lines.clone());
        // Batches come from frames: none is used again.
        let (recycled, _) = bounded(0);
        PartitionChain {
            partition,
            cursors: Cursors::new(terms.max_age),
            terms,
            chain: Chain::new(plugins, sink),
            sinks,
            alerts,
            lines,
            fragments: Fragments::default(),
            sequence: 0,
            now: Duration::ZERO,
            lost: 0,
            counted: FleetStats::default(),
            before: FleetStats::default(),
            recycled,
        }
    }

    /// Goes on from a snapshot. Alerts that fire are raised again: their receivers may have forgotten them.
    ///
    /// # Errors
    ///
    /// If a sink fails, or a plugin whose action for faults is to stop.
    pub fn restore(&mut self, snapshot: Snapshot, saved: SavedState) -> Result<(), ChainError> {
        if snapshot.chain != self.terms.chain {
            tracing::info!(
                "partition {}: its state is of other plugins or settings; plugins go on with it by their names",
                self.partition
            );
        }
        self.sequence = snapshot.sequence;
        self.cursors = snapshot.cursors;
        self.before = serde_json::from_value(snapshot.counts).unwrap_or_default();
        self.now = saved.time;
        self.lost = saved.lost;
        let plugins = match saved.plugins() {
            Ok(plugins) => plugins,
            Err(error) => {
                tracing::error!(
                    "partition {}: plugins begin without their state: {error}",
                    self.partition
                );
                Vec::new()
            }
        };
        let (known, unknown): (Vec<StoredAlert>, Vec<StoredAlert>) = saved
            .alerts
            .into_iter()
            .partition(|alert| self.chain.has_plugin(alert.plugin()));
        let alerts = known.into_iter().map(StoredAlert::into_firing);
        // A plugin that is no longer in the chain cannot resolve its alerts.
        let resolved = unknown
            .into_iter()
            .map(|alert| alert.into_resolved(saved.time));
        let alerts: Vec<_> = alerts.chain(resolved).collect();
        self.open(|open| open.note(&alerts));
        if !alerts.is_empty() {
            self.sinks.lock().alerts(&alerts)?;
        }
        self.chain.restore(plugins, moment(self.now))
    }

    /// Takes the next message of the partition. Returns whether it was a tick, after which is a good time for a snapshot.
    ///
    /// # Errors
    ///
    /// If a sink fails, or a plugin whose action for faults is to stop.
    pub fn message(&mut self, message: Message) -> Result<bool, ChainError> {
        self.sequence = message.sequence;
        self.now = self.now.max(message.stamped);
        match message.content {
            Content::Tick => {
                let mark = Mark {
                    time: self.now,
                    wall_time: self.now,
                    lost: std::mem::take(&mut self.lost),
                };
                self.chain.process_item(Item::Mark(mark), &self.recycled)?;
                return Ok(true);
            }
            Content::Damaged { reason, events } => self.damaged(&reason, events),
            Content::Frame(frame) => {
                let (host, before) = (frame.host.clone(), self.counted);
                let taken = self.frame(frame, message.stamped);
                self.terms.hosts.add(&host, self.counted - before);
                taken?;
            }
        }
        Ok(false)
    }

    /// Takes note that messages were not there.
    pub fn missing(&mut self, missing: Break) {
        let partition = self.partition;
        match missing {
            // They may have been of other partitions, or ticks.
            Break::Expired { asked, first } => tracing::warn!(
                "partition {partition}: messages {asked} to {} have left the stream before they were consumed; if there \
                 were frames among them, the next ones of their hosts tell how many",
                first - 1
            ),
            Break::Rewound { asked, last } => tracing::error!(
                "partition {partition}: the stream ends at message {last}, before {asked}, which was to be the next one: \
                 it was made anew, or its server has lost what it had acknowledged"
            ),
        }
    }

    /// The state after the last message.
    ///
    /// # Errors
    ///
    /// If a plugin fails whose action for faults is to stop, or a sink fails.
    pub fn snapshot(&mut self) -> Result<Snapshot, ChainError> {
        let plugins = self.chain.save()?;
        let mut stored = Vec::new();
        self.open(|open| stored = open.stored());
        let saved = SavedState::new(self.now, self.lost, plugins, stored);
        let mut counts = self.before;
        counts += self.counted;
        Ok(Snapshot {
            sequence: self.sequence,
            chain: self.terms.chain.clone(),
            cursors: self.cursors.clone(),
            counts: serde_json::to_value(counts).unwrap_or_default(),
            body: saved.body().unwrap_or_default(),
        })
    }

    /// The lines for the broker since the last call. Those of one message are the same whenever it is taken again.
    pub fn take_lines(&mut self) -> Vec<Line> {
        let Some(lines) = &self.lines else {
            return Vec::new();
        };
        let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
        let lines = lines.split_inclusive(|byte| *byte == b'\n');
        let lines = (0..).zip(lines).map(|(index, line)| Line {
            sequence: self.sequence,
            plugin: CHAIN.to_owned(),
            index,
            text: line.strip_suffix(b"\n").unwrap_or(line).to_vec().into(),
        });
        lines.collect()
    }

    /// What was counted since the chain began here: events of the broker, and of the plugins.
    pub fn counted(&self) -> (FleetStats, ChainStats) {
        (self.counted, self.chain.stats())
    }

    /// Whether all alerts have left the host.
    pub fn has_delivered(&self) -> bool {
        self.sinks.queued() == 0
    }

    fn open(&self, change: impl FnOnce(&mut OpenAlerts)) {
        change(&mut self.alerts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn frame(&mut self, frame: Frame, stamped: Duration) -> Result<(), ChainError> {
        match self.cursors.accept(&frame.id, stamped) {
            Accept::Duplicate => {
                self.counted.received += frame.events;
                self.counted.duplicate += frame.events;
                return Ok(());
            }
            Accept::New { missing } => self.note_missing(&frame, missing),
        }
        let items = match self.fragments.read(&frame) {
            Ok(items) => items,
            Err(error) => {
                self.damaged(&format!("frame {}: {error}", frame.id), frame.events);
                return Ok(());
            }
        };
        let published = Published {
            stamped,
            clock: frame.clock,
        };
        for item in items {
            self.item(item, published)?;
        }
        Ok(())
    }

    /// Frames that never arrived are told to plugins as one lost event each: their number of events is not known.
    fn note_missing(&mut self, frame: &Frame, missing: u64) {
        if missing > 0 {
            self.counted.missing_frames += missing;
            self.lost = self.lost.saturating_add(missing);
            tracing::warn!(
                "partition {}: {missing} frames of {} before {} did not arrive",
                self.partition,
                frame.host.name(),
                frame.id
            );
        }
    }

    fn item(&mut self, mut item: Item, published: Published) -> Result<(), ChainError> {
        let is_late =
            |time: Duration| published.clock.saturating_sub(time) > self.terms.max_lateness;
        match &mut item {
            Item::Events(batch) => {
                let received = batch.len() as u64;
                let late: Vec<bool> = batch.events().map(|event| is_late(event.time())).collect();
                if late.contains(&true) {
                    batch.retain(|event| !late[event]);
                }
                let delivered = batch.len() as u64;
                self.counted.received += received;
                self.counted.delivered += delivered;
                self.counted.late += received - delivered;
                self.lost = self.lost.saturating_add(received - delivered);
                if batch.is_empty() {
                    return Ok(());
                }
                batch.lost = std::mem::take(&mut self.lost);
            }
            Item::Census(census) => census.retain(|row| !is_late(row.time)),
            // A host tells in each partition what it has lost. Marks of hosts are no ticks of the stream.
            Item::Mark(mark) | Item::End(mark) => {
                self.lost = self.lost.saturating_add(mark.lost);
                if self.partition == Partition(0) {
                    self.counted.lost = self.counted.lost.saturating_add(mark.lost);
                }
                return Ok(());
            }
        }
        published.apply(&mut item);
        self.chain.process_item(item, &self.recycled)
    }

    fn damaged(&mut self, reason: &str, events: u64) {
        self.counted.damaged_frames += 1;
        self.counted.received += events;
        self.counted.damaged += events;
        self.lost = self.lost.saturating_add(events);
        tracing::warn!(
            "partition {}: message {} cannot be used: {reason}",
            self.partition,
            self.sequence
        );
    }
}

fn moment(time: Duration) -> Moment {
    Moment {
        time,
        wall_time: time,
    }
}
