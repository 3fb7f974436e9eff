//! One receiver: its configuration, its desks, and the couriers that deliver from them.

use std::fs::File;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::config::Config;
use super::config::ConfigCause;
use super::config::ConfigError;
use super::courier;
use super::courier::Counter;
use super::courier::Desk;
use super::courier::Route;
use crate::alertmanager;
use crate::alertmanager::Active;
use crate::moment::Clock;
use crate::otlp;
use crate::otlp::Latest;
use crate::otlp::Logs;
use crate::outbox::Outbox;
use crate::webhook;
use crate::webhook::UrlSource;

/// Number of bytes of a file that are compared.
const MAX_COMPARED: u64 = 4 << 20;

/// What runs in the thread.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The configuration of one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Receiver {
    Alertmanager(alertmanager::Config),
    Webhook(webhook::Config),
    Otlp(otlp::Config),
}

impl Receiver {
    /// All of a configuration, in its order.
    pub(super) fn all(config: &Config) -> Vec<Receiver> {
        let alertmanagers = config.alertmanagers.iter().cloned();
        let webhooks = config.webhooks.iter().cloned();
        let otlp = config.otlp.iter().cloned();
        let alertmanagers = alertmanagers.map(Receiver::Alertmanager);
        let others = webhooks.map(Receiver::Webhook);
        let others = others.chain(otlp.map(Receiver::Otlp));
        alertmanagers.chain(others).collect()
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Receiver::Alertmanager(config) => &config.name,
            Receiver::Webhook(config) => &config.name,
            Receiver::Otlp(config) => &config.name,
        }
    }

    /// Plugins that resolve their alerts.
    fn resolving_plugins(&self) -> &[String] {
        match self {
            Receiver::Alertmanager(config) => &config.resolving_plugins,
            Receiver::Webhook(_) | Receiver::Otlp(_) => &[],
        }
    }

    /// Without what a receiver learns while it runs.
    fn fixed(&self) -> Receiver {
        let mut fixed = self.clone();
        if let Receiver::Alertmanager(config) = &mut fixed {
            config.resolving_plugins.clear();
        }
        fixed
    }

    /// The files that are read when it is prepared, and not again.
    fn files_read_once(&self) -> Vec<&Path> {
        let mut files = Vec::new();
        match self {
            Receiver::Alertmanager(config) => files.extend(config.http.files()),
            Receiver::Webhook(config) => {
                if let UrlSource::File(file) = &config.url {
                    files.push(file);
                }
                files.extend(config.http.files());
            }
            Receiver::Otlp(config) => {
                let signals = [&config.logs, &config.metrics];
                let signals = signals.into_iter().flatten();
                files.extend(signals.flat_map(|signal| signal.http.files()));
            }
        }
        files
    }

    /// A hash of the contents of these files. One that cannot be read is empty.
    fn contents(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for file in self.files_read_once() {
            let mut bytes = Vec::new();
            let read = File::open(file);
            let _ = read.and_then(|file| file.take(MAX_COMPARED).read_to_end(&mut bytes));
            bytes.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Reads its files, and makes its desks and couriers. The couriers count as running from now on.
    pub(super) fn prepare(
        self,
        clock: Clock,
        running: &Arc<Running>,
    ) -> Result<(Outlet, Vec<Task>), ConfigError> {
        let mut built = Built {
            clock,
            running,
            couriers: Vec::new(),
            // Before they are read: if they change meanwhile, they differ the next time.
            outlet: Outlet {
                contents: self.contents(),
                files: Vec::new(),
                receiver: self.clone(),
                desks: Vec::new(),
                active: None,
                logs: None,
                metrics: None,
                couriers: Mutex::default(),
            },
        };
        built.build().map_err(|cause| ConfigError {
            name: self.name().to_owned(),
            cause: Box::new(cause),
        })?;
        Ok((built.outlet, built.couriers))
    }
}

/// A receiver that is being prepared.
struct Built<'a> {
    clock: Clock,
    running: &'a Arc<Running>,
    outlet: Outlet,
    couriers: Vec<Task>,
}

