//! Collects what a report tells: one pass over a stream, in bounded memory.

use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Event;

use super::alert::Alert;
use super::alert::Alerts;
use super::coverage::Coverage;
use super::rtt::ByClass;
use super::together::SharedSeconds;
use super::tracks::Tracks;
use super::trend::Trend;
use crate::containers::ContainerNames;
use crate::groups::GroupsOf;
use crate::key::Part;
use crate::ratios::Ratios;
use crate::sums::ByKind;
use crate::sums::Sums;
use crate::timeline::Timeline;

/// Maximum number of intervals of the timelines.
const MAX_INTERVALS: usize = 240;

/// Maximum number of peers, processes and containers that are known at the same time: 35 MB in all.
const MAX_KEYS: [usize; 3] = [32_768, 8_192, 4_096];

/// Where events come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name, such as that of a file.
    pub name: String,
    /// The machine that was observed, if it is known.
    pub host: Option<Host>,
    /// Why its end is missing, if it was cut off.
    pub cut: Option<String>,
}

/// The machine that was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Release of the kernel.
    pub kernel: String,
}

/// What was collected of a stream.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Where the events come from, in order.
    pub sources: Vec<Source>,
    /// What of the stream was looked at, in words: a name and a value, such as a filter.
    pub selection: Vec<(String, String)>,
    /// The plugins through which the events went. `None`: the report was made without a chain.
    pub plugins: Option<Vec<String>>,
    /// Sums of all events.
    pub sums: Sums,
    /// Events that were lost, and the number of gaps.
    pub lost: (u64, u64),
    /// Events that were lost over time.
    pub lost_at: Timeline<u64>,
    /// Segments of each cause over time.
    pub segments: Timeline<ByKind>,
    /// Round-trip times of events over time.
    pub rtt: Timeline<ByClass>,
    /// Round-trip times of all connections over time, from censuses.
    pub census_rtt: Timeline<ByClass>,
    /// What was sent beside what was sent again.
    pub ratios: Ratios,
    /// Peers.
    pub peers: GroupsOf<Trend>,
    /// Processes.
    pub processes: GroupsOf<Trend>,
    /// Containers.
    pub containers: GroupsOf<Trend>,
    /// Their names.
    pub container_names: ContainerNames,
    /// Connections.
    pub tracks: Tracks,
    /// Seconds in which segments to many peers were lost.
    pub shared: SharedSeconds,
    /// Alerts.
    pub alerts: Alerts,
    /// Which times were covered.
    pub coverage: Coverage,
    now: Duration,
}

impl Default for Collected {
    fn default() -> Collected {
        let [peers, processes, containers] = MAX_KEYS;
        Collected {
            sources: Vec::new(),
            selection: Vec::new(),
            plugins: None,
            sums: Sums::default(),
            lost: (0, 0),
            lost_at: Timeline::new(MAX_INTERVALS),
            segments: Timeline::new(MAX_INTERVALS),
            rtt: Timeline::new(MAX_INTERVALS),
            census_rtt: Timeline::new(MAX_INTERVALS),
            ratios: Ratios::new(peers),
            peers: GroupsOf::new(Part::Peer, peers),
            processes: GroupsOf::new(Part::Process, processes),
            containers: GroupsOf::new(Part::Container, containers),
            container_names: ContainerNames::default(),
            tracks: Tracks::default(),
            shared: SharedSeconds::default(),
            alerts: Alerts::default(),
            coverage: Coverage::default(),
            now: Duration::ZERO,
        }
    }
}

impl Collected {
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

    /// Adds an event with its labels.
    pub fn event<'a>(
        &mut self,
        event: &Event,
        labels: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    ) {
        let labels = labels.into_iter();
        let time = event.wall_time();
        self.now = time;
        self.sums.add(event);
        let segments = u64::from(event.segments().unwrap_or(0));
        self.segments.at(time).add(event.kind(), segments);
        if let Some(rtt) = event.srtt() {
            self.rtt.at(time).add(rtt);
        }
        self.peers.add(event);
        self.processes.add(event);
        self.containers.add(event);
        self.container_names.learn(event, labels.clone());
        self.tracks.add(event, labels);
        self.shared.add(event);
        self.coverage.reach(time, false);
    }

    /// Adds the rows of a census.
    pub fn census(&mut self, rows: impl IntoIterator<Item = CensusRow>) {
        let rows = rows.into_iter().inspect(|row| {
            if self.census_rtt.is_empty() {
                // An interval without a census would look like one without a connection. A census may come early.
                let width = row.interval.mul_f64(0.9);
                self.census_rtt = Timeline::with_width(MAX_INTERVALS, width);
            }
            let times = self.census_rtt.at(row.wall_time);
            times.add_powers(&row.rtt_buckets);
        });
        self.ratios.add(rows);
    }

    /// A number of events were lost before the next one.
    pub fn lost(&mut self, number: u64) {
        if number > 0 {
            self.lost.0 = self.lost.0.saturating_add(number);
            self.lost.1 += 1;
            // Before the first event there is no time.
            if !self.now.is_zero() {
                let sum = self.lost_at.at(self.now);
                // Intervals are added up later: a number that no kernel counts must not overflow.
                *sum = sum.saturating_add(number).min(1 << 48);
            }
        }
    }

    /// Adds an alert.
    pub fn alert(&mut self, alert: Alert) {
        self.alerts.add(alert);
    }

    /// The stream has reached this time of day.
    pub fn mark(&mut self, wall_time: Duration) {
        self.now = wall_time;
        self.coverage.reach(wall_time, true);
    }

    /// The first and the last time, by events and by marks.
    pub fn span(&self) -> Option<(Duration, Duration)> {
        self.coverage.ends()
    }
}
