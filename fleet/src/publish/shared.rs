//! What the caller's thread and the sender's thread share.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::watch;

use super::spool::Spool;

/// How much longer than its time limit the sender may take to end.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Shared {
    spool: Mutex<Spool>,
    about: Mutex<Value>,
    /// A frame was handed over.
    pub(super) wake: Notify,
    /// When the sender has to end.
    deadline: watch::Sender<Option<Instant>>,
    /// The sender has ended.
    is_ended: Mutex<bool>,
    ended: Condvar,
}

/// Tells that the sender has ended, also if it panics.
pub(super) struct EndOnDrop(pub(super) Arc<Shared>);

impl Shared {
    pub(super) fn new(spool: Spool) -> Shared {
        Shared {
            spool: Mutex::new(spool),
            about: Mutex::new(Value::Null),
            wake: Notify::new(),
            deadline: watch::Sender::new(None),
            is_ended: Mutex::new(false),
            ended: Condvar::new(),
        }
    }

    pub(super) fn spool(&self) -> MutexGuard<'_, Spool> {
        lock(&self.spool)
    }

    pub(super) fn about(&self) -> MutexGuard<'_, Value> {
        lock(&self.about)
    }

    /// Asks the sender to end. An earlier deadline stays.
    pub(super) fn finish(&self, deadline: Instant) {
        self.deadline
            .send_modify(|there| *there = Some(there.unwrap_or(deadline)));
    }

    /// Returns whether the sender has been asked to end.
    pub(super) fn is_finishing(&self) -> bool {
        self.deadline.borrow().is_some()
    }

    /// Waits until the sender is asked to end.
    pub(super) async fn finishing(&self) -> Instant {
        let mut deadline = self.deadline.subscribe();
        match deadline.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        }
    }

    /// Waits until the sender must have ended.
    pub(super) async fn deadline(&self) {
        let deadline = self.finishing().await;
        tokio::time::sleep_until(deadline.into()).await;
    }

    /// Waits in a thread until the sender has ended, for this time at most.
    pub(super) fn wait_for_end(&self, timeout: Duration) {
        let is_ended = lock(&self.is_ended);
        let waited = self
            .ended
            .wait_timeout_while(is_ended, timeout, |is_ended| !*is_ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        *lock(&self.0.is_ended) = true;
        self.0.ended.notify_all();
    }
}

/// The counters stay whole if a thread panics: no code between their changes can.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
