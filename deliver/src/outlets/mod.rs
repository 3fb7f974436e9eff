//! All receivers of a host, and the thread that delivers to them.
//!
//! ```text
//!  outlet     one receiver: its configuration, its desks and its couriers
//!  courier    desks, and the task that delivers from one of them
//!  receivers  those that there are, and what those before them have counted
//!  runner     the thread: starts couriers, and ends those of receivers that are gone
//!  shared     what the thread and the sender of alerts share
//!  config     the configuration of all
//! ```

mod config;
pub(crate) mod courier;
mod outlet;
mod receivers;
mod runner;
mod shared;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;

pub use self::config::Config;
pub use self::config::ConfigCause;
pub use self::config::ConfigError;
pub use self::receivers::Changed;
pub use self::runner::Runner;

use self::outlet::Receiver;
use self::shared::Shared;
use crate::alert::Alert;
use crate::counted::Counted;
use crate::event_record::EventRecord;
use crate::limit::Limit;
use crate::moment::Clock;
use crate::otlp::Item;
use crate::otlp::Metrics;

/// The sender of alerts to all receivers. It never waits for the network.
pub struct Outlets {
    clock: Clock,
    shared: Arc<Shared>,
}

/// Prepares all receivers: checks the configuration, and reads the files that it names. Makes no connection and starts
/// no thread, so that both can be done after the process has given up its privileges.
pub fn prepare(config: &Config) -> Result<(Outlets, Runner), ConfigError> {
    let clock = Clock::start();
    let (steps, received) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        limit: Mutex::new(Limit::new(config.alerts_per_minute)),
        limit_reached: Notify::new(),
        receivers: RwLock::default(),
        changing: Mutex::default(),
        steps,
        running: Arc::default(),
        stop: Notify::new(),
    });
    let outlets = Outlets { clock, shared };
    outlets.change(config, Duration::ZERO)?;
    let files = outlets.shared.receivers().files();
    let runner = Runner::new(clock, Arc::clone(&outlets.shared), received, files);
    Ok((outlets, runner))
}

impl Outlets {
    /// Hands alerts to every receiver. Those that find no room, or are beyond the limit, are counted as dropped.
    pub fn send(&self, alerts: &[Alert]) {
        let now = self.clock.now();
        let alerts: Vec<(&Alert, bool)> = {
            let mut limit = self.shared.limit();
            let alerts = alerts.iter();
            alerts
                .map(|alert| (alert, limit.admits(alert, now)))
                .collect()
        };
        self.shared.accept(&alerts, now);
        let is_beyond = alerts.iter().any(|(_, is_admitted)| !is_admitted);
        if is_beyond {
            self.shared.tell_of_limit(self.clock);
            self.shared.limit_reached.notify_one();
        }
    }

    /// Hands events to every collector of logs. Those that find no room are counted as dropped.
    pub fn send_events(&self, events: &[EventRecord<'_>]) {
        let now = self.clock.now();
        for desk in self.shared.receivers().logs() {
            desk.change(|logs| {
                events
                    .iter()
                    .for_each(|event| logs.push(Item::of(event), now))
            });
        }
    }

    /// Hands metrics to every collector of metrics. They replace those that wait there.
    pub fn send_metrics(&self, metrics: Metrics) {
        let metrics = Arc::new(metrics);
        for desk in self.shared.receivers().metrics() {
            desk.change(|latest| latest.replace(Arc::clone(&metrics)));
        }
    }

    /// Returns whether a collector takes events.
    pub fn take_events(&self) -> bool {
        self.shared.receivers().logs().next().is_some()
    }

    /// Returns whether a collector takes metrics.
    pub fn take_metrics(&self) -> bool {
        self.shared.receivers().metrics().next().is_some()
    }

    /// The counters of each receiver so far: of those that there are, in the order of the configuration, and then of those
    /// that are gone. Those with the same name are counted together.
    pub fn counted(&self) -> Vec<Counted> {
        self.shared.receivers().counted()
    }

    /// Changes the receivers and the limit to this configuration. It reads the files that are named, and must not be
    /// called by what has no time for that.
    ///
    /// - A receiver whose configuration is the same, and the contents of its files, goes on: with its queue, its
    ///   counters and the alerts that it knows to be active. Of the plugins that resolve their alerts, it learns.
    /// - One that is new gets what is sent from now on. Of alerts that are active it learns when they are raised again.
    /// - One that is gone delivers what is queued, for `timeout` at most. The rest is counted as failed, and its
    ///   counters stay in [`counted`](Outlets::counted).
    /// - One whose configuration has changed is both: the new one begins when the old one has ended.
    ///
    /// After [`finish`](Outlets::finish), nothing changes.
    ///
    /// # Errors
    ///
    /// If a receiver that is new cannot be used. Everything stays as it was then.
    pub fn change(&self, config: &Config, timeout: Duration) -> Result<Changed, ConfigError> {
        let shared = &self.shared;
        let _one_at_a_time = shared
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let current = shared.receivers().current().to_vec();
        let wanted = Receiver::all(config);
        let next = receivers::next(&current, wanted, self.clock, &shared.running, timeout)?;
        let changed = next.changed();
        let Some(steps) = shared.receivers_mut().change(next) else {
            return Ok(Changed::default());
        };
        shared.limit().set(config.alerts_per_minute);
        shared.limit_reached.notify_one();
        // Without a thread, its receiving end is gone: what is sent is dropped, and counts as ended.
        let _ = shared.steps.send(steps);
        Ok(changed)
    }

    /// Delivers what is queued, for this time at most, and ends the thread. Returns the final counters of each
    /// receiver: what is not delivered by then remains counted as queued. Alerts that fire are not resolved: at an
    /// Alertmanager they end by themselves.
    pub fn finish(&self, timeout: Duration) -> Vec<Counted> {
        self.shared.receivers_mut().close();
        self.shared.running.wait_for_end(timeout);
        self.shared.stop.notify_one();
        let counted = self.counted();
        for Counted { name, queued, .. } in counted.iter().filter(|counted| counted.queued > 0) {
            tracing::warn!(
                "{name}: {queued} were not delivered within {timeout:?} of the end of the run"
            );
        }
        counted
    }
}

#[cfg(test)]
mod tests;
