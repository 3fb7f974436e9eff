//! All receivers of a host, and the thread that delivers to them.

pub(crate) mod courier;

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;

use self::courier::Counter;
use self::courier::Desk;
use self::courier::Route;
use crate::alert::Alert;
use crate::alertmanager;
use crate::counted::Counted;
use crate::limit::Limit;
use crate::moment::Clock;
use crate::moment::Moment;
use crate::otlp;
use crate::otlp::Item;
use crate::otlp::Latest;
use crate::otlp::Logs;
use crate::otlp::Metrics;
use crate::outbox::Outbox;
use crate::webhook;

/// Most threads for what takes time: two look-ups of names of hosts, for which the C library waits, and a slow page.
const MAX_HELPERS: usize = 3;

/// The receivers of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Number of new alerts a minute that each plugin may raise. `None`: no limit.
    pub alerts_per_minute: Option<NonZeroU32>,
    /// Alertmanagers, each with its replicas.
    pub alertmanagers: Vec<alertmanager::Config>,
    /// Webhooks.
    pub webhooks: Vec<webhook::Config>,
    /// Collectors of OTLP.
    pub otlp: Vec<otlp::Config>,
}

/// A receiver cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {cause}")]
pub struct ConfigError {
    /// Its name.
    pub name: String,
    /// Why.
    pub cause: Box<ConfigCause>,
}

