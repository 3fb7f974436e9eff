//! What the answer of a receiver means, and when it is tried again.

use std::time::Duration;

use hyper::StatusCode;

/// Longest time that `Retry-After` may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// What became of an attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver has accepted it.
    Delivered,
    /// The receiver has accepted it, except for some parts, which it will never accept.
    Partly {
        /// Number of these parts.
        refused: u64,
        /// The cause, in one line.
        why: String,
    },
    /// The receiver will never accept it: what was sent is at fault.
    Refused(String),
    /// It may be accepted later: the network, the receiver or the configuration is at fault.
    Later {
        /// The cause, in one line.
        why: String,
        /// The time after which the receiver wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// The meaning of a status code. `excerpt` is the start of the body of the answer, `retry_after` the value of that
    /// header.
    pub(crate) fn of_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        excerpt: &str,
    ) -> Outcome {
        if status.is_success() {
            return Outcome::Delivered;
        }
        let mut why = format!("it answered {status}");
        if !excerpt.is_empty() {
            why = format!("{why}: {excerpt}");
        }
        match status {
            // The same content would be refused again.
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => return Outcome::Refused(why),
            status if status.is_redirection() => {
                why.push_str("; redirects are not followed: set the URL that it leads to");
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                why.push_str("; check the token or the password");
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                why.push_str("; check the URL")
            }
            _ => {}
        }
        let asks = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ]
        .contains(&status);
        Outcome::Later {
            why,
            retry_after: retry_after.filter(|_| asks),
        }
    }
}

/// When a receiver that failed is tried again: after a time that doubles with each failure in a row, less a random part
/// of up to a half. Without it, all hosts would come back to a receiver at the same time.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    /// Number of failures in a row.
    failures: u32,
    not_before: Duration,
    random: fastrand::Rng,
}

/// The shortest and the longest time to wait after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// After the first failure: this time at most, and half of it at least.
    pub first: Duration,
    /// After many failures. `Retry-After` may ask for more, up to ten minutes.
    pub max: Duration,
}

impl Retry {
    /// Shortest time after a failure.
    const SHORTEST: Duration = Duration::from_millis(10);

    /// Returns an error if a receiver that fails would be tried without a pause.
    pub(crate) fn check(self) -> Result<(), TimeError> {
        TimeError::unless(
            "the time before a receiver that failed is tried again",
            self.first,
            Retry::SHORTEST,
        )?;
        TimeError::unless(
            "the longest time before a receiver that failed is tried again",
            self.max,
            self.first,
        )
    }
}

/// A time is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {given:?}: expected {at_least:?} at least")]
pub struct TimeError {
    what: &'static str,
    given: Duration,
    at_least: Duration,
}

impl TimeError {
    /// An error if a time is too short.
    pub(crate) fn unless(
        what: &'static str,
        given: Duration,
        at_least: Duration,
    ) -> Result<(), TimeError> {
        if given >= at_least {
            return Ok(());
        }
        Err(TimeError {
            what,
            given,
            at_least,
        })
    }
}

