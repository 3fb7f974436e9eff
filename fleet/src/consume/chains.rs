//! What a consumer asks of its caller: a chain for each partition, and what passes between the two.

use tokio::sync::mpsc;

use super::message::Message;
use super::out::Line;
use super::reader::Break;
use super::snapshot::Snapshot;
use crate::partition::Partition;

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
