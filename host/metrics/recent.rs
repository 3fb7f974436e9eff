//! The last minutes of a stream, in bounded memory, and the report of them.
//!
//! The items themselves are kept, and a report is collected when one is asked for: to keep an event costs a copy of its
//! bytes. What is older than the time, or finds no room, is dropped from the start.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use retrans_view::report;
use retrans_view::report::ReportError;
use retrans_view::report::collect::Collected;
use retrans_view::report::collect::Host;
use retrans_view::report::collect::Source;

use super::About;
use crate::sink::queue::Destination;
use crate::sink::queue::Message;
use crate::sink::queue::Subscription;
use crate::stream::alert::Alert;
use crate::stream::batch::Item;
use crate::stream::collect;
use crate::stream::moment::Moment;
use crate::system::heap;
use crate::system::timestamp;

/// The time that a report is about.
const TIME: Duration = Duration::from_secs(15 * 60);

/// Maximum size in bytes of the items that are kept: 100,000 events and more.
const MAX_BYTES: usize = 64 << 20;

/// Maximum size in bytes of the alerts that are kept.
const MAX_ALERT_BYTES: usize = 2 << 20;

/// What an item takes beside its bytes: it has a place in the queue, and memory of its own.
const ITEM_BYTES: usize = 256;

/// The last minutes.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    host: Option<Host>,
    is_live: bool,
    items: VecDeque<(Moment, Arc<Item>)>,
    bytes: usize,
    /// The time of day of the last item that made room for others within the time.
    made_room: Option<Duration>,
    alerts: VecDeque<Alert>,
    alert_bytes: usize,
}

impl Recent {
    /// The source begins.
    pub fn begin(&self, about: &About) {
        let mut kept = self.kept();
        kept.is_live = about.is_live;
        kept.host = about.host.as_ref().map(|host| Host {
            name: host.name.clone(),
            kernel: host.kernel.clone(),
        });
    }

    /// Keeps an item.
    pub fn add(&self, item: &Item) {
        let now = match item {
            Item::Events(batch) => batch.now(),
            Item::Census(census) => census.now().unwrap_or_default(),
            Item::Mark(mark) | Item::End(mark) => mark.now(),
        };
        // It is copied before the lock is taken.
        let copy = Arc::new(match item {
            Item::Events(batch) => Item::Events(batch.clone()),
            Item::Census(census) => Item::Census(census.clone()),
            Item::Mark(mark) | Item::End(mark) => Item::Mark(*mark),
        });
        self.kept().add(now, copy);
    }

    /// Keeps alerts.
    pub fn add_alerts(&self, alerts: Vec<Alert>) {
        let mut kept = self.kept();
        for alert in alerts {
            kept.alert_bytes += alert.bytes();
            kept.alerts.push_back(alert);
        }
        while kept.alert_bytes > MAX_ALERT_BYTES
            && let Some(oldest) = kept.alerts.pop_front()
        {
            kept.alert_bytes -= oldest.bytes();
        }
    }

    /// The page about the last minutes. It takes long if there were many events.
    ///
    /// # Errors
    ///
    /// If the page cannot be written.
    pub fn page(&self) -> Result<String, ReportError> {
        let page = report::render(&self.collected());
        // What was collected is gone: up to 100 MB, until the next report.
        heap::give_back();
        page
    }

    fn collected(&self) -> Collected {
        let kept = self.kept();
        // Copies of pointers: the stream waits for no report.
        let items: Vec<_> = kept
            .items
            .iter()
            .map(|(_, item)| Arc::clone(item))
            .collect();
        let mut collected = Collected::default();
        collected.begin(Source {
            name: match kept.is_live {
                true => "the live probe".to_owned(),
                false => "a replay".to_owned(),
            },
            host: kept.host.clone(),
            cut: None,
        });
        let time = "the last 15 minutes".to_owned();
        collected.selection.push(("time".to_owned(), time));
        if let Some(time) = kept.made_room {
            let since = format!(
                "after {}: earlier ones were removed because memory was full",
                timestamp::show(time, 0)
            );
            collected.selection.push(("only events".to_owned(), since));
        }
        let begin = kept.items.front().map_or(Duration::ZERO, |(first, _)| {
            // A batch has the moment of its last event.
            first.wall_time.saturating_sub(Duration::from_secs(1))
        });
        let alerts: Vec<_> = kept
            .alerts
            .iter()
            .filter(|alert| alert.wall_time >= begin)
            .cloned()
            .collect();
        drop(kept);
        for item in items {
            collect::item(&item, &mut collected);
        }
        for alert in alerts {
            collected.alert(collect::alert(alert));
        }
        collected
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, now: Moment, item: Arc<Item>) {
        self.bytes += size(&item);
        self.items.push_back((now, item));
        let is_old = |item: &Moment| item.time.saturating_add(TIME) < now.time;
        while let Some((oldest, _)) = self.items.front()
            && (is_old(oldest) || self.bytes > MAX_BYTES)
        {
            if !is_old(oldest) {
                self.made_room = Some(oldest.wall_time);
            }
            if let Some((_, oldest)) = self.items.pop_front() {
                self.bytes -= size(&oldest);
            }
        }
        // All that made room would be too old by now.
        let made_room = self.made_room;
        self.made_room = made_room.filter(|time| time.saturating_add(TIME) >= now.wall_time);
    }
}

