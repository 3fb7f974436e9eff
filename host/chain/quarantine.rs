//! When a plugin is left out for a while, and when it is tried again.
//!
//! All times are those of the stream, so that a replay comes to the same decisions.

use std::collections::VecDeque;
use std::time::Duration;

/// So many faults …
const MAX_FAULTS: usize = 5;

/// … within this time are too many.
const FAULT_WINDOW: Duration = Duration::from_secs(60);

/// The first back-off; each one that follows is twice as long …
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);

/// … up to this.
const MAX_BACK_OFF: Duration = Duration::from_secs(600);

/// The faults of one plugin, and what follows from them.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// Times of faults, not older than [`FAULT_WINDOW`].
    faults: VecDeque<Duration>,
    /// Since when, and until when.
    span: Option<(Duration, Duration)>,
    /// When it was tried again last.
    tried: Option<Duration>,
    back_off: Duration,
}

impl Quarantine {
    /// No fault yet.
    pub(super) fn new() -> Quarantine {
        Quarantine {
            faults: VecDeque::new(),
            span: None,
            tried: None,
            back_off: FIRST_BACK_OFF,
        }
    }

    /// Counts a fault. If it was one too many, the plugin is to be left out for so long.
    pub(super) fn fault(&mut self, now: Duration) -> Option<Duration> {
        if self
            .faults
            .back()
            .is_some_and(|last| is_another_stream(*last, now))
        {
            self.faults.clear();
        }
        self.tried = self.tried.filter(|tried| !is_another_stream(*tried, now));
        match self.tried {
            // It was given one more chance.
            Some(tried) if now.saturating_sub(tried) < FAULT_WINDOW => {
                return Some(self.begin(now));
            }
            Some(_) => {
                self.tried = None;
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

    /// Leaves the plugin out from now on, for how long.
    pub(super) fn begin(&mut self, now: Duration) -> Duration {
        let back_off = self.back_off;
        self.span = Some((now, now.saturating_add(back_off)));
        self.back_off = (2 * back_off).min(MAX_BACK_OFF);
        self.faults.clear();
        back_off
    }

    /// Is it time to try it again? True once: it is then in no quarantine any more.
    pub(super) fn is_over(&mut self, now: Duration) -> bool {
        let over = self
            .span
            .is_some_and(|(since, until)| now >= until || is_another_stream(since, now));
        if over {
            self.span = None;
            self.tried = Some(now);
        }
        over
    }
}

/// A stream whose time goes back by more than events wait is another machine's, or that of another
/// boot: a replay of several captures.
fn is_another_stream(before: Duration, now: Duration) -> bool {
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
        assert!(!quarantine.is_over(at(13)));
        assert!(quarantine.is_over(at(14)));
        assert!(!quarantine.is_over(at(15)), "it runs");
    }

    #[test]
    fn a_fault_after_the_back_off_doubles_it() {
        let mut quarantine = after_five_faults();
        let mut now = at(14);
        for back_off in [20, 40, 80, 160, 320, 600, 600] {
            assert!(quarantine.is_over(now));
            now += at(1);
            assert_eq!(quarantine.fault(now), Some(at(back_off)));
            now += at(back_off);
        }
    }

    #[test]
    fn a_minute_without_a_fault_earns_trust() {
        let mut quarantine = after_five_faults();
        assert!(quarantine.is_over(at(14)));
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
        assert!(!quarantine.is_over(at(999)), "events wait for their owners");
        assert!(quarantine.is_over(at(5)));
    }
}
