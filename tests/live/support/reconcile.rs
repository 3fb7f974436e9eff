//! Reads the output of `--reconcile`.

use anyhow::Context;
use anyhow::Result;

use super::host::Run;
use super::netns::Namespace;
use crate::common::ledger::Stage;

/// A line with counts of the host and of the kernel.
pub struct Compared {
    counts: Stage,
    /// In percent.
    pub coverage: String,
}

impl Compared {
    /// The count of this name.
    #[track_caller]
    pub fn get(&self, key: &str) -> u64 {
        self.counts.get(key)
    }

    /// Segments that the kernel counted and that failed without an event: up to 6.16, and mostly none.
    pub fn failed_not_traced(&self) -> u64 {
        self.counts.find("failed_not_traced").unwrap_or(0)
    }

    fn parse(line: &str) -> Result<Compared> {
        let is_coverage = |word: &&str| word.starts_with("coverage=");
        let coverage = line.split_whitespace().find(is_coverage);
        let coverage = coverage.and_then(|word| word.split_once('='));
        let (_, coverage) = coverage.with_context(|| format!("no coverage: {line}"))?;
        let counts = line.split_whitespace().filter(|word| !is_coverage(word));
        let counts: Vec<&str> = counts.collect();
        Ok(Compared {
            counts: Stage::parse(&counts.join(" "))?,
            coverage: coverage.to_owned(),
        })
    }
}

/// The line of a namespace, which must have been compared.
pub fn compared(run: &Run, namespace: &Namespace) -> Result<Compared> {
    Compared::parse(line(run, &format!("netns={} ", namespace.inode()))?)
}

/// The line of all namespaces that were compared.
pub fn compared_in_all(run: &Run) -> Result<Compared> {
    Compared::parse(line(run, "all ")?)
}

/// The reason why a namespace cannot be compared.
pub fn unreconciled<'a>(run: &'a Run, namespace: &Namespace) -> Result<&'a str> {
    line(run, &format!("netns={} ", namespace.inode()))
}

fn line<'a>(run: &'a Run, of: &str) -> Result<&'a str> {
    let lines = run.stderr.iter();
    let mut lines = lines.filter_map(|line| line.strip_prefix("reconcile: ")?.strip_prefix(of));
    let found = lines.next();
    found.with_context(|| format!("no line about {of}: {:#?}", run.stderr))
}