impl Default for Retry {
    /// From 1 s to 1 min.
    fn default() -> Retry {
        Retry {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// A receiver that has not failed. Tests set the seed of the random part.
    pub(crate) fn new(retry: Retry, seed: Option<u64>) -> Backoff {
        Backoff {
            first: retry.first,
            max: retry.max,
            failures: 0,
            not_before: Duration::ZERO,
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        }
    }

    /// The steady time before which the receiver is not tried.
    pub(crate) fn not_before(&self) -> Duration {
        self.not_before
    }

    /// Returns whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Records a success.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
    }

    /// Records a failure.
    pub(crate) fn failed(&mut self, now: Duration, retry_after: Option<Duration>) {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        let longest = doubled.min(self.max);
        let delay = longest.mul_f64(0.5 + 0.5 * self.random.f64());
        let asked = retry_after.map_or(Duration::ZERO, |asked| asked.min(MAX_RETRY_AFTER));
        self.failures += 1;
        self.not_before = now + delay.max(asked);
    }

    /// Lets the next attempt be made at once. The time after a failure begins anew.
    pub(crate) fn hurry(&mut self) {
        self.failures = self.failures.min(1);
        self.not_before = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff::new(Retry::default(), Some(1))
    }

    #[test]
    fn the_time_after_a_failure_doubles_up_to_a_minute_and_varies_by_half() {
        let mut backoff = backoff();
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            backoff.failed(SECOND * 1_000, None);
            let delay = backoff.not_before() - SECOND * 1_000;
            let longest = SECOND * longest;
            assert!(
                delay <= longest && delay >= longest / 2,
                "{delay:?} of {longest:?}"
            );
        }
        let delays: Vec<Duration> = (0..10)
            .map(|seed| {
                let mut backoff = Backoff::new(Retry::default(), Some(seed));
                backoff.failed(Duration::ZERO, None);
                backoff.not_before()
            })
            .collect();
        assert!(
            delays.windows(2).any(|pair| pair[0] != pair[1]),
            "{delays:?}"
        );
    }

    #[test]
    fn a_pause_that_is_none_is_refused() {
        let error = |first: u64, max: u64| {
            let [first, max] = [first, max].map(Duration::from_millis);
            Retry { first, max }
                .check()
                .map_err(|error| error.to_string())
        };
        let expected =
            "the time before a receiver that failed is tried again is 0ns: expected 10ms at least";
        assert_eq!(error(0, 60), Err(expected.to_owned()));
        assert!(error(100, 50).is_err());
        assert_eq!(error(100, 100), Ok(()));
    }

    #[test]
    fn a_success_ends_the_back_off() {
        let mut backoff = backoff();
        (0..5).for_each(|_| backoff.failed(SECOND, None));
        backoff.succeeded();
        assert_eq!(backoff.not_before(), Duration::ZERO);
        backoff.failed(SECOND, None);
        assert!(backoff.not_before() <= SECOND * 2);
    }

    #[test]
    fn retry_after_counts_if_it_is_longer_up_to_ten_minutes() {
        let mut backoff = backoff();
        backoff.failed(Duration::ZERO, Some(SECOND * 30));
        assert_eq!(backoff.not_before(), SECOND * 30);
        backoff.failed(Duration::ZERO, Some(SECOND * 86_400));
        assert_eq!(backoff.not_before(), SECOND * 600);
        backoff.failed(Duration::ZERO, Some(Duration::ZERO));
        assert!(backoff.not_before() >= SECOND * 2);
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = backoff();
        (0..100).for_each(|_| backoff.failed(SECOND, None));
        assert!(backoff.not_before() <= SECOND * 61);
    }

    #[test]
    fn a_status_says_whether_the_content_or_something_else_is_at_fault() {
        let outcome = |status: u16| {
            let status = StatusCode::from_u16(status).expect("a status");
            Outcome::of_answer(status, Some(SECOND), "no such name")
        };
        assert_eq!(outcome(200), Outcome::Delivered);
        assert_eq!(outcome(204), Outcome::Delivered);
        for refused in [400, 413, 415, 422] {
            let expected = format!("it answered {refused} ");
            let Outcome::Refused(why) = outcome(refused) else {
                panic!("{refused}: {:?}", outcome(refused));
            };
            assert!(
                why.starts_with(&expected) && why.ends_with(": no such name"),
                "{why}"
            );
        }
        for later in [
            301, 307, 401, 403, 404, 405, 408, 410, 429, 500, 502, 503, 504,
        ] {
            let Outcome::Later { retry_after, .. } = outcome(later) else {
                panic!("{later}: {:?}", outcome(later));
            };
            assert_eq!(
                retry_after.is_some(),
                later == 429 || later == 503,
                "{later}"
            );
        }
    }
}
