//! Splits a stream by partitions: events and rows of one peer get into one partition, whichever host saw them.

use std::collections::BTreeMap;
use std::io;

use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;

use crate::capture::FrameWriter;
use crate::capture::fragment::FragmentWriter;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::census::Census;
use crate::stream::labels::Column;
use crate::stream::moment::Mark;

/// The label with the name of the host that saw an event.
pub const HOST_LABEL: &str = "host.name";

/// Bytes of items, before compression, from which on a fragment is full. Most servers take messages of 1 MiB.
const FULL: usize = 256 << 10;

/// The most rows of a census in one item: 240 kB, so that a fragment with them has less than 512 KiB.
const MAX_ROWS: usize = 1_000;

/// A fragment of one partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The partition.
    pub partition: Partition,
    /// A frame of items.
    pub payload: Vec<u8>,
    /// Number of its events.
    pub events: u64,
}

/// Collects items by partition.
pub struct Splitter {
    partitions: Partitions,
    host: String,
    frames: FrameWriter,
    collected: BTreeMap<Partition, Collected>,
}

#[derive(Default)]
struct Collected {
    items: FragmentWriter,
    events: u64,
}

impl Splitter {
    /// Splits the stream of the host of this name.
    pub fn new(partitions: Partitions, host: &str) -> io::Result<Splitter> {
        Ok(Splitter {
            partitions,
            host: host.to_owned(),
            frames: FrameWriter::new()?,
            collected: BTreeMap::new(),
        })
    }

    /// Adds an item. Returns the fragments that are full.
    pub fn item(&mut self, item: &Item) -> io::Result<Vec<Fragment>> {
        let mut full = Vec::new();
        match item {
            Item::Events(batch) => self.events(batch),
            Item::Census(census) => full = self.census(census)?,
            Item::Mark(mark) | Item::End(mark) => self.losses(mark),
        }
        full.extend(self.take(FULL)?);
        Ok(full)
    }

    /// Makes fragments of everything that was added.
    pub fn flush(&mut self) -> io::Result<Vec<Fragment>> {
        self.take(1)
    }

    fn events(&mut self, batch: &Batch) {
        if batch.lost > 0 {
            let start = batch.start();
            self.losses(&Mark {
                time: start.time,
                wall_time: start.wall_time,
                lost: batch.lost,
            });
        }
        let mut members: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
        for (index, event) in batch.events().enumerate() {
            let partition = self.partitions.of_peer(event.peer().ip());
            members.entry(partition).or_default().push(index);
        }
        for (partition, indices) in members {
            let mut part = batch.pick(&indices);
            let hosts = (0..part.len() as u32).map(|event| (event, self.host.as_str()));
            part.labels.annotate(Column::new(HOST_LABEL, hosts));
            let events = part.len() as u64;
            self.add(partition, &Item::Events(part), events);
        }
    }

    /// Adds the rows in items of at most [`MAX_ROWS`]: a consumer takes each as a census of the same time. Returns the
    /// fragments that are full.
    fn census(&mut self, census: &Census) -> io::Result<Vec<Fragment>> {
        let mut full = Vec::new();
        let mut parts: BTreeMap<Partition, Census> = BTreeMap::new();
        for row in census.rows() {
            let partition = self.partitions.of_peer(row.peer_address);
            let part = parts.entry(partition).or_default();
            part.push(&row);
            if part.len() >= MAX_ROWS {
                let rows = std::mem::take(part);
                self.add(partition, &Item::Census(rows), 0);
                full.extend(self.take(FULL)?);
            }
        }
        for (partition, rows) in parts {
            if !rows.is_empty() {
                self.add(partition, &Item::Census(rows), 0);
            }
        }
        Ok(full)
    }

    /// What the ring lost belongs to no key: it is told in each partition.
    fn losses(&mut self, mark: &Mark) {
        if mark.lost > 0 {
            for partition in self.partitions.all() {
                self.add(partition, &Item::Mark(*mark), 0);
            }
        }
    }

    fn add(&mut self, partition: Partition, item: &Item, events: u64) {
        let collected = self.collected.entry(partition).or_default();
        collected.items.item(item);
        collected.events += events;
    }

