//! What the view knows of the stream, in bounded memory however long it is and however many connections it has.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Event;

use super::messages::Alert;
use super::messages::Messages;
use super::ring::Kept;
use super::ring::Ring;
use super::tables::GROUPINGS;
use super::tables::Tables;
use crate::containers::ContainerNames;
use crate::key::Grouping;
use crate::key::Key;
use crate::ratios::Ratios;

/// Maximum number of peers whose ratio is known.
const MAX_RATIOS: usize = 16_384;

/// Where the events come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The live probe; how it is attached.
    Live(String),
    /// Files, by their names.
    Replay {
        /// The names, which may be any text.
        files: Vec<PathBuf>,
        /// Speed as a multiple of the recorded speed; `None`: as fast as possible.
        speed: Option<f64>,
    },
    /// The hosts of a fleet; the addresses of its broker, which may be any text.
    Fleet(String),
}

/// The recording that is made from the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recording {
    /// None can be made.
    Unavailable,
    /// None is being made.
    Off,
    /// One is being made.
    On {
        /// Events in the file.
        events: u64,
        /// Its size in bytes.
        bytes: u64,
        /// Events that could not be written.
        not_recorded: u64,
    },
    /// The last one could not be begun, or continued.
    Failed(String),
}

/// Selects events.
#[derive(Clone)]
pub struct Filter {
    /// As the user has written it.
    pub text: String,
    /// Returns whether an event is wanted.
    pub admits: Arc<dyn Fn(&Event) -> bool + Send + Sync>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

/// The events that a filter admits: of those that were kept when it was set, and all since.
#[derive(Debug, Clone)]
pub struct Filtered {
    /// The filter.
    pub filter: Filter,
    /// Whether events before those that were kept are not among them.
    pub lacks_earlier: bool,
    tables: Box<Tables>,
}

/// What the view knows.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where the events come from.
    pub source: Source,
    /// Name of the machine of the events, which may be any text; `None`: unknown.
    pub host: Option<String>,
    /// The time of day of the stream.
    pub now: Duration,
    /// Whether the stream has ended.
    pub has_ended: bool,
    /// How much of the files was read, from 0 to 1; `None`: unknown.
    pub progress: Option<f64>,
    /// Events that were lost.
    pub lost: u64,
    /// Number of gaps: places in the stream at which events were lost.
    pub gaps: u64,
    /// Calls of the probe that the kernel has skipped; `None`: unknown.
    pub missed: Option<u64>,
    /// What was sent, by peer.
    pub ratios: Ratios,
    /// Names of containers.
    pub containers: ContainerNames,
    /// The last events.
    pub ring: Ring,
    /// Alerts and lines.
    pub messages: Messages,
    /// The recording.
    pub recording: Recording,
    all: Box<Tables>,
    filtered: Option<Filtered>,
    changes: u64,
}

impl Model {
    /// A model without events.
    pub fn new(source: Source) -> Model {
        Model {
            source,
            host: None,
            now: Duration::ZERO,
            has_ended: false,
            progress: None,
            lost: 0,
            gaps: 0,
            missed: None,
            ratios: Ratios::new(MAX_RATIOS),
            containers: ContainerNames::default(),
            ring: Ring::default(),
            messages: Messages::default(),
            recording: Recording::Unavailable,
            all: Box::default(),
            filtered: None,
            changes: 0,
        }
    }

    /// Adds an event with its labels as text: `key=value`, with commas.
    pub fn event(&mut self, event: &Event, labels: &str) {
        self.all.add(event);
        if let Some(Filtered { filter, tables, .. }) = &mut self.filtered
            && (filter.admits)(event)
        {
            tables.add(event);
        }
        self.ring.add(event, labels);
        self.now = self.now.max(event.wall_time());
        self.changed();
    }

    /// Notes that events were lost at this place of the stream.
    pub fn lost(&mut self, events: u64) {
        if events > 0 {
            self.lost = self.lost.saturating_add(events);
            self.gaps += 1;
            self.changed();
        }
    }

    /// Adds the rows of a census.
    pub fn census(&mut self, rows: impl IntoIterator<Item = CensusRow>) {
        self.ratios.add(rows);
        self.changed();
    }

    /// Notes the time of day of the stream.
    pub fn mark(&mut self, now: Duration) {
        if self.now != now {
            self.now = now;
            self.changed();
        }
    }

    /// Notes the end of the stream.
    pub fn end(&mut self) {
        self.has_ended = true;
        self.changed();
    }

    /// Notes the new state of an alert.
    pub fn alert(&mut self, alert: &Alert) {
        self.messages.alert(alert);
        self.changed();
    }

    /// Adds lines of the log or of a plugin, which may be any text.
    pub fn log(&mut self, text: &str) {
        self.messages.log(text);
        self.changed();
    }

    /// Notes the state of the recording.
    pub fn record(&mut self, recording: Recording) {
        if self.recording != recording {
            self.recording = recording;
            self.changed();
        }
    }

    /// Shows the events that this filter admits; `None`: all.
    pub fn filter(&mut self, filter: Option<Filter>) {
        self.filtered = filter.map(|filter| {
            let mut tables = Box::<Tables>::default();
            let kept = self.ring.iter().map(|kept| &kept.event);
            kept.filter(|event| (filter.admits)(event))
                .for_each(|event| tables.add(event));
            Filtered {
                filter,
                lacks_earlier: self.all.total.sums.events > self.ring.len() as u64,
                tables,
            }
        });
        self.changed();
    }

