//! What the sender of alerts and the thread that delivers them share, each part under its lock.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;

use tokio::sync::Notify;
use tokio::sync::mpsc;

use super::outlet::Running;
use super::receivers::Receivers;
use super::receivers::Step;
use crate::alert::Alert;
use crate::limit::Limit;
use crate::moment::Clock;
use crate::moment::Moment;

/// The parts.
pub(super) struct Shared {
    pub(super) limit: Mutex<Limit>,
    /// The limit was reached, or has changed.
    pub(super) limit_reached: Notify,
    /// Written to only when receivers change, and never locked while something waits.
    pub(super) receivers: RwLock<Receivers>,
    /// Held by a change: there is one at a time.
    pub(super) changing: Mutex<()>,
    /// What the thread is to start and to end.
    pub(super) steps: mpsc::UnboundedSender<Vec<Step>>,
    pub(super) running: Arc<Running>,
    /// The thread is to end, whatever is queued.
    pub(super) stop: Notify,
}

impl Shared {
    pub(super) fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn receivers(&self) -> RwLockReadGuard<'_, Receivers> {
        self.receivers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn receivers_mut(&self) -> RwLockWriteGuard<'_, Receivers> {
        self.receivers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands alerts about the limit to all receivers.
    pub(super) fn tell_of_limit(&self, clock: Clock) {
        let now = clock.now();
        let own = self.limit().take_own(now);
        let own: Vec<(&Alert, bool)> = own.iter().map(|alert| (alert, true)).collect();
        self.accept(&own, now);
    }

    pub(super) fn accept(&self, alerts: &[(&Alert, bool)], now: Moment) {
        if !alerts.is_empty() {
            self.receivers().accept(alerts, now);
        }
    }
}
