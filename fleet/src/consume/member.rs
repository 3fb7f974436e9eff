//! A consumer among others: takes partitions, gives their messages to the caller's chains, and saves their snapshots.
//! It runs in a thread of its own; chains run in threads of the caller.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::chains::Chains;
use super::lock;
use super::member_config::MemberConfig;
use super::member_config::StartError;
use super::member_config::THREAD_NAME;
use super::member_config::list;
use super::member_status::MemberStatus;
use super::phase::Phase;
use super::run::Run;
use crate::partition::Partition;

/// A consumer among others. Dropped without [`Member::stop`], it leaves its partitions without a last snapshot, and
/// others take them after [`LEASE_TIMEOUT`](super::lease::LEASE_TIMEOUT).
pub struct Member {
    phase: watch::Sender<Phase>,
    status: Arc<Mutex<MemberStatus>>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended.
    ended: std_mpsc::Receiver<()>,
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
