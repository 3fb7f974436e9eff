//! Tells the service manager that events can flow, and what has become of them.
//!
//! The source sends a mark each second, and the chain calls [`Heartbeat::beat`] once it is done with an item, mark or
//! batch: the plugins have seen it, and standard output has taken their lines. So the watchdog is fed as long as the
//! source runs, the chain takes what it sends, and the reader of standard output takes something. A reader that is slow
//! holds the stream up, which is no fault; one that takes nothing at all is one, after the time of the watchdog.

use std::fmt::Write as _;
use std::time::Duration;
use std::time::Instant;

use crate::observer::Observer;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::Item;
use crate::stream::moment::MARK_INTERVAL;
use crate::system::sanitize::quoted;
use crate::system::service_manager::ServiceManager;

/// Interval at which the status is refreshed, if it has changed.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest time of a watchdog that is fed in time although marks come once a second.
const MIN_WATCHDOG: Duration = MARK_INTERVAL.saturating_mul(4);

/// Feeds the watchdog twice within its time.
#[derive(Debug)]
pub struct Heartbeat {
    manager: ServiceManager,
    shared: SharedStats,
    fed: Instant,
    told: Instant,
    status: String,
}

impl Heartbeat {
    /// For a run whose statistics are in `shared`. `None`: there is no manager.
    pub fn new(manager: &ServiceManager, shared: &SharedStats) -> Option<Heartbeat> {
        if manager.watchdog().is_some_and(|time| time < MIN_WATCHDOG) {
            tracing::warn!(
                "the watchdog of the service manager (WatchdogSec=) is shorter than {MIN_WATCHDOG:?}: it may end \
                 this process although it works"
            );
        }
        let now = Instant::now();
        manager.is_there().then(|| Heartbeat {
            manager: manager.clone(),
            shared: shared.clone(),
            fed: now,
            told: now,
            status: String::new(),
        })
    }

    /// Notes that the chain is done with an item.
    pub fn beat(&mut self) {
        let now = Instant::now();
        if let Some(time) = self.manager.watchdog()
            && is_due(now.duration_since(self.fed), time)
            && self.manager.feed_watchdog()
        {
            self.fed = now;
        }
        if now.duration_since(self.told) >= STATUS_INTERVAL {
            self.told = now;
            let status = status(&self.shared.stats());
            if status != self.status {
                self.manager.status(&status);
                self.status = status;
            }
        }
    }
}

/// Returns whether a watchdog with this time is to be fed now: at half of it, or before if the next mark comes later.
fn is_due(since_fed: Duration, time: Duration) -> bool {
    since_fed + MARK_INTERVAL > time / 2
}

/// The numbers of the run, in a line.
fn status(stats: &Stats) -> String {
    let mut line = match &stats.stream {
        Some(StreamStats::Live { kernel, source, .. }) => format!(
            "watching TCP retransmits: {} events, {} lost",
            source.delivered,
            kernel.lost()
        ),
        _ => "watching TCP retransmits".to_owned(),
    };
    let usage = stats.chain.usage.iter();
    for plugin in usage.filter(|usage| usage.is_in_quarantine) {
        // Into memory: it cannot fail.
        let _ = write!(line, "; {} is in quarantine", quoted(&plugin.plugin));
    }
    line
}

/// Tells the manager when the source has ended.
pub struct EndNotice(pub ServiceManager);

impl Observer for EndNotice {
    fn item(&mut self, item: &Item) {
        if let Item::End(_) = item {
            self.0.stopping("ending: plugins get what was recorded");
        }
    }

    fn finish(&mut self) {}

    fn report(&self, _stats: &mut Stats) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counters::KernelStats;
    use crate::stats::counters::OwnerStats;
    use crate::stats::counters::PluginUsage;
    use crate::stats::counters::SourceStats;

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_or_before() {
        let seconds = Duration::from_secs;
        let gaps = |time| {
            // Marks come once a second.
            (1..).map(seconds).find(|since| is_due(*since, time))
        };
        assert_eq!(gaps(seconds(60)), Some(seconds(30)));
        assert_eq!(gaps(seconds(4)), Some(seconds(2)));
        assert_eq!(gaps(seconds(5)), Some(seconds(2)));
        assert_eq!(gaps(seconds(1)), Some(seconds(1)));
    }

    #[test]
    fn the_status_has_numbers_and_names_what_is_left_out() {
        let mut stats = Stats::default();
        assert_eq!(status(&stats), "watching TCP retransmits");
        stats.stream = Some(StreamStats::Live {
            kernel: KernelStats {
                ring_full: 2,
                ..KernelStats::default()
            },
            source: SourceStats {
                delivered: 7,
                ..SourceStats::default()
            },
            owners: OwnerStats::default(),
        });
        stats.chain.usage = vec![PluginUsage {
            plugin: "mine".to_owned(),
            is_in_quarantine: true,
            ..PluginUsage::default()
        }];
        let expected = "watching TCP retransmits: 7 events, 2 lost; mine is in quarantine";
        assert_eq!(status(&stats), expected);
    }
}