    /// Makes fragments where there are at least this many bytes.
    fn take(&mut self, least: usize) -> io::Result<Vec<Fragment>> {
        let mut fragments = Vec::new();
        for (partition, collected) in &mut self.collected {
            if collected.items.len() >= least {
                fragments.push(Fragment {
                    partition: *partition,
                    payload: collected.items.take(&mut self.frames)?,
                    events: std::mem::take(&mut collected.events),
                });
            }
        }
        Ok(fragments)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;
    use std::time::Duration;

    use retrans_event::CENSUS_ROW_SIZE;
    use retrans_event::CensusRow;
    use retrans_event::Record;

    use super::*;
    use crate::capture::fragment;
    use crate::capture::fragment::FragmentReader;

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn batch(peers: impl IntoIterator<Item = u8>) -> Batch {
        let mut batch = Batch::new();
        for (sequence, number) in peers.into_iter().enumerate() {
            let mut record = Record::new();
            record.set_sequence(sequence as u64);
            record.set_peer((peer(number), 443).into());
            batch.push(record.as_bytes());
        }
        batch
    }

    fn read(fragment: &Fragment) -> Vec<Item> {
        let reader = FragmentReader::new(&fragment::head().expect("JSON")).expect("the own head");
        reader.read(&fragment.payload).expect("sound")
    }

    fn splitter() -> Splitter {
        Splitter::new(Partitions::DEFAULT, "web-1").expect("there is memory")
    }

    #[test]
    fn each_event_is_in_the_partition_of_its_peer_once_in_order_and_with_its_host() {
        let mut splitter = splitter();
        let mut events = batch((0..200).map(|number| number % 50));
        events.labels.annotate(Column::new("zone", [(7, "a")]));
        assert_eq!(splitter.item(&Item::Events(events)).expect("memory"), []);
        let mut seen = 0;
        let mut zones = 0;
        for fragment in splitter.flush().expect("memory") {
            let mut last = HashMap::new();
            for item in read(&fragment) {
                let Item::Events(batch) = item else {
                    panic!("{item:?}");
                };
                for event in batch.events() {
                    let ip = event.peer().ip();
                    assert_eq!(Partitions::DEFAULT.of_peer(ip), fragment.partition);
                    assert!(last.insert(ip, event.sequence()) < Some(event.sequence()));
                    seen += 1;
                }
                let host = batch
                    .labels
                    .columns()
                    .iter()
                    .find(|column| column.key == HOST_LABEL);
                let host = host.expect("each event has its host");
                assert_eq!(
                    host.iter().filter(|(_, name)| *name == "web-1").count(),
                    batch.len()
                );
                zones += batch
                    .labels
                    .columns()
                    .iter()
                    .filter(|column| column.key == "zone")
                    .count();
            }
        }
        assert_eq!((seen, zones), (200, 1));
        assert_eq!(
            splitter.flush().expect("memory"),
            [],
            "nothing is sent twice"
        );
    }

    #[test]
    fn losses_are_told_in_each_partition() {
        let mut splitter = splitter();
        let mark = Mark {
            lost: 3,
            ..Mark::default()
        };
        splitter.item(&Item::Mark(mark)).expect("memory");
        splitter.item(&Item::Mark(Mark::default())).expect("memory");
        let mut lossy = batch([1]);
        lossy.lost = 4;
        splitter.item(&Item::Events(lossy)).expect("memory");
        let fragments = splitter.flush().expect("memory");
        assert_eq!(fragments.len(), 32);
        for fragment in &fragments {
            let items = read(fragment);
            let lost = items.iter().map(|item| match item {
                Item::Mark(mark) => mark.lost,
                Item::Events(batch) => batch.lost,
                _ => 0,
            });
            assert_eq!(lost.sum::<u64>(), 7);
        }
    }

    #[test]
    fn a_full_fragment_is_not_kept_and_rows_go_by_peer() {
        let mut splitter = splitter();
        let full = (0..10).flat_map(|_| {
            splitter
                .item(&Item::Events(batch([1; 256])))
                .expect("memory")
        });
        let full: Vec<Fragment> = full.collect();
        let events: u64 = full.iter().map(|fragment| fragment.events).sum();
        assert!(!full.is_empty() && events > 0);
        let rows = (0..20).map(|number| CensusRow {
            peer_address: peer(number),
            time: Duration::from_secs(1),
            ..CensusRow::EMPTY
        });
        splitter
            .item(&Item::Census(Census::new(rows)))
            .expect("memory");
        let mut rows = 0;
        let mut rest = 0;
        for fragment in splitter.flush().expect("memory") {
            rest += fragment.events;
            for item in read(&fragment) {
                if let Item::Census(census) = item {
                    for row in census.rows() {
                        assert_eq!(
                            Partitions::DEFAULT.of_peer(row.peer_address),
                            fragment.partition
                        );
                        rows += 1;
                    }
                }
            }
        }
        assert_eq!((rows, events + rest), (20, 2560));
    }

    #[test]
    fn a_large_census_is_in_several_fragments_with_each_row_once() {
        const ROWS: u64 = 20_000;
        let mut splitter = splitter();
        // Of one peer, so that all are in one partition, after events that are not sent yet.
        let mut fragments = splitter
            .item(&Item::Events(batch([1; 10])))
            .expect("memory");
        let rows = (0..ROWS).map(|segments| CensusRow {
            peer_address: peer(1),
            time: Duration::from_secs(1),
            segments,
            ..CensusRow::EMPTY
        });
        let census = Item::Census(Census::new(rows));
        fragments.extend(splitter.item(&census).expect("memory"));
        fragments.extend(splitter.flush().expect("memory"));
        let mut seen = Vec::new();
        let mut events = 0;
        for fragment in &fragments {
            let before = seen.len();
            for item in read(fragment) {
                match item {
                    Item::Events(batch) => events += batch.len(),
                    Item::Census(census) => {
                        assert!((1..=MAX_ROWS).contains(&census.len()));
                        seen.extend(census.rows().map(|row| row.segments));
                    }
                    item => panic!("{item:?}"),
                }
            }
            // Also without compression a server takes it.
            let bytes = (seen.len() - before) * CENSUS_ROW_SIZE;
            assert!(bytes < 512 << 10, "{bytes}");
        }
        assert_eq!(events, 10);
        assert!(seen.into_iter().eq(0..ROWS));
    }
}
