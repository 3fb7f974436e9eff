//! What the events of one connection, of one peer or of all tell about the cause of the losses, as sums.

use std::ops::AddAssign;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::SendError;

use crate::sums::Sums;

/// A connection with at most this number of segments in flight is nearly idle.
pub const FEW_IN_FLIGHT: u32 = 2;

/// From this one on, a timeout in a row of timeouts counts as a deep one.
pub const DEEP: u8 = 3;

/// The round-trip time is inflated if it is at least this number of times the smallest one …
pub const INFLATION: u32 = 3;

/// … and longer by at least this.
pub const INFLATION_MIN: Duration = Duration::from_millis(50);

/// After this time without a retransmit, the next one of a connection begins another burst.
const BURST_GAP: Duration = Duration::from_secs(1);

/// Failed attempts, by what refused the segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// A queue of this host dropped the segment.
    pub queue: u64,
    /// A filter of this host dropped it.
    pub filter: u64,
    /// There was no route, or the link was down.
    pub route: u64,
    /// The peer's window had no room.
    pub window: u64,
    /// Memory was short.
    pub memory: u64,
    /// The first copy was still in a queue of this host.
    pub queued: u64,
    /// Anything else.
    pub other: u64,
}

impl Failures {
    fn add(&mut self, error: Option<SendError>) {
        let number = match error.map_or(0, |error| error.0) {
            // NET_XMIT_DROP, NET_XMIT_CN
            1 | 2 => &mut self.queue,
            // EPERM, EACCES
            -1 | -13 => &mut self.filter,
            // EHOSTUNREACH, ENETUNREACH, ENETDOWN, EADDRNOTAVAIL
            -113 | -101 | -100 | -99 => &mut self.route,
            // EAGAIN
            -11 => &mut self.window,
            // ENOMEM, ENOBUFS
            -12 | -105 => &mut self.memory,
            // EBUSY
            -16 => &mut self.queued,
            _ => &mut self.other,
        };
        *number += 1;
    }

    /// The words for each cause that there was, with its number.
    pub fn words(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("a queue of this host dropped the segment", self.queue),
            ("a filter of this host dropped it", self.filter),
            ("there was no route or the link was down", self.route),
            ("the peer's window had no room", self.window),
            ("memory was short", self.memory),
            (
                "the first copy was still in a queue of this host",
                self.queued,
            ),
            ("other errors", self.other),
        ];
        all.into_iter().filter(|(_, number)| *number > 0).collect()
    }
}

impl AddAssign for Failures {
    fn add_assign(&mut self, other: Failures) {
        self.queue += other.queue;
        self.filter += other.filter;
        self.route += other.route;
        self.window += other.window;
        self.memory += other.memory;
        self.queued += other.queued;
        self.other += other.other;
    }
}

/// Sums of what events tell. A number of events of which something is known is the base of the shares of those for
/// which it is so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    /// How many, of which causes.
    pub sums: Sums,
    /// Tail loss probes whose number of segments in flight is known.
    pub probes_known: u64,
    /// Those of them with at most [`FEW_IN_FLIGHT`].
    pub probes_idle: u64,
    /// Timeouts that are the [`DEEP`]th in a row or a later one.
    pub deep_timeouts: u64,
    /// The largest number of timeouts in a row, SYNs and SYN-ACKs included.
    pub most_in_a_row: u8,
    /// The largest number of times that a timeout was doubled.
    pub most_doubled: u8,
    /// Timeouts of data whose length is known, after the first in a row.
    pub repeated_known: u64,
    /// Those of them of a full-sized segment.
    pub repeated_full: u64,
    /// Timeouts of data with less than half of a full-sized segment.
    pub small_timeouts: u64,
    /// Duplicates that peers reported between the first and the last event of each connection.
    pub dsacks: u64,
    /// Reorderings that were detected in the same time.
    pub reorderings: u64,
    /// Events whose round-trip time and smallest round-trip time are known.
    pub rtt_known: u64,
    /// Those of them with an inflated round-trip time.
    pub rtt_inflated: u64,
    /// Sum of the round-trip times in µs, and their number.
    pub srtt: (u64, u64),
    /// The longest smoothed round-trip time.
    pub max_srtt: Option<Duration>,
    /// The shortest smallest round-trip time.
    pub min_rtt: Option<Duration>,
    /// Events for which the peer's window and the size of a segment are known, without those of a handshake.
    pub window_known: u64,
    /// Those of them with a window below one segment.
    pub window_small: u64,
    /// Bursts: events of a connection of which each comes within a second of the one before it.
    pub bursts: u64,
    /// Times that the congestion window of a connection fell to 70 % of its largest or below.
    pub window_falls: u64,
    /// Connections of which something was acknowledged between the first and the last event.
    pub progressed: u64,
    /// Connections of which all that was acknowledged was small (on average below half of a full-sized segment).
    pub small_only: u64,
    /// Failed attempts by cause.
    pub failures: Failures,
}

