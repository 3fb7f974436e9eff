//! Runs a plugin over the bytes of a call, and passes its effects to the host.
//!
//! Independent of WebAssembly: the bindings of a component and the test harness both use it.

mod state;

use std::time::Duration;

use anyhow::ensure;
use retrans_event::CORE_SIZE;
use retrans_event::CensusRow;

use crate::census::Census;
use crate::event::Event;
use crate::host::Host;
use crate::labels::Labels;
use crate::output::Output;
use crate::plugin::Plugin;
use crate::plugin::Verdict;
use crate::result::Result;
use crate::settings;

/// Which of a call's events go on to the next plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// None.
    None,
    /// One bit for each event, least significant bit first; 1 keeps the event.
    Bits(Vec<u8>),
}

/// The rows of a call's censuses. `part` returns the next ones, back to back; empty if there are no more.
pub(crate) fn census_rows(mut part: impl FnMut() -> Vec<u8>) -> Vec<CensusRow> {
    let mut rows = Vec::new();
    loop {
        let bytes = part();
        if bytes.is_empty() {
            return rows;
        }
        rows.extend(CensusRow::rows(&bytes));
    }
}

/// A plugin with the buffers that its calls reuse.
#[derive(Debug)]
pub(crate) struct Runner<P> {
    plugin: P,
    labels: Labels,
    output: Output,
    /// Numbers of the events that are kept and whose records changed.
    changed: Vec<u32>,
    /// Size in bytes of the last saved state: an estimate for the next one.
    last_state_size: usize,
}

impl<P: Plugin> Runner<P> {
    /// Creates a plugin with settings from a JSON object.
    pub(crate) fn configure(settings: &str) -> Result<Runner<P>> {
        Ok(Runner {
            plugin: P::new(settings::parse(settings)?)?,
            labels: Labels::default(),
            output: Output::default(),
            changed: Vec::new(),
            last_state_size: 0,
        })
    }

    /// Processes `count` records of `record_size` bytes each.
    ///
    /// Uses `records` as working memory: its content is not defined afterwards.
    pub(crate) fn process(
        &mut self,
        host: &dyn Host,
        count: u32,
        record_size: u32,
        records: &mut [u8],
    ) -> Result<Keep> {
        let size = record_size as usize;
        ensure!(
            size >= CORE_SIZE && records.len() as u64 == u64::from(count) * u64::from(record_size),
            "the host passed {} bytes as {count} records of {record_size} bytes; \
             a record has at least {CORE_SIZE}",
            records.len(),
        );
        self.begin(host)?;
        let mut dropped = Dropped::none_of(count);
        for (number, record) in (0..count).zip(records.chunks_exact_mut(size)) {
            let record = retrans_event::Event::new_mut(record)?;
            self.output.begin_event(number);
            let mut event = Event::new(record, number, &mut self.labels, host);
            let verdict = self.plugin.on_event(&mut event, &mut self.output)?;
            let is_changed = event.is_changed();
            match verdict {
                Verdict::Keep if is_changed => self.changed.push(number),
                Verdict::Keep => (),
                Verdict::Drop => {
                    self.labels.unset(number);
                    dropped.add(number);
                }
            }
        }
        self.return_changed(host, size, records);
        for column in self.labels.columns() {
            host.annotate(column);
        }
        self.output.commit(host);
        Ok(dropped.into_keep())
    }

    /// Passes the time to the plugin, and before it the rows of censuses.
    pub(crate) fn tick(
        &mut self,
        host: &dyn Host,
        rows: Vec<CensusRow>,
        now: Duration,
    ) -> Result<()> {
        self.begin(host)?;
        self.pass_census(rows)?;
        self.plugin.on_tick(now, &mut self.output)?;
        self.output.commit(host);
        Ok(())
    }

    /// Passes the end of the stream to the plugin, and before it the rows of censuses.
    pub(crate) fn finish(
        &mut self,
        host: &dyn Host,
        rows: Vec<CensusRow>,
        now: Duration,
    ) -> Result<()> {
        self.begin(host)?;
        self.pass_census(rows)?;
        self.plugin.on_finish(now, &mut self.output)?;
        self.output.commit(host);
        Ok(())
    }

    fn pass_census(&mut self, rows: Vec<CensusRow>) -> Result<()> {
        match rows.is_empty() || !P::CENSUS.is_any() {
            true => Ok(()),
            false => self.plugin.on_census(&Census::new(rows), &mut self.output),
        }
    }

    /// Begins a call. Clears what an earlier call left, also one that failed.
    fn begin(&mut self, host: &dyn Host) -> Result<()> {
        self.labels.begin();
        self.output.begin();
        self.changed.clear();
        match host.lost() {
            0 => Ok(()),
            lost => self.plugin.on_lost(lost, &mut self.output),
        }
    }

    /// Passes the changed records to the host, back to back.
    fn return_changed(&self, host: &dyn Host, size: usize, records: &mut [u8]) {
        if self.changed.is_empty() {
            return;
        }
        // The numbers are ascending, so that no record is overwritten before it is moved.
        for (place, number) in self.changed.iter().enumerate() {
            let start = *number as usize * size;
            if start != place * size {
                records.copy_within(start..start + size, place * size);
            }
        }
        host.change(&self.changed, &records[..self.changed.len() * size]);
    }
}

/// The events that are dropped. Most plugins drop none: the bits are allocated at the first one.
struct Dropped {
    count: u32,
    dropped: u32,
    keep: Vec<u8>,
}

impl Dropped {
    fn none_of(count: u32) -> Dropped {
        Dropped {
            count,
            dropped: 0,
            keep: Vec::new(),
        }
    }

    #[inline]
    fn add(&mut self, number: u32) {
        if self.dropped == 0 {
            self.keep = vec![0xff; self.count.div_ceil(8) as usize];
        }
        self.dropped += 1;
        self.keep[number as usize / 8] &= !(1 << (number % 8));
    }

    fn into_keep(mut self) -> Keep {
        if self.dropped == 0 {
            return Keep::All;
        }
        if self.dropped == self.count {
            return Keep::None;
        }
        // By the contract, bits beyond the last event are 0.
        if let (Some(last), used @ 1..) = (self.keep.last_mut(), self.count % 8) {
            *last &= (1 << used) - 1;
        }
        Keep::Bits(self.keep)
    }
}

#[cfg(test)]
mod tests;
