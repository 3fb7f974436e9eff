//! Publishes what this host observes: an observer of the stream splits it by partitions, and hands fragments to the
//! publisher, which never waits for the network.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::Result;
use retrans_fleet::connect::Prepared;
use retrans_fleet::names::AgentRun;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partitions;
use retrans_fleet::publish;
use retrans_fleet::publish::Publisher;
use retrans_fleet::publish::PublisherConfig;
use retrans_fleet::publish::SpoolConfig;
use serde_json::json;

use super::broker;
use super::split::Fragment;
use super::split::Splitter;
use crate::capture::Host;
use crate::capture::fragment;
use crate::config::Publish;
use crate::observer::Observer;
use crate::stats::Stats;
use crate::stats::fleet::PublishStats;
use crate::stream::batch::Item;
use crate::stream::clock::Clock;
use crate::system::procfs;
use crate::system::sandbox::files;
use crate::system::sandbox::files::Files;
use crate::system::threads;

/// What is to be published: prepared while the process has all its rights.
pub struct Plan(Option<Prepare>);

struct Prepare {
    broker: Prepared,
    config: Publish,
    partitions: Partitions,
    name: String,
}

/// Which clock tells how old events are when they are published.
pub enum AgentClock {
    /// That of this machine.
    Live(Clock),
    /// The time of the stream: of a replay.
    Stream,
}

impl Plan {
    /// Reads the files that prove the identity. Connects to nothing.
    ///
    /// # Errors
    ///
    /// If one cannot be used.
    pub fn prepare(config: Option<&Publish>) -> Result<Plan> {
        let Some(config) = config else {
            return Ok(Plan(None));
        };
        let name = config.name.clone();
        let name = name.unwrap_or_else(|| procfs::of_kernel("hostname"));
        let partitions = Partitions::new(config.partitions);
        let broker = broker::prepare(&config.broker, &format!("retrans-host {name}"));
        Ok(Plan(Some(Prepare {
            broker: broker.context("cannot publish")?,
            config: config.clone(),
            partitions: partitions.unwrap_or(Partitions::DEFAULT),
            name,
        })))
    }

    /// Makes the directory of the spool, unless it is there: a sandbox allows directories that are.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn make_directory(self) -> Result<Plan> {
        for directory in self.written() {
            std::fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        }
        Ok(self)
    }

    /// Whether something is published: connections are made.
    pub fn connects(&self) -> bool {
        self.0.is_some()
    }

    /// The directory that is written to.
    pub fn written(&self) -> Vec<PathBuf> {
        let spool = self.0.as_ref().and_then(|plan| plan.config.spool.clone());
        spool.into_iter().collect()
    }

    /// Allows what connecting reads.
    pub fn allow_files(&self, files: &mut Files) {
        let Some(plan) = &self.0 else {
            return;
        };
        for file in plan.broker.files() {
            files::directories(&file)
                .into_iter()
                .for_each(|directory| files.read(directory));
        }
        crate::network::allow_names(files);
        self.written().iter().for_each(|spool| files.write(spool));
    }

    /// Starts the thread that publishes. `host` is the machine of the events.
    ///
    /// # Errors
    ///
    /// If the spool cannot be used.
    pub fn start(
        self,
        host: Option<&Host>,
        clock: AgentClock,
    ) -> Result<Option<Box<dyn Observer>>> {
        let Plan(Some(plan)) = self else {
            return Ok(None);
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start = now.unwrap_or_default().as_nanos() as u64;
        let boot = match &clock {
            AgentClock::Live(_) => procfs::of_kernel("random/boot_id"),
            // Several replays of one capture are no duplicates of each other.
            AgentClock::Stream => format!("replay-{}", std::process::id()),
        };
        let stream_time = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&stream_time);
        let config = PublisherConfig {
            broker: plan.broker,
            host: HostToken::of(&plan.name),
            run: AgentRun { boot, start },
            head: fragment::head().context("cannot encode the layout of events")?,
            partitions: plan.partitions,
            spool: SpoolConfig {
                directory: plan.config.spool,
                max_bytes: plan.config.spool_size,
            },
            clock: match clock {
                AgentClock::Live(clock) => Box::new(move || clock.now().boot()),
                AgentClock::Stream => {
                    Box::new(move || Duration::from_nanos(shown.load(Ordering::Relaxed)))
                }
            },
        };
        let (publisher, runner) = publish::prepare(config).context("cannot publish")?;
        let run = move || {
            if let Err(error) = runner.run() {
                tracing::error!("nothing is published: {error}");
            }
        };
        let thread = threads::named("publish").spawn(run);
        thread.context("cannot start the thread that publishes")?;
        let splitter = Splitter::new(plan.partitions, &plan.name);
        let mut agent = Agent {
            publisher: Some(publisher),
            wait: plan.config.wait,
            splitter: splitter.context("cannot compress events")?,
            kernel: host.map(|host| host.kernel.clone()),
            stream_time,
            lost: 0,
            stats: PublishStats::default(),
        };
        agent.describe();
        Ok(Some(Box::new(agent)))
    }
}

