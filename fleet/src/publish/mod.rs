//! Publishes frames: they are handed over without waiting, kept in a spool, and sent in order in each partition.

mod backoff;
mod counts;
mod presence;
mod sender;
mod shared;
mod spool;

pub use counts::Amount;
pub use counts::PublishCounts;
pub use counts::PublishError;
pub use presence::AgentReport;
pub use spool::SpoolConfig;
pub use spool::SpoolError;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::connect::Prepared;
use crate::names::AgentRun;
use crate::names::HostToken;
use crate::partition::Partition;
use crate::partition::Partitions;
use sender::Sender;
use shared::EndOnDrop;
use shared::Shared;
use spool::Spool;

/// The agent's clock: time since boot.
pub type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// What a publisher needs.
pub struct PublisherConfig {
    /// The broker. Its answers come to the inbox of this host's agent.
    pub broker: Prepared,
    /// The host in whose name it publishes.
    pub host: HostToken,
    /// This run.
    pub run: AgentRun,
    /// The head of the frames of this run.
    pub head: Vec<u8>,
    /// The number of partitions that frames are made for. If the fleet has another one, nothing is sent.
    pub partitions: Partitions,
    /// Where frames are kept until they are acknowledged.
    pub spool: SpoolConfig,
    /// The agent's clock, which each frame is stamped with when it is sent.
    pub clock: Clock,
}

/// A publisher cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system refuses a thread.
    #[error("cannot start the thread that publishes: {0}")]
    Thread(io::Error),
}

/// Publishes frames.
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What sends the frames: runs in a thread until [`Publisher::finish`].
pub struct Runner {
    sender: Sender,
    ended: EndOnDrop,
}

/// Opens the spool, and connects to nothing yet: the caller starts the thread, with [`Runner::run`].
///
/// # Errors
///
/// If the spool cannot be used.
pub fn prepare(config: PublisherConfig) -> Result<(Publisher, Runner), StartError> {
    let spool = Spool::open(config.run.clone(), config.head, &config.spool)?;
    let shared = Arc::new(Shared::new(spool));
    let sender = Sender {
        shared: Arc::clone(&shared),
        broker: config.broker.of_agent(&config.host),
        host: config.host,
        run: config.run,
        partitions: config.partitions,
        clock: config.clock,
    };
    let publisher = Publisher {
        shared,
        thread: None,
    };
    let ended = EndOnDrop(Arc::clone(&sender.shared));
    Ok((publisher, Runner { sender, ended }))
}

impl Runner {
    /// Sends frames until [`Publisher::finish`], or until the publisher is dropped.
    ///
    /// # Errors
    ///
    /// If the system refuses what a runtime needs: nothing is sent then.
    pub fn run(self) -> io::Result<()> {
        let Runner { sender, ended } = self;
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().enable_time().build()?;
        runtime.block_on(sender.run());
        // What looks up names may hang: it is not waited for.
        runtime.shutdown_background();
        drop(ended);
        Ok(())
    }
}

impl Publisher {
    /// Opens the spool, and starts the thread `publish`. The broker may be away: frames are kept then.
    ///
    /// # Errors
    ///
    /// If the spool cannot be used, or the system refuses a thread.
    pub fn start(config: PublisherConfig) -> Result<Publisher, StartError> {
        let (mut publisher, runner) = prepare(config)?;
        let run = || {
            if let Err(error) = runner.run() {
                tracing::error!("nothing is published: {error}");
            }
        };
        let thread = std::thread::Builder::new().name("publish".to_owned());
        publisher.thread = Some(thread.spawn(run).map_err(StartError::Thread)?);
        Ok(publisher)
    }

    /// Hands a frame over, with its number of events. Never waits for the network. If there is no room, the oldest
    /// frames are dropped and counted.
    pub fn publish(&self, partition: Partition, frame: Vec<u8>, events: u64) {
        self.shared.spool().append(partition, frame.into(), events);
        self.shared.wake.notify_one();
    }

    /// Sets what the agent says of itself in the broker, as a JSON object: version, kernel, losses, coverage. It is
    /// written within 10 s.
    pub fn describe(&self, about: serde_json::Value) {
        *self.shared.about() = about;
    }

    /// The counters of this moment.
    pub fn counted(&self) -> PublishCounts {
        self.shared.spool().counts().clone()
    }

    /// Sends what is there within this time, and ends; it does not wait if rights or settings have to be changed first.
    /// Returns the final counters: what was not sent is left in the directory of the spool (`queued`), or dropped if
    /// the spool is in memory.
    pub fn finish(mut self, timeout: Duration) -> PublishCounts {
        self.shared.finish(Instant::now() + timeout);
        self.shared.wait_for_end(timeout + shared::END_TIMEOUT);
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
        let mut spool = self.shared.spool();
        spool.end();
        spool.counts().clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.finish(Instant::now());
    }
}
