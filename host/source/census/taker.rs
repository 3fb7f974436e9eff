//! Makes a census once an interval, on a thread of its own, so that the source does not wait for it.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use retrans_event::CensusRow;

use super::program::CensusError;
use super::program::CensusProgram;
use super::program::Losses;
use super::program::system;
use super::rows::Interval;
use crate::source::bpf::permissions;
use crate::stats::counters::CensusStats;
use crate::stream::census::Census;
use crate::stream::clock::Clock;
use crate::stream::clock::Now;
use crate::system::threads;

/// Censuses that wait for the source. If it is further behind, the interval of the next one is longer.
const MAX_WAITING: usize = 2;

/// Takes a census once an interval.
pub struct CensusTaker {
    made: Receiver<Made>,
    /// Dropped to end the thread, which makes the last census then.
    end: SyncSender<()>,
    stats: CensusStats,
}

/// A census, and the statistics so far.
struct Made {
    census: Census,
    stats: CensusStats,
}

impl CensusTaker {
    /// Begins to count, and starts the thread.
    ///
    /// # Errors
    ///
    /// [`CensusError`] if the kernel refuses to begin, or the thread cannot be started.
    pub fn start(
        program: CensusProgram,
        interval: Duration,
        clock: Clock,
    ) -> Result<CensusTaker, CensusError> {
        let (end, ended) = sync_channel::<()>(0);
        let (sender, made) = bounded(MAX_WAITING);
        let (begun, result) = bounded(1);
        threads::named("census")
            .keeping(permissions::needed_after_attach())
            .spawn(move || {
                let started = program.begin();
                let is_counting = started.is_ok();
                let _ = begun.send(started);
                if !is_counting {
                    return;
                }
                let mut maker = Maker::new(program, clock);
                loop {
                    let next = maker.last.boot() + interval;
                    let wait = next.saturating_sub(clock.now().boot());
                    let is_over = ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
                    if !maker.make(&sender) || is_over {
                        return;
                    }
                }
            })
            .map_err(system("start the thread of the census"))?;
        // The thread sends before it can end.
        result.recv().unwrap_or(Ok(()))?;
        Ok(CensusTaker {
            made,
            end,
            stats: CensusStats::default(),
        })
    }

    /// A census that was made and not taken yet.
    pub fn take(&mut self) -> Option<Census> {
        let made = self.made.try_recv().ok()?;
        self.stats = made.stats;
        Some(made.census)
    }

    /// Ends the thread. Returns the censuses that were not taken yet, of which the last one is made now, and the
    /// statistics.
    pub fn finish(self) -> (Vec<Census>, CensusStats) {
        let CensusTaker {
            made,
            end,
            mut stats,
        } = self;
        drop(end);
        let censuses = made.iter().map(|made| {
            stats = made.stats;
            made.census
        });
        (censuses.collect(), stats)
    }

    /// Statistics as of the last census that was taken.
    pub fn stats(&self) -> CensusStats {
        self.stats
    }
}

struct Maker {
    program: CensusProgram,
    clock: Clock,
    /// The end of the last interval.
    last: Now,
    losses: Losses,
    stats: CensusStats,
}

impl Maker {
    fn new(program: CensusProgram, clock: Clock) -> Maker {
        Maker {
            program,
            clock,
            last: clock.now(),
            losses: Losses::default(),
            stats: CensusStats::default(),
        }
    }

    /// Makes a census and sends it, if it has rows. Returns false if no further one can be made: the source has ended,
    /// or the kernel refuses, which is logged.
    fn make(&mut self, sender: &Sender<Made>) -> bool {
        let rows = match self.rows() {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!("{error}; there is no further census");
                return false;
            }
        };
        self.stats.made += 1;
        self.stats.rows += rows.len() as u64;
        self.stats.cpu = threads::cpu_time();
        let census = Census::new(rows);
        let stats = self.stats;
        sender.send(Made { census, stats }).is_ok()
    }

    fn rows(&mut self) -> Result<Vec<CensusRow>, CensusError> {
        let Maker { program, clock, .. } = self;
        let mut now = clock.now();
        // Whether it is complete is known at the end alone.
        let mut sums = Vec::new();
        program.end_interval(
            || now = clock.now(),
            |found| sums.push((*found.key, *found.sums)),
        )?;
        let losses = program.losses()?;
        let interval = Interval {
            time: now.boot(),
            wall_time: now.wall_at(now.boot()),
            length: now.boot().saturating_sub(self.last.boot()),
            is_complete: self.losses.is_complete_until(&losses),
        };
        self.last = now;
        self.losses = losses;
        self.stats.connections_missed = losses.connections;
        self.stats.beyond = losses.beyond;
        self.stats.stale = losses.stale;
        self.stats.recursion_misses = losses.recursion_misses;
        // In the order of their keys: the kernel's order changes from census to census.
        sums.sort_unstable_by_key(|(key, _)| *key);
        let rows = sums.iter().filter_map(|(key, sums)| {
            let sums = super::rows::Sums { key, sums };
            sums.row(&interval)
        });
        Ok(rows.collect())
    }
}