impl Built<'_> {
    fn build(&mut self) -> Result<(), ConfigCause> {
        match self.outlet.receiver.clone() {
            Receiver::Alertmanager(config) => {
                let (active, routes) = alertmanager::prepare(&config)?;
                self.outlet.active = Some(self.add(active, routes));
            }
            Receiver::Webhook(config) => {
                let (queue, route) = webhook::prepare(&config)?;
                self.add(queue, vec![route]);
            }
            Receiver::Otlp(config) => {
                let prepared = otlp::prepare(&config)?;
                if let Some((outbox, route)) = prepared.logs {
                    self.outlet.logs = Some(self.add(outbox, vec![route]));
                }
                if let Some((outbox, route)) = prepared.metrics {
                    self.outlet.metrics = Some(self.add(outbox, vec![route]));
                }
            }
        }
        Ok(())
    }

    fn add<O: Outbox>(&mut self, outbox: O, routes: Vec<Route<O::Job>>) -> Arc<Desk<O>> {
        let desk = Desk::new(outbox, routes.len());
        for (receiver, route) in routes.into_iter().enumerate() {
            self.outlet.files.extend(route.files());
            let courier = courier::run(Arc::clone(&desk), receiver, route, self.clock);
            let running = self.running.begin();
            self.couriers.push(Box::pin(async move {
                courier.await;
                drop(running);
            }));
        }
        self.outlet
            .desks
            .push(Arc::clone(&desk) as Arc<dyn Counter>);
        desk
    }
}

/// One receiver.
pub(super) struct Outlet {
    receiver: Receiver,
    /// Hash of the contents of the files that were read once.
    contents: u64,
    /// The files that are read again during the run.
    pub(super) files: Vec<PathBuf>,
    pub(super) desks: Vec<Arc<dyn Counter>>,
    /// The one that holds active alerts.
    active: Option<Arc<Desk<Active>>>,
    /// The one that takes events.
    pub(super) logs: Option<Arc<Desk<Logs>>>,
    /// The one that takes metrics.
    pub(super) metrics: Option<Arc<Desk<Latest>>>,
    /// Those that were started.
    couriers: Mutex<Vec<JoinHandle<()>>>,
}

impl Outlet {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.receiver.name()
    }

    /// Returns whether it is what this configuration, with the contents of the files now, would make.
    pub(super) fn is(&self, receiver: &Receiver) -> bool {
        self.receiver.fixed() == receiver.fixed() && self.contents == receiver.contents()
    }

    /// Learns which plugins resolve their alerts.
    pub(super) fn learn(&self, receiver: &Receiver) {
        if let Some(desk) = &self.active {
            desk.change(|active| {
                let plugins = receiver.resolving_plugins().iter();
                plugins.for_each(|plugin| active.learn_resolving(plugin));
            });
        }
    }

    /// Starts its couriers, in the runtime of the caller.
    pub(super) fn start(&self, couriers: Vec<Task>) {
        let couriers = couriers.into_iter().map(tokio::spawn);
        self.couriers().extend(couriers);
    }

    /// Takes the couriers that were started.
    pub(super) fn take_couriers(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.couriers())
    }

    fn couriers(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.couriers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of couriers that have not ended.
#[derive(Default)]
pub(super) struct Running {
    number: Mutex<usize>,
    /// Notified when a courier has ended.
    ended: Condvar,
}

impl Running {
    /// Counts a courier, until the guard is dropped.
    fn begin(self: &Arc<Running>) -> RunningGuard {
        *self.number() += 1;
        RunningGuard(Arc::clone(self))
    }

    /// Waits until there is none, for this time at most.
    pub(super) fn wait_for_end(&self, timeout: Duration) {
        let ended = &self.ended;
        let waited = ended.wait_timeout_while(self.number(), timeout, |number| *number > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn number(&self) -> MutexGuard<'_, usize> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a courier as ended when it is dropped: also one that panics, or that never ran.
struct RunningGuard(Arc<Running>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        *self.0.number() -= 1;
        self.0.ended.notify_all();
    }
}
