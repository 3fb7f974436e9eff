//! Sums of events: how many, of which causes.

use std::ops::AddAssign;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Kind;

/// Number of causes, with one more for those that this version does not know.
pub const KINDS: usize = Kind::ALL.len() + 1;

/// A number for each cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByKind([u64; KINDS]);

impl ByKind {
    /// The number of a cause. All causes that this version does not know share one.
    pub fn get(&self, kind: Kind) -> u64 {
        self.0[slot(kind)]
    }

    /// Adds to the number of a cause.
    pub fn add(&mut self, kind: Kind, number: u64) {
        let sum = &mut self.0[slot(kind)];
        *sum = sum.saturating_add(number);
    }

    /// The sum of all causes.
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// The causes with a number that is not 0, in the order of [`Kind::ALL`]. `None`: causes that this version does not
    /// know.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Kind>, u64)> {
        let kinds = Kind::ALL.iter().copied().map(Some).chain([None]);
        kinds.zip(self.0).filter(|(_, number)| *number > 0)
    }
}

/// The place of a cause.
fn slot(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(KINDS - 1)
}

impl AddAssign for ByKind {
    fn add_assign(&mut self, other: ByKind) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(number);
        }
    }
}

/// Sums of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Events.
    pub events: u64,
    /// Segments, as RetransSegs counts them. One event may cover several, and one that failed may cover none.
    pub segments: u64,
    /// Events whose segment was not sent: the attempt failed in this host.
    pub failed: u64,
    /// Payload bytes of the segments.
    pub bytes: u64,
    /// Events of each cause.
    pub kinds: ByKind,
    /// Segments of each cause.
    pub segments_of_kinds: ByKind,
    /// Times of day of the earliest and of the latest event.
    pub span: Option<(Duration, Duration)>,
}

impl Sums {
    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        let segments = u64::from(event.segments().unwrap_or(0));
        self.events += 1;
        self.segments = self.segments.saturating_add(segments);
        self.failed += u64::from(!event.sent());
        let bytes = u64::from(event.length().unwrap_or(0));
        self.bytes = self.bytes.saturating_add(bytes);
        self.kinds.add(event.kind(), 1);
        self.segments_of_kinds.add(event.kind(), segments);
        let time = event.wall_time();
        self.extend_span((time, time));
    }

    /// The time between the earliest and the latest event.
    pub fn duration(&self) -> Duration {
        self.span
            .map_or(Duration::ZERO, |(first, last)| last - first)
    }

    fn extend_span(&mut self, (first, last): (Duration, Duration)) {
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Sums) {
        self.events += other.events;
        self.segments = self.segments.saturating_add(other.segments);
        self.failed += other.failed;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.kinds += other.kinds;
        self.segments_of_kinds += other.segments_of_kinds;
        if let Some(span) = other.span {
            self.extend_span(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    fn event(kind: Kind, segments: u32, seconds: u64) -> Record {
        let mut event = Record::new();
        event.set_kind(kind);
        event.set_segments(Some(segments));
        event.set_wall_time(Duration::from_secs(seconds));
        event
    }

    #[test]
    fn sums_are_those_of_the_events_in_any_order_and_in_parts() {
        let events = [
            event(Kind::Fast, 3, 9),
            event(Kind::Timeout, 1, 5),
            event(Kind::Other(99), 1, 7),
            event(Kind::Other(98), 1, 8),
        ];
        let mut whole = Sums::default();
        events.iter().for_each(|event| whole.add(event));
        assert_eq!((whole.events, whole.segments), (4, 6));
        assert_eq!(whole.duration(), Duration::from_secs(4));
        let kinds: Vec<_> = whole.segments_of_kinds.iter().collect();
        assert_eq!(
            kinds,
            [(Some(Kind::Timeout), 1), (Some(Kind::Fast), 3), (None, 2)]
        );
        assert_eq!(whole.kinds.total(), 4);
        let mut parts = Sums::default();
        for event in events.iter().rev() {
            let mut part = Sums::default();
            part.add(event);
            parts += part;
        }
        assert_eq!(parts, whole);
    }

    #[test]
    fn an_attempt_that_failed_is_an_event_without_segments() {
        let mut failed = event(Kind::Fast, 0, 1);
        failed.set_sent(Some(false));
        let mut sums = Sums::default();
        sums.add(&failed);
        assert_eq!((sums.events, sums.segments, sums.failed), (1, 0, 1));
    }
}
