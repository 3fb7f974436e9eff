//! What a member does with one partition while it has the lease: gives its messages to the chain, publishes its lines,
//! saves its snapshots.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::sleep_until;

use super::chains::ChainEnds;
use super::chains::Chains;
use super::chains::Work;
use super::head::Head;
use super::heads;
use super::heads::Heads;
use super::lock;
use super::member_status::MemberStatus;
use super::member_status::PartitionStatus;
use super::out::Line;
use super::out::LineWriter;
use super::reader::Read;
use super::reader::Reader;
use super::reader::StartAt;
use super::snapshot::Snapshot;
use super::state::LoadError;
use super::state::Loaded;
use super::state::SaveError;
use super::state::StateStore;
use super::ticks::publish_ticks;
use crate::connect::Broker;
use crate::head::HeadDigest;
use crate::partition::Partition;

/// Time after a request that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What all partitions of a member share.
pub(super) struct Context {
    pub(super) broker: Broker,
    pub(super) state: StateStore,
    pub(super) heads: Mutex<Heads>,
    pub(super) chains: Mutex<Box<dyn Chains>>,
    pub(super) fresh: StartAt,
    pub(super) status: Arc<Mutex<MemberStatus>>,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The last snapshot is saved.
    Released,
    /// Another consumer has the partition, or may have it.
    Lost(String),
    /// The chain cannot go on.
    Failed(String),
}

/// A partition that a member has.
pub(super) struct Tenure {
    /// When it was claimed, as Unix time in seconds.
    pub(super) since: u64,
    pub(super) task: tokio::task::Id,
    lease: watch::Sender<Validity>,
    release: watch::Sender<bool>,
}

/// Whether the lease is valid.
#[derive(Debug, Clone)]
enum Validity {
    Until(Instant),
    Lost(String),
}

impl Tenure {
    /// Starts a task in `ended`, which ends at `valid_until` unless the lease is renewed.
    pub(super) fn begin(
        ended: &mut JoinSet<(Partition, Ended)>,
        context: Arc<Context>,
        partition: Partition,
        valid_until: Instant,
        since: u64,
    ) -> Tenure {
        let (lease, validity) = watch::channel(Validity::Until(valid_until));
        let (release, is_released) = watch::channel(false);
        let task = ended.spawn(async move {
            let result = tokio::select! {
                biased;
                reason = until_lost(validity) => Ended::Lost(reason),
                ended = hold(&context, partition, is_released) => ended,
            };
            (partition, result)
        });
        Tenure {
            since,
            task: task.id(),
            lease,
            release,
        }
    }

    /// The lease was renewed.
    pub(super) fn extend(&self, valid_until: Instant) {
        self.lease.send_replace(Validity::Until(valid_until));
    }

    /// The lease is lost.
    pub(super) fn lose(&self, reason: String) {
        self.lease.send_replace(Validity::Lost(reason));
    }

    /// The partition is to be released.
    pub(super) fn release(&self) {
        self.release.send_replace(true);
    }
}

impl Context {
    /// Changes the status of a partition.
    pub(super) fn note(&self, partition: Partition, change: impl FnOnce(&mut PartitionStatus)) {
        if let Some(status) = lock(&self.status).partitions.get_mut(&partition) {
            change(status);
        }
    }

    /// Notes why the state is not read or written now.
    fn note_problem(&self, partition: Partition, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::debug!("{problem}");
            lock(&self.status).last_error = Some(problem.clone());
        }
        self.note(partition, |status| status.save_problem = problem);
    }

    async fn head(&self, digest: HeadDigest) -> Result<Arc<Head>, String> {
        let bucket = {
            let heads = lock(&self.heads);
            if let Some(known) = heads.known(digest) {
                return known;
            }
            heads.bucket()
        };
        let found = heads::fetch(&bucket, digest).await;
        lock(&self.heads).keep(digest, found.clone());
        found
    }
}

/// Returns when the lease is lost: at once when that is told, or when it was not renewed in time. The clock of this
/// task decides, because requests of the member may take long.
async fn until_lost(mut validity: watch::Receiver<Validity>) -> String {
    loop {
        let until = match &*validity.borrow_and_update() {
            Validity::Lost(reason) => return reason.clone(),
            Validity::Until(until) => *until,
        };
        tokio::select! {
            () = sleep_until(until.into()) => return "its lease could not be renewed in time".to_owned(),
            changed = validity.changed() => if changed.is_err() {
                return "its member has ended".to_owned();
            },
        }
    }
}

