//! Prints the peers and the connections with the most retransmitted segments, once in an interval and at the end.
//!
//! A summary has the retransmits since the last one. Attempts that failed are counted separately. Memory is bounded: it
//! keeps a number of peers and of connections. Where there are more, a count may be too high, and the summary shows the
//! range that the true count is in.
//!
//! Counts and interval survive a fault and a new version. With another `top` fewer keys may be left.

mod holder;
mod json;
mod ranking;
mod text;

use retrans_plugin_sdk::prelude::*;

use ranking::Flow;
use ranking::Ranking;

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Time between two summaries. Ticks come every second: a shorter time is as one second.
        #[serde(with = "duration")]
        pub interval: Duration = Duration::from_secs(10),
        /// Number of peers, and of connections, in a summary.
        #[schemars(range(min = 1, max = 1_000))]
        pub top: u32 = 10,
        /// Form of a summary.
        pub format: Format = Format::Text,
    }

    /// Form of a summary.
    pub enum Format {
        /// Lines for people, in columns.
        Text,
        /// One line of JSON with the type flow_summary.
        Json,
    }
}

/// Largest value of `top`.
const MAX_TOP: u32 = 1_000;

/// The plugin.
#[derive(Debug)]
pub struct FlowSummary {
    top: usize,
    format: Format,
    state: State,
}

/// The state that survives: counts since the last summary, and when the next one is due.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub struct State {
    timer: Every,
    period: Period,
}

/// Counts since the last summary.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Period {
    /// Time since boot at which the period began; `None` before the first event or tick.
    begun: Option<Duration>,
    /// Retransmits that were sent, and their segments.
    events: u64,
    segments: u64,
    /// Attempts that failed.
    failed: u64,
    /// Events that were lost before the plugin got them.
    lost: u64,
    peers: Ranking,
    connections: Ranking,
}

impl Period {
    fn new(top: usize, begun: Option<Duration>) -> Period {
        Period {
            begun,
            events: 0,
            segments: 0,
            failed: 0,
            lost: 0,
            peers: Ranking::new(top),
            connections: Ranking::new(top),
        }
    }

    fn add(&mut self, event: &Event) {
        let now = event.time();
        self.begun.get_or_insert(now);
        if !event.sent() {
            self.failed = self.failed.saturating_add(1);
            return;
        }
        let segments = event.segments().unwrap_or(1).max(1);
        // Restored sums may be of any size.
        self.events = self.events.saturating_add(1);
        self.segments = self.segments.saturating_add(segments.into());
        let owner = event.owner();
        let process = owner.process();
        let (peer, connection) = (Flow::peer(event), Flow::connection(event));
        self.peers.add(peer, segments, event, process);
        self.connections.add(connection, segments, event, process);
    }

    /// The length of the period.
    fn length(&self, now: Duration) -> Duration {
        let length = now.saturating_sub(self.begun.unwrap_or(now));
        Duration::from_millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
    }
}

impl FlowSummary {
    /// Writes the summary of the period that ends, and begins another one.
    fn write(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let next = Period::new(self.top, Some(now));
        let period = std::mem::replace(&mut self.state.period, next);
        match self.format {
            Format::Text => text::write(&period, self.top, now, out),
            Format::Json => json::write(&period, self.top, now, out)?,
        }
        Ok(())
    }
}

impl Plugin for FlowSummary {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(
            !settings.interval.is_zero(),
            "interval: expected more than 0s"
        );
        ensure!(
            (1..=MAX_TOP).contains(&settings.top),
            "top: expected from 1 to {MAX_TOP}"
        );
        let top = settings.top as usize;
        Ok(FlowSummary {
            top,
            format: settings.format,
            state: State {
                timer: every(settings.interval),
                period: Period::new(top, None),
            },
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        self.state.period.add(event);
        Ok(Verdict::Keep)
    }

    fn on_lost(&mut self, events: u64, _: &mut Output) -> Result<()> {
        let lost = &mut self.state.period.lost;
        *lost = lost.saturating_add(events);
        Ok(())
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.state.period.begun.get_or_insert(now);
        match self.state.timer.due(now) {
            true => self.write(now, out),
            false => Ok(()),
        }
    }

    fn on_finish(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.write(now, out)
    }
}

impl Stateful for FlowSummary {
    type State = State;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, saved: State) -> Result<()> {
        self.state.timer.restore(saved.timer);
        let mut period = Period::new(self.top, None);
        period.peers.restore(saved.period.peers);
        period.connections.restore(saved.period.connections);
        self.state.period = Period {
            peers: period.peers,
            connections: period.connections,
            ..saved.period
        };
        Ok(())
    }
}

export_plugin!(FlowSummary: Stateful);

#[cfg(test)]
mod tests;
