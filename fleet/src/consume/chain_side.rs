//! The channel between a member and a chain, as the chain's thread has it.

use tokio::sync::mpsc;

use super::chains::ChainEnds;
use super::chains::Work;
use super::out::Line;
use super::snapshot::Snapshot;

/// Messages that wait for the chain at most.
const MAX_WORK: usize = 64;

/// Lines that wait for the member at most.
const MAX_LINES: usize = 256;

/// What a chain's thread has. Its methods wait, and must not be called in a runtime.
pub struct ChainSide {
    work: mpsc::Receiver<Work>,
    snapshots: mpsc::Sender<Snapshot>,
    lines: mpsc::Sender<Line>,
}

impl ChainEnds {
    /// The ends of a channel: of the member, and of the chain.
    pub fn new() -> (ChainEnds, ChainSide) {
        let (work, works) = mpsc::channel(MAX_WORK);
        let (snapshot, snapshots) = mpsc::channel(1);
        let (line, lines) = mpsc::channel(MAX_LINES);
        let ends = ChainEnds {
            work,
            snapshots,
            lines,
        };
        let side = ChainSide {
            work: works,
            snapshots: snapshot,
            lines: line,
        };
        (ends, side)
    }
}

impl ChainSide {
    /// Waits for what is to be done next. `None`: the partition is lost, and nothing may be saved.
    pub fn take(&mut self) -> Option<Work> {
        self.work.blocking_recv()
    }

    /// Hands over a snapshot. Waits while the one before is being saved. A partition that was lost ignores it.
    pub fn save(&self, snapshot: Snapshot) {
        let _ = self.snapshots.blocking_send(snapshot);
    }

    /// Hands over a line, which is in the broker before the next snapshot is saved. Waits while there are many. A
    /// partition that was lost ignores it.
    pub fn line(&self, line: Line) {
        let _ = self.lines.blocking_send(line);
    }
}
