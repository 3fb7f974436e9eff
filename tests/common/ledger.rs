//! Reads and checks the ledger that the host prints when it ends.

use std::collections::BTreeMap;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// What one stage counted, by name.
#[derive(Debug, Default)]
pub struct Stage(BTreeMap<String, u64>);

/// Every stage, in the order in which events pass them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Events that a replay read.
    pub replay: Stage,
    /// The probe.
    pub kernel: Stage,
    /// The source of events in the host.
    pub host: Stage,
    /// Owners of the events.
    pub owners: Stage,
    /// The census, if there is one.
    pub census: Option<Stage>,
    /// Ages of the events that were passed on at once, and of those that have waited for their owner.
    pub latency: [Stage; 2],
    /// The plugins, by name.
    pub plugins: Vec<(String, Stage)>,
    /// CPU time and memory of each plugin.
    pub usage: BTreeMap<String, Stage>,
    /// Faults by cause, and restarts, of each plugin that has failed.
    pub faults: BTreeMap<String, Stage>,
    /// What became of what each sink was given.
    pub sinks: BTreeMap<String, Stage>,
    /// The recording, if there is one.
    pub capture: Option<Stage>,
    /// What a consumer got from a fleet, if it is one.
    pub fleet: Option<Stage>,
    /// What was published to a fleet, if anything was.
    pub published: Option<Stage>,
    /// Lines that were not printed, if there are any.
    pub stdout: Option<Stage>,
}

