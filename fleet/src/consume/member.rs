//! A consumer among others: takes partitions, gives their messages to the caller's chains, and saves their snapshots.
//! It runs in a thread of its own; chains run in threads of the caller.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::lease_value::Choice;
use super::lock;
use super::member_status::MemberStatus;
use super::message::Message;
use super::out::Line;
use super::phase::Phase;
use super::reader::Break;
use super::reader::StartAt;
use super::run::Run;
use super::snapshot::Snapshot;
use crate::connect::Broker;
use crate::connect::ConnectError;
use crate::connect::Prepared;
use crate::partition::Partition;
use crate::partition::Partitions;
use crate::setup;
use crate::setup::SettingsError;

/// Name of the thread.
const THREAD_NAME: &str = "fleet-consumer";

/// What a member is to do.
pub struct MemberConfig {
    /// The broker. The member has a connection of its own.
    pub broker: Prepared,
    /// The consumer's name, for people.
    pub name: String,
    /// Which partitions it takes.
    pub choice: Choice,
    /// Number of partitions that the fleet is expected to have. None: any.
    pub partitions: Option<Partitions>,
    /// Where a partition without a snapshot begins.
    pub fresh: StartAt,
}

impl MemberConfig {
    /// The number of partitions of the fleet, if it is as expected, and those that were chosen are among them.
    pub(super) async fn partitions_of(&self, broker: &Broker) -> Result<Partitions, StartError> {
        let settings = setup::read_settings(broker)
            .await
            .map_err(StartError::Settings)?;
        if let Some(expected) = self.partitions {
            settings
                .expect_partitions(expected)
                .map_err(StartError::Settings)?;
        }
        let count = settings.partitions.count();
        match &self.choice {
            Choice::Some(set) if set.is_empty() => Err(StartError::NoChoice),
            Choice::Some(set) if set.last().is_some_and(|last| last.0 >= count) => {
                let chosen = set
                    .iter()
                    .copied()
                    .filter(|chosen| chosen.0 >= count)
                    .collect();
                Err(StartError::Choice { chosen, count })
            }
            Choice::All | Choice::Some(_) | Choice::Auto => Ok(settings.partitions),
        }
    }
}

/// The caller's chains, one a partition.
pub trait Chains: Send {
    /// The partition is this consumer's now, and this is its last snapshot. Starts what takes its messages, and does
    /// not wait for it: it runs in the thread that renews the leases.
    ///
    /// # Errors
    ///
    /// The chain cannot be started, or cannot use the snapshot: the partition is left to other consumers.
    fn begin(
        &mut self,
        partition: Partition,
        snapshot: Option<Snapshot>,
    ) -> Result<ChainEnds, String>;
}

/// The ends of a chain that its member holds.
pub struct ChainEnds {
    /// What it is to do, in order. The chain ends when all of it was taken and this is dropped; it saves a snapshot
    /// only after [`Work::Release`].
    pub work: mpsc::Sender<Work>,
    /// Its snapshots. What they contain has left: alerts were delivered, lines were given to `lines`. The chain drops
    /// its side when it has ended.
    pub snapshots: mpsc::Receiver<Snapshot>,
    /// The lines of its plugins. All lines that were sent before a snapshot are in the broker before it is saved.
    pub lines: mpsc::Receiver<Line>,
}

/// What a chain is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// The next message.
    Message(Message),
    /// Messages are missing, or come again.
    Break(Break),
    /// All messages are given: send a snapshot after all of them, then end.
    Release,
}

/// A consumer among others. Dropped without [`Member::stop`], it leaves its partitions without a last snapshot, and
/// others take them after [`LEASE_TIMEOUT`](super::lease::LEASE_TIMEOUT).
pub struct Member {
    phase: watch::Sender<Phase>,
    status: Arc<Mutex<MemberStatus>>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended.
    ended: std_mpsc::Receiver<()>,
}

/// Why a member did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The thread or its runtime.
    #[error("cannot start the thread {THREAD_NAME}: {0}")]
    Thread(std::io::Error),
    /// The broker cannot be used.
    #[error(transparent)]
    Connect(ConnectError),
    /// The settings of the fleet are missing, or others than expected.
    #[error(transparent)]
    Settings(SettingsError),
    /// Partitions were chosen that the fleet does not have.
    #[error(
        "there is no partition {}: the fleet has {count}, from 0",
        list(chosen)
    )]
    Choice {
        /// Those that are not there.
        chosen: Vec<Partition>,
        /// Number of partitions of the fleet.
        count: u16,
    },
    /// No partition was chosen.
    #[error("no partition is chosen: expected at least one")]
    NoChoice,
    /// Something that a fleet needs cannot be opened.
    #[error("{0}")]
    Broker(String),
}

/// Why a member did not stop in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "partitions {} were not released within {timeout:?}: what they did since their last snapshot is done again by \
     another consumer",
    list(partitions)
)]
pub struct StopError {
    /// The partitions whose last snapshot was not saved.
    pub partitions: Vec<Partition>,
    /// The time that was given.
    pub timeout: Duration,
}

impl Member {
    /// Connects, and starts a thread that takes partitions.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(
        config: MemberConfig,
        chains: impl Chains + 'static,
    ) -> Result<Member, StartError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::Thread)?;
        let (phase, phases) = watch::channel(Phase::Run);
        let status = Arc::new(Mutex::new(MemberStatus::new(&config.name)));
        let run_status = Arc::clone(&status);
        let (started, starts) = std_mpsc::channel();
        let (ends, ended) = std_mpsc::channel();
        let body = move || {
            runtime.block_on(async {
                match Run::open(config, Box::new(chains), run_status).await {
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                    Ok(run) => {
                        let _ = started.send(Ok(()));
                        run.until_stopped(phases).await;
                    }
                }
            });
            // What still runs is dropped with the runtime: after this, nothing is sent.
            drop(runtime);
            drop(ends);
        };
        let thread = std::thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(body)
            .map_err(StartError::Thread)?;
        let member = Member {
            phase,
            status,
            thread: Some(thread),
            ended,
        };
        match starts.recv() {
            Ok(Ok(())) => Ok(member),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Broker(format!(
                "the thread {THREAD_NAME} has ended"
            ))),
        }
    }

    /// How it goes.
    pub fn status(&self) -> MemberStatus {
        lock(&self.status).clone()
    }

    /// Whether its thread runs.
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Releases all partitions: their chains take a last snapshot, which is saved. Waits for that, for `timeout` at
    /// most.
    ///
    /// # Errors
    ///
    /// Partitions that were not released in time.
    pub fn stop(mut self, timeout: Duration) -> Result<(), StopError> {
        self.phase
            .send_replace(Phase::Stop(Instant::now() + timeout));
        // The thread ends by itself at the deadline; begin() of a chain may hold it up.
        let _ = self.ended.recv_timeout(timeout + Duration::from_secs(1));
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
        let partitions: Vec<Partition> = self.status().partitions.keys().copied().collect();
        match partitions.is_empty() {
            true => Ok(()),
            false => Err(StopError {
                partitions,
                timeout,
            }),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Abort);
    }
}

fn list(partitions: &[Partition]) -> String {
    let partitions: Vec<String> = partitions.iter().map(Partition::to_string).collect();
    partitions.join(", ")
}
