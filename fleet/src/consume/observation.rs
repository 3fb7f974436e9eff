//! Reads what all hosts have published, in the order of the stream, beside the consumers: without leases, states and ticks,
//! so that no consumer is disturbed. It reads in a thread of its own.

use std::pin::pin;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;

use super::api::causes;
use super::heads::Heads;
use super::message::Message;
use super::reader::Break;
use super::reader::Read;
use super::reader::Reader;
use super::reader::ReaderStatus;
use super::reader::StartAt;
use crate::connect;
use crate::connect::Broker;
use crate::connect::ConnectError;
use crate::connect::Prepared;
use crate::names::STREAM;
use crate::setup::SettingsError;
use crate::setup::read_max_age;
use crate::setup::read_settings;

/// Name of the thread.
const THREAD_NAME: &str = "fleet-observer";

/// Messages that wait for the caller at most.
const MAX_WAITING: usize = 32;

/// The caller is told this often that there is nothing.
const IDLE_INTERVAL: Duration = Duration::from_millis(50);

/// A connection that is interrupted for this time is logged.
const PROBLEM_TIME: Duration = Duration::from_secs(3);

/// Time for the end of the consumer in the broker.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// When an observation ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After the last message that the stream had when it began.
    End,
    /// Never.
    Dropped,
}

/// What is observed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// A message.
    Message(Message),
    /// The stream does not have what comes next.
    Break(Break),
    /// Nothing has come for a moment.
    Idle,
    /// All was given.
    End,
}

/// Reads all partitions.
pub struct Observation {
    /// `None`: it is being dropped.
    observed: Option<mpsc::Receiver<Observed>>,
    max_age: Duration,
    thread: Option<JoinHandle<()>>,
}

/// Why nothing can be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The thread or its runtime.
    #[error("cannot start the thread {THREAD_NAME}: {0}")]
    Thread(std::io::Error),
    /// The broker cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It is not set up, or for a later version.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The stream cannot be read.
    #[error("cannot read from the broker {0}: {1}")]
    Stream(String, String),
    /// The thread has ended before it has given all.
    #[error("the thread {THREAD_NAME} has ended before all was read; please report this as a bug")]
    Ended,
}