impl Ledger {
    /// Reads `ledger: STAGE KEY=NUMBER…` lines and ignores all others. Where a stage has several lines, the
    /// last one counts.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for line in lines {
            let Some(entry) = line.strip_prefix("ledger: ") else {
                continue;
            };
            let (stage, counts) = entry.split_once(' ').with_context(|| entry.to_owned())?;
            match stage {
                "replay" => ledger.replay = Stage::parse(counts)?,
                "kernel" => ledger.kernel = Stage::parse(counts)?,
                "host" => ledger.host = Stage::parse(counts)?,
                "owners" => ledger.owners = Stage::parse(counts)?,
                "census" => ledger.census = Some(Stage::parse(counts)?),
                "latency" => ledger.latency[0] = Stage::parse(counts)?,
                "latency_after_waiting" => ledger.latency[1] = Stage::parse(counts)?,
                "fleet" => ledger.fleet = Some(Stage::parse(counts)?),
                "published" => ledger.published = Some(Stage::parse(counts)?),
                "stdout" => ledger.stdout = Some(Stage::parse(counts)?),
                "plugin" | "usage" | "faults" | "sink" => {
                    let (name, counts) = counts.split_once(' ').with_context(|| line.to_owned())?;
                    let (name, counts) = (name.to_owned(), Stage::parse(counts)?);
                    match stage {
                        "plugin" => {
                            // Of a ledger that was printed while the host ran.
                            ledger.plugins.retain(|(earlier, _)| *earlier != name);
                            ledger.plugins.push((name, counts));
                        }
                        "usage" => drop(ledger.usage.insert(name, counts)),
                        "sink" => drop(ledger.sinks.insert(name, counts)),
                        _ => drop(ledger.faults.insert(name, counts)),
                    }
                }
                "capture" => {
                    let (_, counts) = counts.split_once(' ').with_context(|| line.to_owned())?;
                    ledger.capture = Some(Stage::parse(counts)?);
                }
                // A plugin's own counters do not have to balance.
                "counter" => {}
                _ => bail!("the ledger has a line of no known stage: {line}"),
            }
        }
        Ok(ledger)
    }

    /// Reads the ledger from the host's standard error.
    #[track_caller]
    pub fn of(stderr: &str) -> Ledger {
        Ledger::parse(stderr.lines()).unwrap_or_else(|error| panic!("{error:#}: {stderr}"))
    }

    /// Checks that every event of a live run is accounted for.
    #[track_caller]
    pub fn assert_balances(&self) {
        let Ledger {
            kernel,
            host,
            owners,
            latency,
            capture,
            ..
        } = self;
        let measured = latency.iter().filter_map(|stage| stage.find("events"));
        let measured: u64 = measured.sum();
        assert!(measured <= host.get("delivered"), "{latency:?} {host:?}");
        let filtered = ["filtered", "sampled_out", "rate_limited"];
        let left_out: u64 = filtered
            .map(|why| kernel.find(why).unwrap_or(0))
            .iter()
            .sum();
        assert_eq!(
            kernel.get("entered"),
            kernel.get("recorded") + kernel.get("ring_full") + left_out,
            "kernel: {kernel:?}"
        );
        assert_eq!(
            host.get("recorded"),
            kernel.get("recorded"),
            "between kernel and host: {self:?}"
        );
        assert_eq!(
            host.get("recorded"),
            host.get("withheld")
                + host.find("filtered").unwrap_or(0)
                + host.find("beyond").unwrap_or(0)
                + host.get("delivered"),
            "host: {host:?}"
        );
        let statuses = ["held", "orphaned", "not_accepted", "kernel", "unknown"];
        assert_eq!(
            host.get("delivered"),
            statuses
                .map(|status| owners.get(status))
                .iter()
                .sum::<u64>(),
            "owners: {owners:?}"
        );
        if let Some(capture) = capture {
            assert_eq!(
                host.get("delivered"),
                capture.get("events") + capture.get("not_recorded"),
                "capture: {capture:?}"
            );
        }
        self.assert_chain_balances(host.get("delivered"));
    }

    /// Checks that every event of a replay is accounted for.
    #[track_caller]
    pub fn assert_replay_balances(&self) {
        let (replay, delivered) = (&self.replay, self.replay.get("delivered"));
        let read = replay.get("read");
        assert_eq!(read, replay.get("left_out") + delivered, "{replay:?}");
        self.assert_chain_balances(delivered);
    }

    #[track_caller]
    fn assert_chain_balances(&self, delivered: u64) {
        let plugins = &self.plugins;
        assert!(!plugins.is_empty(), "no plugin in the ledger: {self:?}");
        for (name, sink) in &self.sinks {
            let accounted = ["sent", "queued", "dropped", "failed"].map(|what| sink.get(what));
            assert_eq!(
                sink.get("in"),
                accounted.iter().sum::<u64>(),
                "sink {name}: {sink:?}"
            );
        }
        let mut passed_on = delivered;
        for (name, plugin) in plugins {
            assert_eq!(plugin.get("in"), passed_on, "before {name}: {self:?}");
            passed_on = plugin.get("kept") + plugin.get("passed_unseen");
            assert_eq!(
                plugin.get("in"),
                passed_on + plugin.get("dropped") + plugin.get("lost"),
                "{name}: {plugin:?}"
            );
        }
    }

    /// Checks that a live run balances, and that the ring lost no event.
    #[track_caller]
    pub fn assert_complete(&self) {
        self.assert_balances();
        assert_eq!(self.kernel.get("ring_full"), 0, "events were lost");
    }

    /// The counters of a plugin. Panics without such a plugin.
    #[track_caller]
    pub fn plugin(&self, name: &str) -> &Stage {
        let found = self.plugins.iter().find(|(plugin, _)| plugin == name);
        let (_, counters) = found.unwrap_or_else(|| panic!("the ledger has no {name}: {self:?}"));
        counters
    }

    /// The number of lines that were not printed. Panics where the ledger has none.
    #[track_caller]
    pub fn not_printed(&self) -> u64 {
        let stdout = self.stdout.as_ref();
        let stdout = stdout.unwrap_or_else(|| panic!("every line was printed: {self:?}"));
        stdout.get("not_printed")
    }

    /// The counters of the recording. Panics without one.
    #[track_caller]
    pub fn captured(&self) -> &Stage {
        let capture = self.capture.as_ref();
        capture.unwrap_or_else(|| panic!("the ledger has no capture: {self:?}"))
    }
}

impl Stage {
    /// Reads `KEY=NUMBER` words.
    pub fn parse(counts: &str) -> Result<Stage> {
        let counts = counts.split_whitespace().map(|count| {
            let (key, number) = count.split_once('=').with_context(|| count.to_owned())?;
            Ok((key.to_owned(), number.parse()?))
        });
        counts.collect::<Result<_>>().map(Stage)
    }

    /// `KEY=NUMBER` words, sorted by key.
    pub fn show(&self) -> String {
        let counts = self.0.iter().map(|(key, number)| format!("{key}={number}"));
        counts.collect::<Vec<_>>().join(" ")
    }

    /// The number with this name, if the stage has it.
    pub fn find(&self, key: &str) -> Option<u64> {
        self.0.get(key).copied()
    }

    /// The number with this name. Panics where the stage has none.
    #[track_caller]
    pub fn get(&self, key: &str) -> u64 {
        match self.0.get(key) {
            Some(number) => *number,
            None => panic!("the ledger has no {key}: {self:?}"),
        }
    }
}