/// The observer.
struct Agent {
    /// `None` after the end.
    publisher: Option<Publisher>,
    /// How long the end waits for the broker.
    wait: Duration,
    splitter: Splitter,
    kernel: Option<String>,
    /// The latest time of the stream, in nanoseconds.
    stream_time: Arc<AtomicU64>,
    /// Events that the source has lost.
    lost: u64,
    stats: PublishStats,
}

impl Agent {
    fn publish(&mut self, fragments: std::io::Result<Vec<Fragment>>) {
        let Some(publisher) = &self.publisher else {
            return;
        };
        match fragments {
            Ok(fragments) => {
                for Fragment {
                    partition,
                    payload,
                    events,
                } in fragments
                {
                    publisher.publish(partition, payload, events);
                }
            }
            // Only a fragment beyond the bounds of a frame cannot be made.
            Err(error) => tracing::error!("cannot encode events to publish: {error}"),
        }
    }

    /// What the host says of itself in the broker.
    fn describe(&mut self) {
        if let Some(publisher) = &self.publisher {
            publisher.describe(json!({
                "version": env!("CARGO_PKG_VERSION"),
                "kernel": self.kernel,
                "lost": self.lost,
            }));
        }
    }

    fn note_time(&self, item: &Item) {
        let time = match item {
            Item::Events(batch) => batch.now().time,
            Item::Census(census) => census.now().map_or(Duration::ZERO, |now| now.time),
            Item::Mark(mark) | Item::End(mark) => mark.time,
        };
        self.stream_time
            .fetch_max(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

fn stats(counts: &publish::PublishCounts) -> PublishStats {
    PublishStats {
        events: counts.published.events,
        earlier: counts.inherited.events,
        acknowledged: counts.acknowledged.events,
        dropped: counts.dropped.events,
        spooled: counts.queued.events,
    }
}

impl Observer for Agent {
    fn item(&mut self, item: &Item) {
        self.note_time(item);
        let full = self.splitter.item(item);
        self.publish(full);
        self.lost = self.lost.saturating_add(match item {
            Item::Events(batch) => batch.lost,
            Item::Mark(mark) | Item::End(mark) => mark.lost,
            Item::Census(_) => 0,
        });
        if let Item::Mark(_) | Item::End(_) = item {
            let rest = self.splitter.flush();
            self.publish(rest);
            self.describe();
        }
    }

    fn finish(&mut self) {
        let rest = self.splitter.flush();
        self.publish(rest);
        if let Some(publisher) = self.publisher.take() {
            self.stats = stats(&publisher.finish(self.wait));
        }
    }

    fn report(&self, stats: &mut Stats) {
        let counted = self.publisher.as_ref().map(|publisher| publisher.counted());
        stats.published = Some(match counted {
            Some(counted) => self::stats(&counted),
            None => self.stats.clone(),
        });
    }
}
