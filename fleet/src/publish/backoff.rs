//! When the next attempt is made after one that failed.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use tokio::time::Instant;

/// Time after the first failure at most; half of it at least.
const FIRST: Duration = Duration::from_millis(200);

/// Time after many failures.
const MAX: Duration = Duration::from_secs(10);

/// Time after a failure that a person has to end, such as missing rights.
const SLOW: Duration = Duration::from_secs(30);

/// Times that double with each failure in a row, less a random part of up to a half: without it, all agents would come
/// back to a broker at the same moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    is_permanent: bool,
    not_before: Option<Instant>,
}

impl Backoff {
    /// Records a success.
    pub(super) fn succeeded(&mut self) {
        *self = Backoff::default();
    }

    /// Records a failure.
    pub(super) fn failed(&mut self, is_permanent: bool) {
        let longest = match is_permanent {
            true => SLOW,
            false => FIRST.saturating_mul(1 << self.failures.min(10)).min(MAX),
        };
        self.failures += 1;
        self.is_permanent = is_permanent;
        // Each of them has other keys.
        let random = RandomState::new().hash_one(0) % 1_024;
        self.not_before = Some(Instant::now() + longest.mul_f64(0.5 + random as f64 / 2_048.0));
    }

    /// Returns whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Returns whether the next attempt may succeed without a person's help.
    pub(super) fn may_pass(&self) -> bool {
        !self.is_permanent
    }

    /// Returns whether the next attempt has to wait.
    pub(super) fn is_waiting(&self) -> bool {
        self.not_before
            .is_some_and(|moment| moment > Instant::now())
    }

    /// Waits until the next attempt may be made.
    pub(super) async fn wait(&self) {
        if let Some(moment) = self.not_before {
            tokio::time::sleep_until(moment).await;
        }
    }
}