    /// The filter and what it admits.
    pub fn filtered(&self) -> Option<&Filtered> {
        self.filtered.as_ref()
    }

    /// The sums of the events that are shown: those that the filter admits, or all.
    pub fn shown(&self) -> &Tables {
        self.filtered
            .as_ref()
            .map_or(&self.all, |filtered| &filtered.tables)
    }

    /// The sums of all events.
    pub fn all(&self) -> &Tables {
        &self.all
    }

    /// Returns whether an event is among those that are shown.
    pub fn shows(&self, event: &Event) -> bool {
        let filtered = self.filtered.as_ref();
        filtered.is_none_or(|filtered| (filtered.filter.admits)(event))
    }

    /// The events of a key that are kept and shown, the oldest first. `grouping` is the number of what it is a key of.
    pub fn events_of<'a>(
        &'a self,
        grouping: usize,
        key: &'a Key,
    ) -> impl DoubleEndedIterator<Item = &'a Kept> {
        let grouping = Grouping::from(GROUPINGS[grouping % GROUPINGS.len()]);
        let of_key = move |kept: &&Kept| grouping.key(&kept.event) == *key;
        self.ring
            .iter()
            .filter(of_key)
            .filter(|kept| self.shows(&kept.event))
    }

    /// A number that differs once anything has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;
    use retrans_event::synth::Synth;

    use super::super::ring;
    use super::super::tables::MAX_CONNECTIONS;
    use super::*;
    use crate::key::Part;

    fn replay() -> Model {
        Model::new(Source::Replay {
            files: vec!["a.rtc".into()],
            speed: None,
        })
    }

    fn timeouts() -> Filter {
        Filter {
            text: "--kind timeout".to_owned(),
            admits: Arc::new(|event| event.kind() == Kind::Timeout),
        }
    }

    #[test]
    fn memory_is_bounded_with_a_million_connections() {
        let mut model = replay();
        model.filter(Some(timeouts()));
        let events = 30_000;
        // A connection has up to twelve events after each other.
        let synth = Synth::with_connections(1, 1_000_000).step_by(12);
        for event in synth.take(events) {
            model.event(&event, "zone=eu");
        }
        for tables in [model.all(), model.shown()] {
            for number in 0..GROUPINGS.len() {
                assert!(tables.groups(number).len() <= MAX_CONNECTIONS);
            }
            assert!(tables.chart.len() <= 3_602);
        }
        let by_connection = GROUPINGS.iter().position(|part| *part == Part::Connection);
        let groups = model.all().groups(by_connection.expect("it is one"));
        assert!(groups.evicted() > 0, "there were more than are kept");
        let mut sums = groups.rest().sums;
        groups.iter().for_each(|(_, row)| sums += row.sums);
        assert_eq!(sums, model.all().total.sums, "nothing is lost");
        assert_eq!(sums.events, events as u64);
        assert_eq!(model.ring.len(), ring::MAX_EVENTS);
    }

    #[test]
    fn a_filter_shows_what_is_kept_and_what_follows() {
        let mut model = replay();
        let mut events = Synth::new(3);
        let (first, second): (Vec<_>, Vec<_>) = (
            events.by_ref().take(1_000).collect(),
            events.take(1_000).collect(),
        );
        first.iter().for_each(|event| model.event(event, ""));
        model.filter(Some(timeouts()));
        second.iter().for_each(|event| model.event(event, ""));
        let all = first.iter().chain(&second);
        let expected = all.filter(|event| event.kind() == Kind::Timeout).count() as u64;
        assert_eq!(model.shown().total.sums.events, expected);
        assert_eq!(model.shown().total.sums.kinds.get(Kind::Timeout), expected);
        assert_eq!(model.all().total.sums.events, 2_000);
        let filtered = model.filtered().expect("it was set");
        assert!(!filtered.lacks_earlier);
        let (key, row) = model.shown().groups(0).top(1, |row| row.sums.events)[0];
        let of_key: Vec<_> = model.events_of(0, key).collect();
        assert_eq!(of_key.len() as u64, row.sums.events);
        model.filter(None);
        assert_eq!(model.shown().total.sums.events, 2_000);
        for event in Synth::new(4).take(ring::MAX_EVENTS) {
            model.event(&event, "");
        }
        model.filter(Some(timeouts()));
        assert!(model.filtered().expect("it was set").lacks_earlier);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let mut model = replay();
        let mut changes = vec![model.changes()];
        let steps: [fn(&mut Model); 6] = [
            |model| model.mark(Duration::from_secs(1)),
            |model| model.lost(2),
            |model| model.record(Recording::Off),
            |model| model.log("x"),
            |model| model.census([CensusRow::EMPTY]),
            Model::end,
        ];
        for step in steps {
            step(&mut model);
            assert!(!changes.contains(&model.changes()));
            changes.push(model.changes());
        }
        model.mark(Duration::from_secs(1));
        model.lost(0);
        model.record(Recording::Off);
        assert_eq!(Some(&model.changes()), changes.last());
        assert_eq!((model.lost, model.gaps), (2, 1));
    }
}