impl Evidence {
    /// Events of a cause.
    pub fn of(&self, kind: Kind) -> u64 {
        self.sums.kinds.get(kind)
    }

    /// The mean of the smoothed round-trip times.
    pub fn mean_srtt(&self) -> Option<Duration> {
        let (sum, count) = self.srtt;
        (count > 0).then(|| Duration::from_micros(sum / count))
    }

    /// Adds what an event tells by itself.
    fn add_event(&mut self, event: &Event) {
        self.sums.add(event);
        let kind = event.kind();
        let in_a_row = event.retransmits().unwrap_or(0);
        let is_timeout = kind == Kind::Timeout;
        if is_timeout || matches!(kind, Kind::Syn | Kind::SynAck) {
            self.most_in_a_row = self.most_in_a_row.max(in_a_row);
            self.most_doubled = self.most_doubled.max(event.backoff().unwrap_or(0));
        }
        if is_timeout {
            self.deep_timeouts += u64::from(in_a_row >= DEEP);
            self.add_length(event, in_a_row);
        }
        if kind == Kind::TailLossProbe
            && let Some(in_flight) = event.packets_out()
        {
            self.probes_known += 1;
            self.probes_idle += u64::from(in_flight <= FEW_IN_FLIGHT);
        }
        self.add_rtt(event);
        if !matches!(kind, Kind::Syn | Kind::SynAck)
            && let (Some(window), Some(mss)) = (event.snd_wnd(), event.mss())
        {
            self.window_known += 1;
            self.window_small += u64::from(window < mss);
        }
        if !event.sent() {
            self.failures.add(event.error());
        }
    }

    fn add_length(&mut self, event: &Event, in_a_row: u8) {
        let (Some(length), Some(mss)) = (event.length(), event.mss()) else {
            return;
        };
        self.small_timeouts += u64::from(length < mss / 2);
        if in_a_row > 1 {
            self.repeated_known += 1;
            self.repeated_full += u64::from(length >= mss && mss > 0);
        }
    }

    fn add_rtt(&mut self, event: &Event) {
        let Some(srtt) = event.srtt() else {
            return;
        };
        let micros = u64::try_from(srtt.as_micros()).unwrap_or(u64::MAX);
        self.srtt = (self.srtt.0.saturating_add(micros), self.srtt.1 + 1);
        self.max_srtt = self.max_srtt.max(Some(srtt));
        if let Some(least) = event.min_rtt() {
            self.rtt_known += 1;
            let is_inflated =
                srtt >= least.saturating_mul(INFLATION) && srtt >= least + INFLATION_MIN;
            self.rtt_inflated += u64::from(is_inflated);
            self.min_rtt = Some(self.min_rtt.map_or(least, |rtt| rtt.min(least)));
        }
    }
}

