//! The ledger: the statistics as text, one line for each stage, for people and for scripts.

use std::fmt;
use std::time::Duration;

use super::Stats;
use super::counters::CensusStats;
use super::counters::ChainStats;
use super::counters::LatencyStats;
use super::counters::OwnerStats;
use super::counters::PluginStats;
use super::counters::PluginUsage;
use super::counters::Quantiles;
use super::counters::ReplayStats;
use super::counters::SinkStats;
use super::counters::StreamStats;
use crate::system::sanitize;

/// The last line of a ledger that does not account for every event.
const UNBALANCED: &str = "ledger: does not balance; please report this as a bug\n";

/// Writes one line for each stage, in the order in which events pass them.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = &self.stream {
            write!(f, "{stream}")?;
        }
        if let Some(census) = &self.census {
            write!(f, "{census}")?;
        }
        write!(f, "{}", self.chain)?;
        if self.not_printed > 0 {
            writeln!(f, "ledger: stdout not_printed={}", self.not_printed)?;
        }
        if let Some(recorded) = &self.recorded {
            write!(f, "{recorded}")?;
        }
        match &self.published {
            Some(published) => write!(f, "{published}"),
            None => Ok(()),
        }
    }
}

impl Stats {
    /// The ledger at the end of a run, with a further line if the stages do not account for every event.
    pub fn final_ledger(&self) -> String {
        match self.balances() {
            true => self.to_string(),
            false => format!("{self}{UNBALANCED}"),
        }
    }
}

impl fmt::Display for ChainStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChainStats {
            plugins,
            removed,
            since: _,
            usage,
            counters,
            gauges,
            histograms,
            latency,
            sinks,
        } = self;
        if let Some(LatencyStats { at_once, waited }) = latency {
            write_quantiles(f, "latency", at_once)?;
            write_quantiles(f, "latency_after_waiting", waited)?;
        }
        for plugin in plugins.iter().chain(removed) {
            write!(f, "{plugin}")?;
        }
        for usage in usage {
            write!(f, "{usage}")?;
        }
        for ((plugin, counter), count) in counters {
            let counter = sanitize::key(counter);
            writeln!(f, "ledger: counter {plugin} {counter}={count}")?;
        }
        for ((plugin, gauge), value) in gauges {
            let gauge = sanitize::key(gauge);
            writeln!(f, "ledger: gauge {plugin} {gauge}={value}")?;
        }
        for ((plugin, name), histogram) in histograms {
            let (count, sum) = (histogram.count(), histogram.sum());
            let name = sanitize::key(name);
            writeln!(
                f,
                "ledger: histogram {plugin} {name} count={count} sum={sum}"
            )?;
        }
        for PluginUsage {
            plugin,
            metrics_refused,
            ..
        } in usage
        {
            if *metrics_refused > 0 {
                writeln!(f, "ledger: metrics {plugin} refused={metrics_refused}")?;
            }
        }
        for sink in sinks {
            write!(f, "{sink}")?;
        }
        Ok(())
    }
}

/// Writes one line, unless there were no events.
fn write_quantiles(f: &mut fmt::Formatter<'_>, name: &str, quantiles: &Quantiles) -> fmt::Result {
    let Quantiles {
        events,
        p50,
        p99,
        max,
        histogram: _,
    } = quantiles;
    if *events == 0 {
        return Ok(());
    }
    let [p50, p99, max] = [p50, p99, max].map(Duration::as_micros);
    writeln!(
        f,
        "ledger: {name} events={events} p50_us={p50} p99_us={p99} max_us={max}"
    )
}

/// Writes one line for each stage before the chain.
impl fmt::Display for StreamStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kernel, source, owners) = match self {
            StreamStats::Live {
                kernel,
                source,
                owners,
            } => (kernel, source, owners),
            StreamStats::Fleet(fleet) => return write!(f, "{fleet}"),
            StreamStats::Replay(replay) => {
                let ReplayStats {
                    read,
                    left_out,
                    delivered,
                } = replay;
                return writeln!(
                    f,
                    "ledger: replay read={read} left_out={left_out} delivered={delivered}"
                );
            }
        };
        write!(
            f,
            "ledger: kernel entered={} recorded={} ring_full={}",
            kernel.entered, kernel.recorded, kernel.ring_full
        )?;
        // Only a run with filters can have any.
        for (name, count) in [
            ("filtered", kernel.filtered),
            ("sampled_out", kernel.sampled_out),
            ("rate_limited", kernel.rate_limited),
        ] {
            if count > 0 {
                write!(f, " {name}={count}")?;
            }
        }
        if let Some(misses) = kernel.recursion_misses {
            write!(f, " recursion_misses={misses}")?;
        }
        writeln!(f)?;
        write!(
            f,
            "ledger: host recorded={} withheld={}",
            source.recorded, source.withheld
        )?;
        if source.filtered > 0 {
            write!(f, " filtered={}", source.filtered)?;
        }
        // Only a run with --count can have any.
        if source.beyond > 0 {
            write!(f, " beyond={}", source.beyond)?;
        }
        writeln!(f, " delivered={}", source.delivered)?;
        let OwnerStats {
            held,
            orphaned,
            not_accepted,
            kernel,
            unknown,
            scans,
            scans_cut,
        } = owners;
        write!(
            f,
            "ledger: owners held={held} orphaned={orphaned} not_accepted={not_accepted} \
             kernel={kernel} unknown={unknown} scans={scans}"
        )?;
        if *scans_cut > 0 {
            write!(f, " scans_cut={scans_cut}")?;
        }
        writeln!(f)
    }
}