async fn hold(
    context: &Arc<Context>,
    partition: Partition,
    release: watch::Receiver<bool>,
) -> Ended {
    let Loaded { snapshot, revision } = match load(context, partition).await {
        Ok(loaded) => loaded,
        Err(reason) => return Ended::Failed(reason),
    };
    let from = snapshot.as_ref().map_or(context.fresh, |snapshot| {
        StartAt::Sequence(snapshot.sequence + 1)
    });
    let saved = snapshot.as_ref().map(|snapshot| snapshot.sequence);
    context.note(partition, |status| status.saved = saved);
    let begun = lock(&context.chains).begin(partition, snapshot);
    let ChainEnds {
        work,
        snapshots,
        lines,
    } = match begun {
        Ok(ends) => ends,
        Err(reason) => return Ended::Failed(reason),
    };
    let reader = Reader::new(&context.broker, partition, from);
    let reporter = Arc::clone(context);
    let report = Arc::new(move |problem| reporter.note_problem(partition, problem));
    let mut saver = Saver {
        context,
        partition,
        revision,
        state: context.state.clone(),
        lines,
        writer: LineWriter::new(&context.broker, partition, report),
    };
    let deliver = deliver(context, partition, reader, work, release.clone());
    tokio::select! {
        ended = saver.save_all(snapshots, release) => ended,
        () = deliver => Ended::Failed("the delivery of messages has ended".to_owned()),
        () = publish_ticks(&context.broker, partition) => Ended::Failed("the ticks have ended".to_owned()),
    }
}

async fn load(context: &Context, partition: Partition) -> Result<Loaded, String> {
    loop {
        match context.state.load(partition).await {
            Ok(loaded) => {
                context.note_problem(partition, None);
                return Ok(loaded);
            }
            Err(error @ LoadError::Corrupt { .. }) => return Err(error.to_string()),
            Err(error @ LoadError::Unreachable { .. }) => {
                context.note_problem(partition, Some(error.to_string()));
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

/// Gives messages to the chain until the partition is released or the chain takes no more. Does not return: how it goes
/// on depends on the snapshots.
async fn deliver(
    context: &Context,
    partition: Partition,
    reader: Reader,
    work: mpsc::Sender<Work>,
    mut release: watch::Receiver<bool>,
) {
    let mut status = reader.status();
    let watch_status = async {
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            context.note(partition, |status| {
                status.lag = now.lag;
                status.read_problem = now.problem;
            });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        _ = release.wait_for(|is_released| *is_released) => {}
        () = read_all(context, partition, reader, &work) => {}
        () = watch_status => {}
    }
    // An error: the chain has ended, and closes its snapshots.
    let _ = work.send(Work::Release).await;
    drop(work);
    std::future::pending::<()>().await;
}

/// Returns when the chain takes no more.
async fn read_all(
    context: &Context,
    partition: Partition,
    mut reader: Reader,
    work: &mpsc::Sender<Work>,
) {
    loop {
        let (next, sequence) = match reader.next().await {
            Read::Break(found) => (Work::Break(found), None),
            Read::Message(arrived) => {
                let head = match arrived.head() {
                    Some(digest) => context.head(digest).await,
                    None => Err("it has no frame".to_owned()),
                };
                let message = arrived.with_head(head);
                let sequence = Some(message.sequence);
                (Work::Message(message), sequence)
            }
        };
        if work.send(next).await.is_err() {
            return;
        }
        if sequence.is_some() {
            context.note(partition, |status| status.delivered = sequence);
        }
    }
}

/// Saves the snapshots of a chain, after the lines that belong to them.
struct Saver<'a> {
    context: &'a Context,
    partition: Partition,
    revision: u64,
    state: StateStore,
    lines: mpsc::Receiver<Line>,
    writer: LineWriter,
}

impl Saver<'_> {
    async fn save_all(
        &mut self,
        mut snapshots: mpsc::Receiver<Snapshot>,
        release: watch::Receiver<bool>,
    ) -> Ended {
        loop {
            let received = loop {
                tokio::select! {
                    biased;
                    () = self.writer.settle(), if !self.writer.is_idle() => {}
                    snapshot = snapshots.recv() => break snapshot,
                    Some(line) = self.lines.recv(), if self.writer.has_room() => self.writer.write(line),
                }
            };
            let Some(mut snapshot) = received else {
                // Without a snapshot its last lines belong to no state: they are published again after the next one.
                return match *release.borrow() {
                    true => Ended::Released,
                    false => Ended::Failed("its chain has ended".to_owned()),
                };
            };
            while let Ok(newer) = snapshots.try_recv() {
                snapshot = newer;
            }
            // The chain sent these before the snapshot.
            while let Ok(line) = self.lines.try_recv() {
                while !self.writer.has_room() {
                    self.writer.settle().await;
                }
                self.writer.write(line);
            }
            self.writer.flush().await;
            if let Err(reason) = self.save(&snapshot).await {
                return Ended::Lost(reason);
            }
        }
    }

    /// An error: the partition is no longer this consumer's.
    async fn save(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let (context, partition) = (self.context, self.partition);
        loop {
            match self.state.save(partition, snapshot, self.revision).await {
                Ok(revision) => {
                    self.revision = revision;
                    context.note(partition, |status| {
                        status.saved = Some(snapshot.sequence);
                        status.save_problem = None;
                    });
                    return Ok(());
                }
                Err(error @ SaveError::Stale { .. }) => return Err(error.to_string()),
                Err(error @ SaveError::Encode { .. }) => {
                    // The next one may be better.
                    context.note_problem(partition, Some(error.to_string()));
                    return Ok(());
                }
                Err(error @ SaveError::Unreachable { .. }) => {
                    context.note_problem(partition, Some(error.to_string()));
                    sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }
}
