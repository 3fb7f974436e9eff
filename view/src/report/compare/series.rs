//! What is compared of a stream: numbers by block of time.

use std::net::IpAddr;
use std::ops::AddAssign;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use retrans_event::CensusRow;
use retrans_event::Event;
use retrans_event::Kind;

use super::bootstrap::Block;
use crate::groups::GroupsOf;
use crate::groups::Tally;
use crate::key::Key;
use crate::key::Part;
use crate::ratios::Ratios;
use crate::report::collect::Source;
use crate::report::coverage::Coverage;
use crate::sums::ByKind;
use crate::sums::Sums;
use crate::timeline;
use crate::timeline::Timeline;

/// Length of a block. Of long streams blocks are longer.
pub const BLOCK: Duration = Duration::from_secs(10);

/// Maximum number of blocks: those of 5 hours have 10 s.
const MAX_BLOCKS: usize = 2_048;

/// Maximum number of peers, and of processes, on each side: beyond it they are not compared. 17 to 50 MB each.
pub const MAX_KEYS: usize = 1_024;

/// What was counted in a block.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    segments: ByKind,
    /// Sum of the logarithms of round-trip times in µs, and their number.
    rtt: (f64, f64),
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.segments += other.segments;
        self.rtt.0 += other.rtt.0;
        self.rtt.1 += other.rtt.1;
    }
}

/// Segments that were sent, and those of them that were sent again.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    sent: u64,
    again: u64,
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Share) {
        self.sent = self.sent.saturating_add(other.sent);
        self.again = self.again.saturating_add(other.again);
    }
}

/// Segments of a key over time.
#[derive(Debug, Clone)]
struct OfKey {
    sums: Sums,
    segments: Timeline<u64>,
}

impl Default for OfKey {
    fn default() -> OfKey {
        OfKey {
            sums: Sums::default(),
            segments: blocks(),
        }
    }
}

impl Tally for OfKey {
    fn add(&mut self, event: &Event) {
        self.sums.add(event);
        *self.segments.at(event.wall_time()) += u64::from(event.segments().unwrap_or(0));
    }
}

impl AddAssign for OfKey {
    fn add_assign(&mut self, other: OfKey) {
        self.sums += other.sums;
    }
}

