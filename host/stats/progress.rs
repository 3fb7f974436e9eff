//! Whether the chain takes the items that the source offers it, or whether the chains of a consumer go on.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Numbers of items that were offered and taken, and when that changed last. Threads use them without a lock.
#[derive(Debug)]
pub struct Progress {
    begin: Instant,
    offered: AtomicU64,
    taken: AtomicU64,
    /// When an item was taken last, or was offered while none waited, in ms since `begin`.
    moved_ms: AtomicU64,
    /// When each chain of several that is at work has begun with its message, by the number of the chain.
    working: Mutex<BTreeMap<u64, Instant>>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            begin: Instant::now(),
            offered: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            working: Mutex::default(),
        }
    }
}

impl Progress {
    /// The source is about to send an item to the chain.
    pub fn offer(&self) {
        if self.offered.load(Ordering::Relaxed) == self.taken.load(Ordering::Relaxed) {
            self.moved();
        }
        self.offered.fetch_add(1, Ordering::Relaxed);
    }

    /// The chain has taken an item.
    pub fn take(&self) {
        self.moved();
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// One of several chains begins with a message.
    pub fn begin_work(&self, chain: u64) {
        self.working().insert(chain, Instant::now());
    }

    /// One of several chains is done with its message, or has ended.
    pub fn end_work(&self, chain: u64) {
        self.working().remove(&chain);
    }

    /// Time for which items have waited while the chain took none, or for which one of several chains has been at one
    /// message. `None` if nothing waits.
    pub fn stalled(&self) -> Option<Duration> {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        let waits = self.offered.load(Ordering::Relaxed) > self.taken.load(Ordering::Relaxed);
        let waited = waits.then(|| self.begin.elapsed().saturating_sub(moved));
        let worked = self.working().values().map(Instant::elapsed).max();
        waited.max(worked)
    }

    fn working(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn only_an_item_that_waits_is_a_stall() {
        let progress = Progress::default();
        assert_eq!(progress.stalled(), None);
        sleep(SHORT);
        progress.offer();
        let stalled = progress.stalled().expect("an item waits");
        sleep(SHORT);
        // Another item that comes does not end it.
        progress.offer();
        let later = progress.stalled().expect("two wait");
        assert!(
            later >= stalled + SHORT - Duration::from_millis(1),
            "{later:?}"
        );
        progress.take();
        let begun_again = progress.stalled().expect("one waits");
        assert!(begun_again < later, "{begun_again:?}");
        progress.take();
        assert_eq!(progress.stalled(), None);
    }

    #[test]
    fn a_chain_that_is_held_up_is_a_stall_while_others_go_on() {
        let progress = Progress::default();
        progress.begin_work(1);
        sleep(SHORT);
        progress.begin_work(2);
        progress.end_work(2);
        let stalled = progress.stalled().expect("the first is at work");
        assert!(stalled >= SHORT, "{stalled:?}");
        progress.end_work(1);
        assert_eq!(progress.stalled(), None);
    }
}