impl AddAssign for Evidence {
    fn add_assign(&mut self, other: Evidence) {
        self.sums += other.sums;
        self.probes_known += other.probes_known;
        self.probes_idle += other.probes_idle;
        self.deep_timeouts += other.deep_timeouts;
        self.most_in_a_row = self.most_in_a_row.max(other.most_in_a_row);
        self.most_doubled = self.most_doubled.max(other.most_doubled);
        self.repeated_known += other.repeated_known;
        self.repeated_full += other.repeated_full;
        self.small_timeouts += other.small_timeouts;
        self.dsacks = self.dsacks.saturating_add(other.dsacks);
        self.reorderings = self.reorderings.saturating_add(other.reorderings);
        self.rtt_known += other.rtt_known;
        self.rtt_inflated += other.rtt_inflated;
        self.srtt.0 = self.srtt.0.saturating_add(other.srtt.0);
        self.srtt.1 += other.srtt.1;
        self.max_srtt = self.max_srtt.max(other.max_srtt);
        self.min_rtt = [self.min_rtt, other.min_rtt].into_iter().flatten().min();
        self.window_known += other.window_known;
        self.window_small += other.window_small;
        self.bursts += other.bursts;
        self.window_falls += other.window_falls;
        self.progressed += other.progressed;
        self.small_only += other.small_only;
        self.failures += other.failures;
    }
}

/// Collects the evidence of one connection, whose events are in the order of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfConnection {
    evidence: Evidence,
    last_time: Option<Duration>,
    /// Counters of the kernel at the event before.
    dsacks: Option<u32>,
    reorderings: Option<u32>,
    /// The largest congestion window since it fell last.
    largest_window: u32,
    first_unacknowledged: Option<u32>,
    has_progressed: bool,
    /// Mean of the bytes of each delivered segment, and the size of a full one.
    delivered: Option<(u64, u32)>,
}

impl OfConnection {
    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.evidence.add_event(event);
        let time = event.wall_time();
        let follows = |last: Duration| time <= last.saturating_add(BURST_GAP);
        self.evidence.bursts += u64::from(!self.last_time.is_some_and(follows));
        self.last_time = Some(self.last_time.map_or(time, |last| last.max(time)));
        let growth = |before: Option<u32>, now: u32| {
            before.map_or(0, |before| u64::from(now.saturating_sub(before)))
        };
        if let Some(now) = event.dsack_dups() {
            self.evidence.dsacks += growth(self.dsacks.replace(now), now);
        }
        if let Some(now) = event.reord_seen() {
            self.evidence.reorderings += growth(self.reorderings.replace(now), now);
        }
        // Of a handshake the window is that of a single segment.
        if !matches!(event.kind(), Kind::Syn | Kind::SynAck)
            && let Some(window) = event.cwnd()
        {
            let has_fallen = u64::from(window) * 10 <= u64::from(self.largest_window) * 7;
            self.evidence.window_falls += u64::from(has_fallen);
            self.largest_window = match has_fallen {
                true => window,
                false => self.largest_window.max(window),
            };
        }
        self.add_progress(event);
    }

    fn add_progress(&mut self, event: &Event) {
        if let Some(now) = event.snd_una() {
            let first = *self.first_unacknowledged.get_or_insert(now);
            self.has_progressed |= first != now;
            self.evidence.progressed = u64::from(self.has_progressed);
        }
        if let (Some(sent), Some(again), Some(delivered), Some(mss)) = (
            event.bytes_sent(),
            event.bytes_retrans(),
            event.delivered(),
            event.mss(),
        ) && let (Some(unacknowledged), Some(next)) = (event.snd_una(), event.snd_nxt())
            && delivered > 0
        {
            let in_flight = u64::from(next.wrapping_sub(unacknowledged));
            let acknowledged = sent.saturating_sub(again).saturating_sub(in_flight);
            self.delivered = Some((acknowledged / u64::from(delivered), mss));
            let is_small = |(mean, mss): (u64, u32)| mean < u64::from(mss / 2);
            self.evidence.small_only = u64::from(self.delivered.is_some_and(is_small));
        }
    }

    /// The evidence so far.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The mean size of the segments that were delivered, and the size of a full one, in bytes.
    pub fn delivered(&self) -> Option<(u64, u32)> {
        self.delivered
    }
}
