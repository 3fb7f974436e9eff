//! Decides when a plugin is put into quarantine, and when it is tried again.
//!
//! All times are those of the stream, so that a replay comes to the same decisions.

use std::collections::VecDeque;
use std::time::Duration;

/// Number of faults within [`FAULT_WINDOW`] that begin a quarantine.
const MAX_FAULTS: usize = 5;

/// Period in which faults are counted.
const FAULT_WINDOW: Duration = Duration::from_secs(60);

/// Length of the first quarantine. Each one that follows is twice as long.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);

/// Maximum length of a quarantine.
const MAX_BACK_OFF: Duration = Duration::from_secs(600);

/// The recent faults of one plugin, and its quarantine.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// Times of faults that are not older than [`FAULT_WINDOW`].
    faults: VecDeque<Duration>,
    /// Start and end of the quarantine, if the plugin is in one.
    span: Option<(Duration, Duration)>,
    /// When the plugin was last tried again after a quarantine.
    last_attempt: Option<Duration>,
    back_off: Duration,
}

impl Quarantine {
    /// Returns the state of a plugin without faults.
    pub(super) fn new() -> Quarantine {
        Quarantine {
            faults: VecDeque::new(),
            span: None,
            last_attempt: None,
            back_off: FIRST_BACK_OFF,
        }
    }

    /// Counts a fault. If it begins a quarantine, returns the quarantine's length.
    pub(super) fn fault(&mut self, now: Duration) -> Option<Duration> {
        if self
            .faults
            .back()
            .is_some_and(|last| is_other_stream(*last, now))
        {
            self.faults.clear();
        }
        self.last_attempt = self
            .last_attempt
            .filter(|last_attempt| !is_other_stream(*last_attempt, now));
        match self.last_attempt {
            // One fault after the quarantine begins the next one.
            Some(last_attempt) if now.saturating_sub(last_attempt) < FAULT_WINDOW => {
                return Some(self.begin(now));
            }
            Some(_) => {
                self.last_attempt = None;
                self.back_off = FIRST_BACK_OFF;
            }
            None => {}
        }
        self.faults.push_back(now);
        let recent = |fault: &Duration| now.saturating_sub(*fault) < FAULT_WINDOW;
        while self.faults.front().is_some_and(|fault| !recent(fault)) {
            self.faults.pop_front();
        }
        (self.faults.len() >= MAX_FAULTS).then(|| self.begin(now))
    }

    /// Begins a quarantine, and returns its length.
    pub(super) fn begin(&mut self, now: Duration) -> Duration {
        let back_off = self.back_off;
        self.span = Some((now, now.saturating_add(back_off)));
        self.back_off = (2 * back_off).min(MAX_BACK_OFF);
        self.faults.clear();
        back_off
    }

    /// Ends the quarantine if its time is over. Returns whether it was ended by this call.
    pub(super) fn end_if_over(&mut self, now: Duration) -> bool {
        let over = self
            .span
            .is_some_and(|(since, until)| now >= until || is_other_stream(since, now));
        if over {
            self.span = None;
            self.last_attempt = Some(now);
        }
        over
    }
}

/// Returns whether time has gone back by more than the delay of an event. The stream is then that of another machine or
/// another boot, as in a replay of several captures.
fn is_other_stream(before: Duration, now: Duration) -> bool {
    now.saturating_add(FAULT_WINDOW) < before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after_five_faults() -> Quarantine {
        let mut quarantine = Quarantine::new();
        for second in 0..4 {
            assert_eq!(quarantine.fault(at(second)), None);
        }
        assert_eq!(quarantine.fault(at(4)), Some(at(10)));
        quarantine
    }

    #[test]
    fn five_faults_within_a_minute_are_too_many() {
        after_five_faults();
        let mut quarantine = Quarantine::new();
        for fault in 0..100 {
            assert_eq!(quarantine.fault(at(fault * 15)), None, "four a minute");
        }
    }

    #[test]
    fn it_is_tried_again_after_the_back_off() {
        let mut quarantine = after_five_faults();
        assert!(!quarantine.end_if_over(at(13)));
        assert!(quarantine.end_if_over(at(14)));
        assert!(!quarantine.end_if_over(at(15)), "it runs");
    }

    #[test]
    fn a_fault_after_the_back_off_doubles_it() {
        let mut quarantine = after_five_faults();
        let mut now = at(14);
        for back_off in [20, 40, 80, 160, 320, 600, 600] {
            assert!(quarantine.end_if_over(now));
            now += at(1);
            assert_eq!(quarantine.fault(now), Some(at(back_off)));
            now += at(back_off);
        }
    }

    #[test]
    fn a_minute_without_a_fault_earns_trust() {
        let mut quarantine = after_five_faults();
        assert!(quarantine.end_if_over(at(14)));
        for second in 74..78 {
            assert_eq!(quarantine.fault(at(second)), None);
        }
        assert_eq!(quarantine.fault(at(78)), Some(at(10)));
    }

    #[test]
    fn a_stream_of_another_boot_ends_it() {
        let mut quarantine = Quarantine::new();
        for second in 1_000..1_004 {
            assert_eq!(quarantine.fault(at(second)), None);
        }
        assert_eq!(quarantine.fault(at(5)), None, "the first of another stream");

        let mut quarantine = Quarantine::new();
        quarantine.begin(at(1_000));
        assert!(
            !quarantine.end_if_over(at(999)),
            "events wait for their owners"
        );
        assert!(quarantine.end_if_over(at(5)));
    }
}