/// Why a receiver cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigCause {
    /// An Alertmanager cannot be used.
    #[error(transparent)]
    Alertmanager(#[from] alertmanager::ConfigError),
    /// A webhook cannot be used.
    #[error(transparent)]
    Webhook(#[from] webhook::ConfigError),
    /// A collector cannot be used.
    #[error(transparent)]
    Otlp(#[from] otlp::ConfigError),
}

/// The sender of alerts to all receivers. It never waits for the network.
pub struct Outlets {
    clock: Clock,
    shared: Arc<Shared>,
}

/// An event, for collectors of logs.
#[derive(Debug, Clone, Copy)]
pub struct EventRecord<'a> {
    /// The bytes of a [`retrans_event::Event`].
    pub record: &'a [u8],
    /// Its labels. `container.id` and `k8s.pod.uid` say where it belongs.
    pub labels: &'a [(&'a str, &'a str)],
}

/// What runs in the thread that delivers.
pub struct Runner {
    clock: Clock,
    shared: Arc<Shared>,
    couriers: Vec<Task>,
    /// What else runs in the thread.
    tasks: Vec<Task>,
    files: Vec<PathBuf>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Shared {
    limit: Mutex<Limit>,
    /// The limit was reached.
    limit_reached: Notify,
    desks: Vec<Arc<dyn Counter>>,
    /// Those of the desks that take events.
    logs: Vec<Arc<Desk<Logs>>>,
    /// Those of the desks that take metrics.
    metrics: Vec<Arc<Desk<Latest>>>,
    /// Couriers that have not ended.
    running: Mutex<usize>,
    /// Notified when the last courier has ended.
    ended: Condvar,
    /// The thread is to end, whatever is queued.
    stop: Notify,
}

/// Prepares all receivers: checks the configuration, and reads the files that it names. Makes no connection and starts
/// no thread, so that both can be done after the process has given up its privileges.
pub fn prepare(config: &Config) -> Result<(Outlets, Runner), ConfigError> {
    let clock = Clock::start();
    let mut built = Built {
        clock,
        desks: Vec::new(),
        couriers: Vec::new(),
        files: Vec::new(),
    };
    let (mut logs, mut metrics) = (Vec::new(), Vec::new());
    for config in &config.alertmanagers {
        let prepared = alertmanager::prepare(config).map_err(of(&config.name))?;
        let (active, routes) = prepared;
        built.add(active, routes);
    }
    for config in &config.webhooks {
        let (queue, route) = webhook::prepare(config).map_err(of(&config.name))?;
        built.add(queue, vec![route]);
    }
    for config in &config.otlp {
        let prepared = otlp::prepare(config).map_err(of(&config.name))?;
        if let Some((outbox, route)) = prepared.logs {
            logs.push(built.add(outbox, vec![route]));
        }
        if let Some((outbox, route)) = prepared.metrics {
            metrics.push(built.add(outbox, vec![route]));
        }
    }
    let shared = Arc::new(Shared {
        limit: Mutex::new(Limit::new(config.alerts_per_minute)),
        limit_reached: Notify::new(),
        desks: built.desks,
        logs,
        metrics,
        running: Mutex::new(built.couriers.len()),
        ended: Condvar::new(),
        stop: Notify::new(),
    });
    let runner = Runner {
        clock,
        shared: Arc::clone(&shared),
        couriers: built.couriers,
        tasks: Vec::new(),
        files: built.files,
    };
    Ok((Outlets { clock, shared }, runner))
}

/// The error of the receiver with this name.
fn of<E: Into<ConfigCause>>(name: &str) -> impl FnOnce(E) -> ConfigError {
    move |cause| ConfigError {
        name: name.to_owned(),
        cause: Box::new(cause.into()),
    }
}

struct Built {
    clock: Clock,
    desks: Vec<Arc<dyn Counter>>,
    couriers: Vec<Task>,
    files: Vec<PathBuf>,
}

impl Built {
    fn add<O: Outbox>(&mut self, outbox: O, routes: Vec<Route<O::Job>>) -> Arc<Desk<O>> {
        let desk = Desk::new(outbox, routes.len());
        for (receiver, route) in routes.into_iter().enumerate() {
            self.files.extend(route.files());
            let courier = courier::run(Arc::clone(&desk), receiver, route, self.clock);
            self.couriers.push(Box::pin(courier));
        }
        self.desks.push(Arc::clone(&desk) as Arc<dyn Counter>);
        desk
    }
}

impl Shared {
    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands alerts about the limit to all receivers.
    fn tell_of_limit(&self, clock: Clock) {
        let now = clock.now();
        let own = self.limit().take_own(now);
        let own: Vec<(&Alert, bool)> = own.iter().map(|alert| (alert, true)).collect();
        self.accept(&own, now);
    }

    fn accept(&self, alerts: &[(&Alert, bool)], now: Moment) {
        if !alerts.is_empty() {
            self.desks.iter().for_each(|desk| desk.accept(alerts, now));
        }
    }
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
        for desk in &self.shared.logs {
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
        for desk in &self.shared.metrics {
            desk.change(|latest| latest.replace(Arc::clone(&metrics)));
        }
    }

    /// Returns whether a collector takes events.
    pub fn take_events(&self) -> bool {
        !self.shared.logs.is_empty()
    }

    /// Returns whether a collector takes metrics.
    pub fn take_metrics(&self) -> bool {
        !self.shared.metrics.is_empty()
    }

    /// The counters of each receiver so far.
    pub fn counted(&self) -> Vec<Counted> {
        self.shared
            .desks
            .iter()
            .flat_map(|desk| desk.counted())
            .collect()
    }

    /// Delivers what is queued, for this time at most, and ends the thread. Returns the final counters of each
    /// receiver: what is not delivered by then remains counted as queued. Alerts that fire are not resolved: at an
    /// Alertmanager they end by themselves.
    pub fn finish(&self, timeout: Duration) -> Vec<Counted> {
        self.shared.desks.iter().for_each(|desk| desk.close());
        let running = self.shared.running();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(running, timeout, |running| *running > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
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

impl Runner {
    /// The files that are read again during the run: secrets, so that they can be renewed. Where they can no longer be
    /// read, they stay as they are.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Runs a further task in the same thread, from the start until the end of [`run`](Runner::run), which does not wait
    /// for it: the task is dropped then. It must not block the thread.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(Box::pin(task));
    }

    /// Delivers, until [`Outlets::finish`]. Call it in a thread of its own. It starts at most three further threads, to
    /// look up the names of hosts and to make slow pages.
    pub fn run(mut self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(MAX_HELPERS)
            .thread_name("network helper")
            .build()?;
        let shared = Arc::clone(&self.shared);
        for courier in std::mem::take(&mut self.couriers) {
            let running = Running(Arc::clone(&shared));
            runtime.spawn(async move {
                courier.await;
                drop(running);
            });
        }
        for task in std::mem::take(&mut self.tasks) {
            runtime.spawn(task);
        }
        runtime.spawn(watch_limit(Arc::clone(&shared), self.clock));
        runtime.block_on(shared.stop.notified());
        // A look-up that hangs does not keep the thread.
        runtime.shutdown_background();
        Ok(())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Couriers that never ran.
        *self.shared.running() -= self.couriers.len();
        self.shared.ended.notify_all();
    }
}

/// Counts a courier as ended, also if it panics.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.running() -= 1;
        self.0.ended.notify_all();
    }
}

/// Tells when the limit is over.
async fn watch_limit(shared: Arc<Shared>, clock: Clock) {
    loop {
        let next = shared.limit().next();
        let reached = shared.limit_reached.notified();
        match next {
            None => reached.await,
            Some(next) => {
                let next = clock.instant(next).into();
                if tokio::time::timeout_at(next, reached).await.is_err() {
                    shared.tell_of_limit(clock);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
