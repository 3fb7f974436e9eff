//! What the recording of a demo has, beside what the kernel counted.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use retrans_view::key::Connection;
use retrans_view::ratios::Ratios;
use retrans_view::sums::Sums;

use crate::capture::Reader;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Peers whose ratios are kept: the demo has two.
const MAX_PEERS: usize = 8;

/// A recorded transfer.
pub struct Seen {
    sums: Sums,
    connections: HashSet<Connection>,
    ratios: Ratios,
}

impl Seen {
    /// Reads the recording.
    pub fn read(file: &Path) -> Result<Seen> {
        let name = file.display();
        let open = File::open(file).with_context(|| format!("cannot open {name}"))?;
        let mut reader = Reader::new(BufReader::new(open));
        let reader = reader
            .as_mut()
            .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
        let mut seen = Seen {
            sums: Sums::default(),
            connections: HashSet::new(),
            ratios: Ratios::new(MAX_PEERS),
        };
        while let Some(item) = reader
            .item(Batch::new)
            .with_context(|| format!("cannot read {name}"))?
        {
            match item {
                Item::Events(batch) => batch.events().for_each(|event| {
                    seen.sums.add(event);
                    seen.connections.insert(Connection::of(event));
                }),
                Item::Census(census) => seen.ratios.add(census.rows()),
                Item::Mark(_) | Item::End(_) => {}
            }
        }
        Ok(seen)
    }

    /// Compares the recording with the kernel's counter of the namespace, in which nothing else was sent.
    ///
    /// # Errors
    ///
    /// If they differ, or if there is no retransmit.
    pub fn compare(&self, counted: u64) -> Result<()> {
        let again = self.ratios.total().retransmitted;
        let segments = self.sums.segments;
        if segments == 0 {
            bail!("no retransmit was seen, and the kernel counted {counted} (RetransSegs)");
        }
        if (segments, again) != (counted, counted) {
            bail!(
                "the events have {segments} segments and the census {again} that were sent again, but the kernel \
                 counted {counted} (RetransSegs); please report this as a bug"
            );
        }
        Ok(())
    }

    /// What was seen in `time`, in words.
    pub fn in_words(&self, time: Duration) -> impl fmt::Display {
        let sent = self.ratios.total();
        format!(
            "In {:.1} s the host saw {} retransmits of {} connections: {} segments, as many as the kernel itself \
             counted (RetransSegs). Of {} segments that were sent, {} were sent again: {:.1} %.",
            time.as_secs_f64(),
            self.sums.events,
            self.connections.len(),
            self.sums.segments,
            sent.segments,
            sent.retransmitted,
            100.0 * sent.ratio().unwrap_or(0.0)
        )
    }
}