/// Writes one line.
impl fmt::Display for CensusStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CensusStats {
            made,
            rows,
            beyond,
            connections_missed,
            stale,
            recursion_misses,
            cpu,
        } = self;
        let cpu = cpu.as_micros();
        writeln!(
            f,
            "ledger: census made={made} rows={rows} beyond={beyond} connections_missed={connections_missed} \
             stale={stale} recursion_misses={recursion_misses} cpu_us={cpu}"
        )
    }
}

/// Writes one line.
impl fmt::Display for PluginStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ledger: plugin {} in={} kept={} dropped={} passed_unseen={} lost={}",
            self.name, self.events, self.kept, self.dropped, self.passed_unseen, self.lost
        )
    }
}

/// Writes one line, and a second one if the plugin has failed or was reloaded.
impl fmt::Display for PluginUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ledger: usage {} calls={} changed={} cpu_us={} p50_ns={} p99_ns={} max_ns={} memory={} \
             memory_max={}",
            self.plugin,
            self.calls,
            self.changed,
            self.cpu.as_micros(),
            self.p50.as_nanos(),
            self.p99.as_nanos(),
            self.max.as_nanos(),
            self.memory,
            self.memory_max
        )?;
        if self.restarts == 0 && self.reloads == 0 && self.faults.is_empty() {
            return Ok(());
        }
        write!(f, "ledger: faults {}", self.plugin)?;
        for (cause, count) in &self.faults {
            write!(f, " {cause}={count}")?;
        }
        writeln!(f, " restarts={} reloads={}", self.restarts, self.reloads)
    }
}

/// Writes one line.
impl fmt::Display for SinkStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SinkStats {
            name,
            received,
            sent,
            queued,
            dropped,
            failed,
        } = self;
        writeln!(
            f,
            "ledger: sink {} in={received} sent={sent} queued={queued} dropped={dropped} failed={failed}",
            sanitize::key(name)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counters::KernelStats;
    use crate::stats::counters::SourceStats;

    fn plugins() -> Vec<PluginStats> {
        let plugin = |name: &str, events, kept| PluginStats {
            name: name.to_owned(),
            events,
            kept,
            dropped: events - kept,
            ..PluginStats::default()
        };
        vec![plugin("a", 9, 4), plugin("b", 4, 4)]
    }

    const KERNEL: KernelStats = KernelStats {
        entered: 12,
        recorded: 10,
        ring_full: 2,
        filtered: 0,
        sampled_out: 0,
        rate_limited: 0,
        recursion_misses: Some(1),
    };
    const SOURCE: SourceStats = SourceStats {
        recorded: 10,
        withheld: 1,
        filtered: 0,
        beyond: 0,
        delivered: 9,
    };
    const OWNERS: OwnerStats = OwnerStats {
        held: 5,
        orphaned: 1,
        not_accepted: 1,
        kernel: 1,
        unknown: 1,
        scans: 3,
        scans_cut: 0,
    };
    const REPLAY: ReplayStats = ReplayStats {
        read: 12,
        left_out: 3,
        delivered: 9,
    };

    fn stats(stream: StreamStats) -> Stats {
        let chain = ChainStats {
            plugins: plugins(),
            sinks: vec![SinkStats {
                name: "a file".to_owned(),
                received: 15,
                sent: 1,
                queued: 2,
                dropped: 4,
                failed: 8,
            }],
            ..ChainStats::default()
        };
        Stats {
            stream: Some(stream),
            chain,
            ..Stats::default()
        }
    }

    fn live(kernel: KernelStats, source: SourceStats, owners: OwnerStats) -> Stats {
        stats(StreamStats::Live {
            kernel,
            source,
            owners,
        })
    }

    fn replay(replay: ReplayStats) -> Stats {
        stats(StreamStats::Replay(replay))
    }

    #[track_caller]
    fn assert_unbalanced(stats: &Stats) {
        assert!(!stats.balances(), "{stats}");
        assert!(stats.final_ledger().ends_with(UNBALANCED));
    }

    #[test]
    fn the_ledger_balances_when_every_event_is_accounted_for() {
        assert!(live(KERNEL, SOURCE, OWNERS).balances());
        assert!(replay(REPLAY).balances());
    }

    #[test]
    fn a_sink_has_a_line_and_its_name_is_one_word() {
        let ledger = replay(REPLAY).final_ledger();
        let line = "ledger: sink a\\u{20}file in=15 sent=1 queued=2 dropped=4 failed=8";
        assert_eq!(ledger.lines().last(), Some(line));
    }

    #[test]
    fn one_event_missing_anywhere_unbalances_the_ledger() {
        let (mut kernel, mut owners) = (KERNEL, OWNERS);
        kernel.entered += 1;
        assert_unbalanced(&live(kernel, SOURCE, OWNERS));
        owners.held += 1;
        assert_unbalanced(&live(KERNEL, SOURCE, owners));
        for change in [
            |source: &mut SourceStats| source.recorded -= 1,
            |source: &mut SourceStats| source.delivered -= 1,
        ] {
            let mut source = SOURCE;
            change(&mut source);
            assert_unbalanced(&live(KERNEL, source, OWNERS));
        }
        for change in [
            |replay: &mut ReplayStats| replay.read += 1,
            |replay: &mut ReplayStats| replay.delivered -= 1,
        ] {
            let mut changed = REPLAY;
            change(&mut changed);
            assert_unbalanced(&replay(changed));
        }
        let changes: [fn(&mut ChainStats); 5] = [
            |chain| chain.plugins[0].events += 1,
            |chain| chain.plugins[0].dropped -= 1,
            |chain| chain.plugins[1].kept -= 1,
            |chain| chain.sinks[0].received += 1,
            |chain| chain.sinks[0].failed -= 1,
        ];
        for change in changes {
            let mut stats = live(KERNEL, SOURCE, OWNERS);
            change(&mut stats.chain);
            assert_unbalanced(&stats);
        }
    }
}
