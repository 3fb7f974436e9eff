//! The ledger that the host prints when it ends, read and checked.

use std::collections::BTreeMap;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// What one stage counted, by name.
#[derive(Debug, Default)]
pub struct Stage(BTreeMap<String, u64>);

/// Every stage, in the order of an event's way.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The probe.
    pub kernel: Stage,
    /// The source.
    pub host: Stage,
    /// Whose the events were.
    pub owners: Stage,
    /// The plugins with their names.
    pub plugins: Vec<(String, Stage)>,
    /// What was recorded, if anything was to be.
    pub capture: Option<Stage>,
}

impl Ledger {
    /// Reads `ledger: STAGE KEY=NUMBER…` lines; other lines are passed over.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for line in lines {
            let Some(entry) = line.strip_prefix("ledger: ") else {
                continue;
            };
            let (stage, counts) = entry.split_once(' ').with_context(|| entry.to_owned())?;
            match stage {
                "kernel" => ledger.kernel = Stage::parse(counts)?,
                "host" => ledger.host = Stage::parse(counts)?,
                "owners" => ledger.owners = Stage::parse(counts)?,
                "plugin" => {
                    let (name, counts) = counts.split_once(' ').with_context(|| line.to_owned())?;
                    ledger
                        .plugins
                        .push((name.to_owned(), Stage::parse(counts)?));
                }
                "capture" => {
                    let (_, counts) = counts.split_once(' ').with_context(|| line.to_owned())?;
                    ledger.capture = Some(Stage::parse(counts)?);
                }
                // What a plugin counts for itself, and what it has used, are no part of the books.
                "counter" | "usage" | "faults" => {}
                _ => bail!("the ledger has a line of no known stage: {line}"),
            }
        }
        Ok(ledger)
    }

    /// Every event that went in at one end is accounted for at the other.
    #[track_caller]
    pub fn assert_balances(&self) {
        let Ledger {
            kernel,
            host,
            owners,
            plugins,
            capture,
        } = self;
        assert_eq!(
            kernel.get("entered"),
            kernel.get("recorded") + kernel.get("ring_full"),
            "kernel: {kernel:?}"
        );
        assert_eq!(
            host.get("recorded"),
            kernel.get("recorded"),
            "between kernel and host: {self:?}"
        );
        assert_eq!(
            host.get("recorded"),
            host.get("withheld") + host.get("delivered"),
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
        assert!(!plugins.is_empty(), "no plugin in the ledger: {self:?}");
        let mut passed_on = host.get("delivered");
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

    /// It balances, and the ring had room for every event.
    #[track_caller]
    pub fn assert_complete(&self) {
        self.assert_balances();
        assert_eq!(self.kernel.get("ring_full"), 0, "events were lost");
    }

    /// What was recorded.
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

    /// The number with this name; a test's mistake, or the host's, where there is none.
    #[track_caller]
    pub fn get(&self, key: &str) -> u64 {
        match self.0.get(key) {
            Some(number) => *number,
            None => panic!("the ledger has no {key}: {self:?}"),
        }
    }
}
