//! What is known of one connection.

use retrans_event::Event;
use retrans_event::Name;
use retrans_event::Process;

use super::evidence::OfConnection;
use super::points::Points;
use crate::key::process;

/// Maximum number of labels of a connection that are kept, and of their characters.
const MAX_LABELS: (usize, usize) = (16, 253);

/// What is known of a connection.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// What its events tell.
    pub told: OfConnection,
    /// Its events.
    pub points: Points,
    /// The process that an event named last.
    pub process: Option<Process>,
    /// Algorithm of congestion control.
    pub congestion_control: Option<Name>,
    /// Segments with data that it has sent in its life, and those that it has sent again, at its last event.
    pub sent: Option<(u32, u32)>,
    /// Labels of its events: the latest value of each key.
    pub labels: Vec<(String, String)>,
}

impl Track {
    /// Number of segments that its events are about.
    pub fn segments(&self) -> u64 {
        self.told.evidence().sums.segments
    }

    /// Adds an event of the connection with its labels.
    pub fn add<'a>(&mut self, event: &Event, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.told.add(event);
        if let Some(process) = process(event) {
            self.process = Some(process);
        }
        if let Some(name) = event.congestion_control() {
            self.congestion_control = Some(name);
        }
        if let (Some(sent), Some(again)) = (event.data_segs_out(), event.total_retrans())
            && sent > 0
        {
            self.sent = Some((sent, again));
        }
        for (key, value) in labels {
            self.label(key, value);
        }
        self.points.add(event);
    }

    fn label(&mut self, key: &str, value: &str) {
        let (max_labels, max_chars) = MAX_LABELS;
        let begin = |text: &str| text.chars().take(max_chars).collect::<String>();
        let has_room = self.labels.len() < max_labels && key.chars().count() <= max_chars;
        match self.labels.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) if known == value => {}
            Some((_, known)) => *known = begin(value),
            None if has_room => {
                self.labels.push((key.to_owned(), begin(value)));
            }
            None => {}
        }
    }
}