fn blocks<T: Default + Clone + AddAssign>() -> Timeline<T> {
    Timeline::with_width(MAX_BLOCKS, BLOCK)
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Series {
    /// Where the events come from.
    pub sources: Vec<Source>,
    /// Sums of all events.
    pub sums: Sums,
    /// Events that were lost.
    pub lost: u64,
    /// What was sent beside what was sent again.
    pub ratios: Ratios,
    pub(super) coverage: Coverage,
    counts: Timeline<Counts>,
    sent: Timeline<Share>,
    sent_to: LinkedHashMap<IpAddr, Timeline<Share>, RandomState>,
    peers: GroupsOf<OfKey>,
    processes: GroupsOf<OfKey>,
}

impl Default for Series {
    fn default() -> Series {
        Series {
            sources: Vec::new(),
            sums: Sums::default(),
            lost: 0,
            ratios: Ratios::new(MAX_KEYS),
            coverage: Coverage::default(),
            counts: blocks(),
            sent: blocks(),
            sent_to: LinkedHashMap::with_hasher(RandomState::default()),
            peers: GroupsOf::new(Part::Peer, MAX_KEYS),
            processes: GroupsOf::new(Part::Process, MAX_KEYS),
        }
    }
}

impl Series {
    /// Another source begins.
    pub fn begin(&mut self, source: Source) {
        self.sources.push(source);
        self.coverage.begin();
    }

    /// The marks of the current source were not recorded: they do not tell what it covers.
    pub fn ignore_marks(&mut self) {
        self.coverage.ignore_marks();
    }

    /// The current source was cut off.
    pub fn cut(&mut self, why: String) {
        if let Some(source) = self.sources.last_mut() {
            source.cut = Some(why);
        }
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event) {
        let time = event.wall_time();
        self.sums.add(event);
        let counts = self.counts.at(time);
        let segments = u64::from(event.segments().unwrap_or(0));
        counts.segments.add(event.kind(), segments);
        if let Some(rtt) = event.srtt() {
            let micros = rtt.as_micros().max(1) as f64;
            counts.rtt.0 += micros.ln();
            counts.rtt.1 += 1.0;
        }
        self.peers.add(event);
        self.processes.add(event);
        self.coverage.reach(time, false);
    }

    /// Adds the rows of a census.
    pub fn census(&mut self, rows: impl IntoIterator<Item = CensusRow>) {
        let rows = rows.into_iter().inspect(|row| {
            let share = Share {
                sent: row.segments,
                again: row.retransmitted_segments,
            };
            *self.sent.at(row.wall_time) += share;
            let peer = row.peer_address;
            let has_room = self.sent_to.len() < MAX_KEYS || self.sent_to.contains_key(&peer);
            if has_room && !row.is_overflow {
                *self
                    .sent_to
                    .entry(peer)
                    .or_insert_with(blocks)
                    .at(row.wall_time) += share;
            }
        });
        self.ratios.add(rows);
    }

    /// A number of events were lost.
    pub fn lost(&mut self, number: u64) {
        self.lost = self.lost.saturating_add(number);
    }

    /// The stream has reached this time of day.
    pub fn mark(&mut self, wall_time: Duration) {
        self.coverage.reach(wall_time, true);
    }

    /// Length of a block. It follows from all that was recorded: the events may be in a part of it alone.
    pub fn width(&self) -> Duration {
        let spans = self.spans();
        let mut width = self.counts.width();
        while number_of_blocks(&spans, width) > MAX_BLOCKS as u64 {
            width = timeline::longer(width);
        }
        width
    }

    /// The times that were recorded, in order.
    fn spans(&self) -> Vec<(Duration, Duration)> {
        match self.coverage.is_known() {
            true => self.coverage.spans(),
            // Without marks, all between the first and the last event counts.
            false => self.coverage.ends().into_iter().collect(),
        }
    }

    /// The blocks that were covered, and for how many minutes: their begins, in order. A block of which less than half
    /// was covered is left out.
    pub fn covered(&self) -> Vec<(Duration, f64)> {
        let width = self.width();
        let mut covered: Vec<(Duration, f64)> = Vec::new();
        for (from, to) in self.spans() {
            let mut begin = floor(from, width);
            while begin <= to {
                let end = begin.saturating_add(width);
                let part = to.min(end).saturating_sub(from.max(begin));
                match covered.last_mut() {
                    Some((known, minutes)) if *known == begin => {
                        *minutes += part.as_secs_f64() / 60.0
                    }
                    _ => covered.push((begin, part.as_secs_f64() / 60.0)),
                }
                begin = end;
            }
        }
        let half = width.as_secs_f64() / 120.0;
        covered.retain(|(_, minutes)| *minutes >= half);
        covered
    }

    /// Segments a minute of a cause, or of all, by block.
    pub fn rate(&self, kind: Option<Kind>) -> Vec<Block> {
        self.rates(&self.counts, |counts| match kind {
            Some(kind) => counts.segments.get(kind),
            None => counts.segments.total(),
        })
    }

    /// Segments a minute of a key, by block. A key without an event has none.
    pub fn rate_of(&self, part: Part, key: &Key) -> Vec<Block> {
        let groups = match part {
            Part::Process => &self.processes,
            _ => &self.peers,
        };
        match groups.get(key) {
            Some(of_key) => self.rates(&of_key.segments, |segments| *segments),
            None => self.rates(&blocks::<u64>(), |segments| *segments),
        }
    }

    fn rates<T: Default + Clone + AddAssign>(
        &self,
        timeline: &Timeline<T>,
        number: impl Fn(&T) -> u64,
    ) -> Vec<Block> {
        let width = self.width();
        let mut counted = timeline.iter().peekable();
        let blocks = self.covered().into_iter().map(|(begin, minutes)| {
            let mut count = 0;
            while let Some((time, value)) = counted.next_if(|(time, _)| *time < begin + width) {
                if time >= begin {
                    count += number(value);
                }
            }
            Block {
                count: count as f64,
                base: minutes,
            }
        });
        blocks.collect()
    }

    /// The share of segments that were sent again, by block with a census.
    pub fn shares(&self) -> Vec<Block> {
        shares(&self.sent)
    }

    /// The same of a peer.
    pub fn shares_of(&self, peer: IpAddr) -> Option<Vec<Block>> {
        self.sent_to.get(&peer).map(shares)
    }

    /// Mean logarithms of the round-trip times in µs at retransmits, by block with one.
    pub fn round_trips(&self) -> Vec<Block> {
        let blocks = self.counts.iter().map(|(_, counts)| Block {
            count: counts.rtt.0,
            base: counts.rtt.1,
        });
        blocks.filter(|block| block.base > 0.0).collect()
    }

    /// The keys with the most segments, and their segments.
    pub fn top(&self, part: Part, number: usize) -> Vec<(Key, u64)> {
        let groups = match part {
            Part::Process => &self.processes,
            _ => &self.peers,
        };
        let top = groups.top(number, |of_key| of_key.sums.segments);
        top.into_iter()
            .map(|(key, of_key)| (key.clone(), of_key.sums.segments))
            .collect()
    }

    /// Whether there were more keys than are kept: then their numbers are too low.
    pub fn has_more(&self, part: Part) -> bool {
        match part {
            Part::Process => self.processes.evicted() > 0,
            _ => self.peers.evicted() > 0,
        }
    }
}

fn shares(timeline: &Timeline<Share>) -> Vec<Block> {
    let blocks = timeline.iter().map(|(_, share)| Block {
        count: share.again as f64,
        base: share.sent as f64,
    });
    blocks.filter(|block| block.base > 0.0).collect()
}

/// The number of blocks of this length that have a part of these times. A block of two of them counts twice.
fn number_of_blocks(spans: &[(Duration, Duration)], width: Duration) -> u64 {
    let number = |time: Duration| time.as_secs() / width.as_secs().max(1);
    let numbers = spans
        .iter()
        .map(|(from, to)| number(*to) - number(*from) + 1);
    numbers.sum()
}

fn floor(time: Duration, width: Duration) -> Duration {
    let seconds = width.as_secs().max(1);
    Duration::from_secs(time.as_secs() / seconds * seconds)
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    #[test]
    fn blocks_without_events_count_and_gaps_do_not() {
        let mut series = Series::default();
        let at = |second: u64| Duration::from_secs(1_767_225_600 + second);
        let event = |second| {
            Record::new().with(|event| {
                event.set_wall_time(at(second));
                event.set_segments(Some(2));
                event.set_kind(Kind::Fast);
            })
        };
        for second in (0..=60).chain(200..=260) {
            series.mark(at(second));
            if second == 5 || second == 205 {
                series.event(&event(second));
            }
        }
        let rate = series.rate(None);
        assert_eq!(rate.len(), 12);
        let counts: Vec<f64> = rate.iter().map(|block| block.count).collect();
        assert_eq!(
            counts,
            [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
        let minutes: f64 = rate.iter().map(|block| block.base).sum();
        assert!((minutes - 2.0).abs() < 1e-9);
        assert_eq!(
            series
                .rate(Some(Kind::Timeout))
                .iter()
                .map(|block| block.count)
                .sum::<f64>(),
            0.0
        );
        let (key, segments) = series.top(Part::Peer, 1).remove(0);
        assert_eq!(segments, 4);
        assert_eq!(series.rate_of(Part::Peer, &key), rate);
    }

    #[test]
    fn all_that_was_recorded_counts_where_events_are_in_a_part_of_it_alone() {
        let mut series = Series::default();
        let at = |second: u64| Duration::from_secs(1_767_225_600 + second);
        // A day, with an event a minute in its last four hours.
        for second in 0..=24 * 3_600 {
            series.mark(at(second));
            if second >= 20 * 3_600 && second % 60 == 30 {
                series.event(&Record::new().with(|event| {
                    event.set_wall_time(at(second));
                    event.set_segments(Some(2));
                }));
            }
        }
        assert_eq!(series.width(), Duration::from_secs(60));
        let rate = series.rate(None);
        assert_eq!(rate.len(), 24 * 60);
        let sum = |of: fn(&Block) -> f64| rate.iter().map(of).sum::<f64>();
        assert!((sum(|block| block.base) - 24.0 * 60.0).abs() < 1e-6);
        assert_eq!(sum(|block| block.count), 2.0 * 4.0 * 60.0);
        let (key, _) = series.top(Part::Peer, 1).remove(0);
        assert_eq!(series.rate_of(Part::Peer, &key), rate);
    }

    #[test]
    fn forged_times_cost_no_memory() {
        let mut series = Series::default();
        for seconds in [0, u64::MAX / 1_000_000_000, 1_767_225_600] {
            let event =
                Record::new().with(|event| event.set_wall_time(Duration::from_secs(seconds)));
            series.event(&event);
        }
        assert!(series.rate(None).len() <= MAX_BLOCKS);
    }
}
