//! What a member is to do: its work, or to end.

use std::time::Instant;

use tokio::sync::watch;

/// What a member is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its work.
    Run,
    /// Release all partitions, until then.
    Stop(Instant),
    /// End at once.
    Abort,
}

impl Phase {
    /// Whether partitions are to be released.
    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Phase::Stop(_))
    }
}

/// Returns when a member must end, whatever it still does.
pub(super) async fn must_end(mut phases: watch::Receiver<Phase>) {
    loop {
        let phase = *phases.borrow_and_update();
        match phase {
            Phase::Abort => return,
            Phase::Stop(deadline) => {
                tokio::select! {
                    () = tokio::time::sleep_until(deadline.into()) => return,
                    changed = phases.changed() => if changed.is_err() {
                        return;
                    },
                }
            }
            Phase::Run => {
                if phases.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
