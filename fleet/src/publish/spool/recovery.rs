//! Opens a spool: with the frames that earlier runs left in its directory, which are sent first.

use std::sync::Arc;

use super::SpoolConfig;
use super::directory::Directory;
use super::directory::SpoolError;
use super::entry;
use super::log::Segment;
use super::log::Spool;
use crate::head::HeadDigest;
use crate::names::AgentRun;

impl Spool {
    /// Opens a spool for this run.
    pub(in crate::publish) fn open(
        run: AgentRun,
        head: Vec<u8>,
        config: &SpoolConfig,
    ) -> Result<Spool, SpoolError> {
        let directory = config
            .directory
            .as_deref()
            .map(Directory::open)
            .transpose()?;
        let mut spool = Spool::new(run, head, directory, config.max_bytes);
        spool.recover()?;
        Ok(spool)
    }

    fn recover(&mut self) -> Result<(), SpoolError> {
        let Some(directory) = self.directory.take() else {
            return Ok(());
        };
        let (numbers, heads) = directory.list()?;
        let own = self.heads[0].clone();
        directory.write_head(own.0, &own.1)?;
        for number in numbers {
            let bytes = directory.read_segment(number)?;
            let (found, is_torn) = entry::decode_file(&bytes);
            if is_torn {
                self.counts.torn += 1;
                tracing::warn!(
                    "the end of {} cannot be read: its run ended while it wrote, or the file is damaged",
                    directory.segment(number).display()
                );
            }
            self.next_segment = number + 1;
            let size = bytes.len() as u64;
            self.counts.spool_bytes += size;
            self.segments.push_back(Segment {
                number,
                entries: Vec::with_capacity(found.len()),
                live: 0,
                bytes: size,
                path: Some(Arc::new(directory.segment(number))),
                file: None,
                is_open: false,
            });
            for entry in found {
                self.counts.inherited.add(entry.meta.events);
                self.push(entry.meta, entry.range, None);
            }
        }
        // A file without a whole entry.
        self.remove_finished();
        self.make_room(0);
        self.keep_heads(&directory, &heads);
        self.directory = Some(directory);
        Ok(())
    }

    /// Reads the heads of the frames that are there, and removes the others.
    fn keep_heads(&mut self, directory: &Directory, heads: &[HeadDigest]) {
        let entries = self.segments.iter().flat_map(|segment| &segment.entries);
        let mut needed: Vec<HeadDigest> = entries.map(|entry| entry.meta.head).collect();
        needed.sort_unstable();
        needed.dedup();
        let own = self.heads[0].0;
        for head in heads
            .iter()
            .filter(|head| !needed.contains(head) && **head != own)
        {
            directory.remove_head(*head);
        }
        for head in needed.into_iter().filter(|head| *head != own) {
            match directory.read_head(head) {
                Some(content) => self.heads.push((head, content.into())),
                // An earlier attempt may have brought it to the broker.
                None => tracing::warn!("the spool has frames, but not their head {head}"),
            }
        }
    }
}