impl Observation {
    /// Connects, and starts the thread.
    ///
    /// # Errors
    ///
    /// See [`ObserveError`].
    pub fn start(
        broker: Prepared,
        from: StartAt,
        until: Until,
    ) -> Result<Observation, ObserveError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ObserveError::Thread)?;
        let (started, starts) = std_mpsc::channel();
        let (sender, observed) = mpsc::channel(MAX_WAITING);
        let body = move || {
            runtime.block_on(async {
                match Observer::open(&broker, from, until).await {
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                    Ok((observer, max_age)) => {
                        let _ = started.send(Ok(max_age));
                        observer.run(sender).await;
                    }
                }
            });
            // What looks up names may hang: it is not waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned());
        let thread = thread.spawn(body).map_err(ObserveError::Thread)?;
        Ok(Observation {
            max_age: starts.recv().map_err(|_| ObserveError::Ended)??,
            observed: Some(observed),
            thread: Some(thread),
        })
    }

    /// The age at which messages leave the stream; zero: they stay.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// What comes next. It waits a moment at most. Must not be called in a runtime, nor after [`Observed::End`].
    ///
    /// # Errors
    ///
    /// [`ObserveError::Ended`]: what was read is not all.
    pub fn observe(&mut self) -> Result<Observed, ObserveError> {
        let observed = self.observed.as_mut();
        let next = observed.and_then(mpsc::Receiver::blocking_recv);
        next.ok_or(ObserveError::Ended)
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.observed = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread does.
struct Observer {
    reader: Reader,
    heads: Heads,
    /// The last sequence to be read.
    last: Option<u64>,
}

impl Observer {
    /// Connects. Returns the age at which messages leave the stream as well.
    async fn open(
        broker: &Prepared,
        from: StartAt,
        until: Until,
    ) -> Result<(Observer, Duration), ObserveError> {
        let broker = connect::connect(broker).await?;
        read_settings(&broker).await?;
        let violation = pin!(broker.link().any_violation());
        tokio::select! {
            opened = Observer::open_stream(&broker, from, until) => opened,
            cause = violation => {
                let address = broker.address().to_owned();
                Err(ConnectError::Permission { address, cause }.into())
            }
        }
    }

    async fn open_stream(
        broker: &Broker,
        from: StartAt,
        until: Until,
    ) -> Result<(Observer, Duration), ObserveError> {
        let failed = |cause| ObserveError::Stream(broker.address().to_owned(), cause);
        let max_age = read_max_age(broker).await?;
        let stream = broker.jetstream().get_stream(STREAM).await;
        let stream = stream.map_err(|error| failed(causes(&error)))?;
        let heads = Heads::open(broker).await.map_err(failed)?;
        let mut reader = Reader::all(broker, from);
        reader.open().await.map_err(failed)?;
        let last = (until == Until::End).then_some(stream.cached_info().state.last_sequence);
        let observer = Observer {
            reader,
            heads,
            last,
        };
        Ok((observer, max_age))
    }

    /// Reads until the end, or until the receiver is gone.
    async fn run(mut self, to: mpsc::Sender<Observed>) {
        let status = self.reader.status();
        tokio::select! {
            () = self.read(&to, status.clone()) => {}
            () = to.closed() => {}
            () = tell_idle(&to, status) => {}
        }
        self.reader.close(CLOSE_TIMEOUT).await;
    }

    async fn read(
        &mut self,
        to: &mpsc::Sender<Observed>,
        mut status: watch::Receiver<ReaderStatus>,
    ) {
        while let Some(read) = self.next(&mut status).await {
            let observed = match read {
                Read::Break(found) => Observed::Break(found),
                Read::Message(message) => Observed::Message(match message.head() {
                    // It is of no use to a message without a frame.
                    None => message.with_head(Err(String::new())),
                    Some(digest) => message.with_head(self.heads.get(digest).await),
                }),
            };
            if to.send(observed).await.is_err() {
                return;
            }
        }
        let _ = to.send(Observed::End).await;
    }

    /// `None`: there is nothing more to be read.
    async fn next(&mut self, status: &mut watch::Receiver<ReaderStatus>) -> Option<Read> {
        let Some(last) = self.last else {
            return Some(self.reader.next().await);
        };
        // Messages may have left the stream, so that the last one does not arrive: then the server has no more.
        let has_no_more = |status: &ReaderStatus| status.lag == Some(0);
        if has_no_more(&status.borrow_and_update()) {
            return None;
        }
        let read = tokio::select! {
            // A message that arrives is the last one, if there are no more after it.
            biased;
            read = self.reader.next() => read,
            _ = status.wait_for(has_no_more) => return None,
        };
        let is_within = !matches!(&read, Read::Message(message) if message.sequence > last);
        is_within.then_some(read)
    }
}

/// Tells that nothing has come, while there is room, and logs an interruption.
async fn tell_idle(to: &mpsc::Sender<Observed>, status: watch::Receiver<ReaderStatus>) {
    let mut interrupted: Option<Instant> = None;
    let mut is_logged = false;
    loop {
        sleep(IDLE_INTERVAL).await;
        if to.capacity() == MAX_WAITING {
            let _ = to.try_send(Observed::Idle);
        }
        let Some(problem) = status.borrow().problem.clone() else {
            if std::mem::take(&mut is_logged) {
                tracing::info!("the broker is read again");
            }
            interrupted = None;
            continue;
        };
        if interrupted.get_or_insert_with(Instant::now).elapsed() >= PROBLEM_TIME && !is_logged {
            is_logged = true;
            tracing::warn!("the broker cannot be read, which is tried again: {problem}");
        }
    }
}
