//! The clocks: the kernel stamps with time since boot, people read the time of day.

use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::Timespec;
use rustix::time::clock_getres;
use rustix::time::clock_gettime;

use crate::batch::Mark;

/// Time since boot and time of day at the same moment, and so how far they are apart.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    boot: Duration,
    wall: Duration,
}

impl Now {
    /// Reads both clocks. To be read anew often: the time of day may be set.
    pub fn read() -> Now {
        Now {
            boot: duration(clock_gettime(ClockId::Boottime)),
            wall: duration(clock_gettime(ClockId::Realtime)),
        }
    }

    /// Time since boot.
    pub fn boot(&self) -> Duration {
        self.boot
    }

    /// The time of day when the time since boot was `boot`.
    pub fn wall_at(&self, boot: Duration) -> Duration {
        (self.wall + boot).saturating_sub(self.boot)
    }

    /// A moment, since boot, as a mark in the stream.
    pub fn mark(&self, time: Duration, lost: u64) -> Mark {
        let wall_time = self.wall_at(time);
        Mark {
            time,
            wall_time,
            lost,
        }
    }
}

/// The length of a jiffy, 1/HZ: what the kernel's coarse clocks advance by.
pub fn jiffy() -> Duration {
    duration(clock_getres(ClockId::MonotonicCoarse))
}

/// CPU time that the calling thread has used.
pub fn of_thread() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

fn duration(time: Timespec) -> Duration {
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
    seconds + Duration::from_nanos(time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_the_kernel_becomes_a_time_of_day() {
        let now = Now {
            boot: Duration::from_secs(100),
            wall: Duration::from_secs(1_800_000_000),
        };
        let earlier = now.wall_at(Duration::from_millis(99_500));
        assert_eq!(earlier, Duration::from_millis(1_799_999_999_500));
        let later = now.wall_at(Duration::from_millis(100_500));
        assert_eq!(later, Duration::from_millis(1_800_000_000_500));
    }

    #[test]
    fn a_jiffy_is_one_of_the_lengths_that_a_kernel_can_be_built_with() {
        let hz = 1_000_000_000 / jiffy().as_nanos();
        assert!([100, 250, 300, 1000].contains(&hz), "{hz}");
    }
}