fn size(item: &Item) -> usize {
    ITEM_BYTES
        + match item {
            Item::Events(batch) => batch.records().len() + batch.labels.bytes(),
            Item::Census(census) => census.as_bytes().len(),
            Item::Mark(_) | Item::End(_) => 0,
        }
}

/// Keeps the alerts of the chain.
pub struct Alerts(pub Arc<super::Metrics>);

impl Destination for Alerts {
    fn name(&self) -> &str {
        "report"
    }

    fn subscription(&self) -> Subscription {
        Subscription {
            alerts: true,
            ..Subscription::default()
        }
    }

    fn deliver(&mut self, message: Message) -> u64 {
        let Message::Alerts(alerts) = message else {
            return 0;
        };
        let count = alerts.len() as u64;
        self.0.recent().add_alerts(alerts);
        count
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;
    use crate::stream::alert::Severity;
    use crate::stream::alert::State;
    use crate::stream::batch::Batch;
    use crate::stream::census::Census;
    use crate::stream::moment::Mark;

    const DAY: Duration = Duration::from_secs(1_800_000_000);

    fn at(seconds: u64) -> Moment {
        let time = Duration::from_secs(seconds);
        Moment {
            time,
            wall_time: DAY + time,
        }
    }

    fn events(now: Moment, number: usize) -> Item {
        let mut event = Record::new();
        event.set_time(now.time);
        event.set_wall_time(now.wall_time);
        event.set_segments(Some(1));
        let mut batch = Batch::new();
        (0..number).for_each(|_| batch.push(event.as_bytes()));
        Item::Events(batch)
    }

    fn mark(now: Moment) -> Item {
        Item::Mark(Mark {
            time: now.time,
            wall_time: now.wall_time,
            lost: 0,
        })
    }

    fn alert(now: Moment, summary: &str) -> Alert {
        Alert {
            plugin: "p".to_owned(),
            name: "n".to_owned(),
            severity: Severity::Warning,
            state: State::Firing,
            summary: summary.to_owned(),
            labels: Vec::new(),
            connection: None,
            wall_time: now.wall_time,
        }
    }

    #[test]
    fn a_report_has_what_is_not_older_than_a_quarter_of_an_hour() {
        let recent = Recent::default();
        recent.begin(&About {
            is_live: true,
            host: None,
        });
        for second in 0..2_000 {
            recent.add(&events(at(second), 2));
            recent.add(&mark(at(second)));
        }
        recent.add_alerts(vec![alert(at(10), "early"), alert(at(1_500), "late")]);
        let collected = recent.collected();
        // From 1,099 to 1,999.
        assert_eq!(collected.sums.events, 2 * 901);
        assert_eq!(
            collected.span(),
            Some((at(1_099).wall_time, at(1_999).wall_time))
        );
        assert_eq!(collected.alerts.fired, 1);
        let time = ("time".to_owned(), "the last 15 minutes".to_owned());
        assert_eq!(collected.selection, [time]);
        let page = recent.page().expect("a page");
        assert!(page.contains("the last 15 minutes"));
    }

    #[test]
    fn memory_is_bounded_and_what_made_room_is_told() {
        let recent = Recent::default();
        let full = |second| events(at(second), 256);
        for second in 0..800 {
            recent.add(&full(second));
        }
        let bytes = |recent: &Recent| recent.kept().bytes;
        let each = bytes(&recent) / recent.kept().items.len();
        assert!((MAX_BYTES - each..=MAX_BYTES).contains(&bytes(&recent)));
        let collected = recent.collected();
        let kept = MAX_BYTES / each;
        assert_eq!(collected.sums.events, 256 * kept as u64);
        let (name, since) = &collected.selection[1];
        assert_eq!(name, "only events");
        let last = timestamp::show(at(799 - kept as u64).wall_time, 0);
        assert!(since.contains(&last), "{since} {last}");
        // A quarter of an hour later nothing is missing.
        for second in 1_700..1_710 {
            recent.add(&mark(at(second)));
        }
        assert_eq!(recent.collected().selection.len(), 1);
    }

    #[test]
    fn a_census_that_is_larger_than_all_room_is_not_kept() {
        let recent = Recent::default();
        recent.add(&events(at(1), 1));
        let rows = (MAX_BYTES / retrans_event::CENSUS_ROW_SIZE) + 1;
        let bytes = retrans_event::CensusRow::EMPTY.to_bytes().repeat(rows);
        let census = Census::from_bytes(bytes).expect("whole rows");
        recent.add(&Item::Census(census));
        assert_eq!(recent.kept().bytes, 0);
        recent.add(&events(at(2), 1));
        assert_eq!(recent.collected().sums.events, 1);
    }

    #[test]
    fn alerts_are_bounded() {
        let recent = Recent::default();
        let long = "x".repeat(10_000);
        for _ in 0..1_000 {
            recent.add_alerts(vec![alert(at(1), &long)]);
        }
        let kept = recent.kept();
        assert!(kept.alert_bytes <= MAX_ALERT_BYTES);
        assert!(kept.alerts.len() > 100, "{}", kept.alerts.len());
    }
}
