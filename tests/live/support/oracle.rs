//! Independent counters: the kernel's own counts of retransmits.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::netns::Namespace;

/// The longest that a test waits. Not a measurement: a loaded machine may need seconds for what takes
/// milliseconds.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(180);

/// The SNMP counters of a namespace, as `nstat` shows them.
pub struct Nstat(BTreeMap<String, u64>);

impl Nstat {
    /// Reads all counters.
    pub fn of(namespace: &Namespace) -> Result<Nstat> {
        // -a: since the namespace began; -z: zeros too; -s: leave nstat's history file alone.
        let text = namespace.run("nstat -asz")?;
        let counters = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
            })
            .collect();
        Ok(Nstat(counters))
    }

    /// Retransmitted segments: `TcpRetransSegs`.
    pub fn retransmitted_segments(&self) -> Result<u64> {
        self.get("TcpRetransSegs")
    }

    /// A counter by its name in nstat.
    pub fn get(&self, name: &str) -> Result<u64> {
        self.0
            .get(name)
            .copied()
            .with_context(|| format!("nstat shows no {name}"))
    }
}

/// Waits until a counter of the namespace is at least `value`.
pub fn wait_for_counter(namespace: &Namespace, name: &str, value: u64) -> Result<()> {
    wait_until(format_args!("{name} to reach {value}"), || {
        Ok(Nstat::of(namespace)?.get(name)? >= value)
    })
}

/// Waits until `condition` holds; an error after [`WAIT_TIMEOUT`].
pub fn wait_until(
    what: impl fmt::Display,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let begin = Instant::now();
    while !condition()? {
        if begin.elapsed() > WAIT_TIMEOUT {
            bail!("waited {WAIT_TIMEOUT:?} in vain for {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
