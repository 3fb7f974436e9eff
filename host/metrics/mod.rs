//! Metrics of a run, its health, and its last minutes, for those who look at it from outside while it lasts.
//!
//! ```text
//!  source ──observer──▶ counts   events by kind, histograms ─┐
//!                  └──▶ recent   the last 15 minutes ────────┼──▶ pages ──▶ HTTP
//!  every stage ───────▶ stats    what each has counted ──────┘
//! ```
//!
//! A request waits for a short lock, and nothing that is counted waits for an answer.

mod accept;
pub mod counts;
mod exposition;
pub mod family;
mod health;
mod of_counts;
mod of_stats;
#[cfg(feature = "network")]
pub mod pages;
pub mod recent;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use rustix::param::clock_ticks_per_second;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

pub use self::accept::Format;
use self::counts::Counts;
use self::exposition::Writer;
use self::family as families;
use self::health::Phase;
use self::recent::Recent;
use crate::capture;
use crate::observer::Observer;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stream::batch::Item;
use crate::system::procfs;
use crate::system::stdio::StdoutStatus;

/// What a run tells of itself.
pub struct Metrics {
    shared: SharedStats,
    stdout_status: Arc<StdoutStatus>,
    counts: Mutex<Counts>,
    recent: Recent,
    phase: Phase,
    about: OnceLock<About>,
    /// When this process began, in seconds since 1970.
    begun: f64,
}

/// What is known of the run once its source begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whether it watches the live probe.
    pub is_live: bool,
    /// The machine of the events, if it is known.
    pub host: Option<capture::Host>,
}

impl Metrics {
    /// Of a run that has not begun.
    pub fn new(shared: SharedStats, stdout_status: Arc<StdoutStatus>) -> Metrics {
        Metrics {
            shared,
            stdout_status,
            counts: Mutex::default(),
            recent: Recent::default(),
            phase: Phase::default(),
            about: OnceLock::new(),
            begun: now() - age().unwrap_or_default().as_secs_f64(),
        }
    }

    /// What sees the stream of the run, whose source begins.
    pub fn observer(self: &Arc<Metrics>, about: About) -> Box<dyn Observer> {
        self.recent.begin(&about);
        // A run has one source.
        let _ = self.about.set(about);
        Box::new(Watcher(Arc::clone(self)))
    }

    /// The source records, and all plugins run.
    pub fn begin(&self) {
        self.phase.begin();
    }

    /// The source has ended.
    pub fn end(&self) {
        self.phase.end();
    }

    /// The last minutes.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Returns whether the process works: the chain takes what it is offered. If not, why.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn alive(&self) -> Result<(), String> {
        health::alive(self.shared.progress().stalled())
    }

    /// Returns whether the run does all that it is for. If not, why.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn ready(&self) -> Result<(), String> {
        self.phase.is_running()?;
        health::plugins_run(&self.shared.stats())?;
        self.alive()
    }

    /// All metrics in this format.
    pub fn exposition(&self, format: Format) -> String {
        let mut stats = self.shared.stats().clone();
        stats.not_printed = self.stdout_status.not_printed();
        let counts = self.counts().clone();
        let mut writer = Writer::new(format);
        self.write_run(&mut writer);
        of_counts::write(&counts, &mut writer);
        of_stats::write(&stats, counts.lost(), &mut writer);
        writer.finish()
    }

    fn write_run(&self, writer: &mut Writer) {
        let version = env!("CARGO_PKG_VERSION");
        writer.family(&families::BUILD).sample(&[version], 1_u64);
        writer.family(&families::START).sample(&[], self.begun);
        if let Some(About { is_live, host }) = self.about.get() {
            let source = if *is_live { "live" } else { "replay" };
            let attached = host.as_ref().map_or("", |host| host.attached.as_str());
            writer
                .family(&families::RUN)
                .sample(&[source, attached], 1_u64);
        }
        let is_ready = self.ready().is_ok();
        writer
            .family(&families::READY)
            .sample(&[], u64::from(is_ready));
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time now, in seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The time for which this process has lived.
fn age() -> Option<Duration> {
    let directory = procfs::directory(Path::new("/proc"), std::process::id()).ok()?;
    let begun = procfs::started(directory)? as f64 / clock_ticks_per_second() as f64;
    let now = clock_gettime(ClockId::Boottime);
    let now = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    Duration::try_from_secs_f64(now - begun).ok()
}

/// Sees the stream.
struct Watcher(Arc<Metrics>);

impl Observer for Watcher {
    fn item(&mut self, item: &Item) {
        let Watcher(metrics) = self;
        metrics.counts().add(item);
        metrics.recent.add(item);
        metrics.shared.progress().offer();
    }

    fn finish(&mut self) {
        self.0.end();
    }

    fn report(&self, _stats: &mut Stats) {}
}

#[cfg(test)]
mod tests;
