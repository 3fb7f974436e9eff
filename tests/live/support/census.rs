//! The census of a run, from its capture, and the kernel's own counters beside it.

use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use retrans_event::CensusRow;
use retrans_host::capture::Reader;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;

use super::Root;
use super::captures::Directory;
use super::host::Host;
use super::host::Run;
use super::lab::Flow;
use super::netns::Namespace;
use super::oracle::Nstat;

/// A host that makes a census, and records it.
pub struct CensusHost {
    pub host: Host,
    directory: Directory,
}

/// What a census has counted: all its rows.
pub struct Counted {
    pub rows: Vec<CensusRow>,
    pub run: Run,
}

impl CensusHost {
    /// Starts the host with `--census` and these further arguments.
    pub fn start(root: &Root, interval: &str, arguments: &[&str]) -> Result<CensusHost> {
        let directory = Directory::new()?;
        let capture = directory.file("census.rtc");
        let census = ["--census", interval, "--record", &capture];
        let host = Host::start(root, &[&census[..], arguments].concat())?;
        let is_refused = |host: &Host| host.said().iter().any(|line| line.contains("no census"));
        if is_refused(&host) {
            // Once more, with the words of the verifier.
            let verbose = Host::start(root, &["--census", interval, "-vv"])?;
            let said = verbose.said().join("\n");
            bail!("the kernel refuses the census: {said}");
        }
        Ok(CensusHost { host, directory })
    }

    /// Ends the host, which makes the last census.
    pub fn stop(self) -> Result<Counted> {
        let CensusHost { host, directory } = self;
        let run = host.stop()?;
        run.ledger
            .census
            .as_ref()
            .context("the ledger has a line of the census")?;
        let rows = rows(&directory.file("census.rtc"))?;
        Ok(Counted { rows, run })
    }
}

/// All rows of a capture.
pub fn rows(capture: &str) -> Result<Vec<CensusRow>> {
    let file = File::open(capture).with_context(|| format!("cannot open {capture}"))?;
    let mut reader = Reader::new(BufReader::new(file))?;
    let mut rows = Vec::new();
    while let Some(item) = reader.item(Batch::new)? {
        if let Item::Census(census) = item {
            rows.extend(census.rows());
        }
    }
    Ok(rows)
}

impl Counted {
    /// The rows of a namespace.
    pub fn rows_of(&self, namespace: &Namespace) -> Vec<CensusRow> {
        let inode = namespace.inode();
        let rows = self.rows.iter();
        let rows = rows.filter(|row| u64::from(row.netns_inode) == inode);
        rows.copied().collect()
    }

    /// The sums of a namespace for one service of a peer, over all intervals. `open` is that of the last interval. There
    /// are no other rows of that namespace: what is not expected would be counted elsewhere. All are complete.
    #[track_caller]
    pub fn only(&self, namespace: &Namespace, peer: impl Into<IpAddr>, port: u16) -> CensusRow {
        for row in self.rows_of(namespace) {
            assert!(row.is_complete, "{row:?}");
        }
        self.known(namespace, peer, port)
    }

    /// The same, of rows that need not be complete.
    #[track_caller]
    pub fn known(&self, namespace: &Namespace, peer: impl Into<IpAddr>, port: u16) -> CensusRow {
        let peer = peer.into();
        let rows = self.rows_of(namespace);
        for row in &rows {
            let of = (row.peer_address, row.service_port, row.is_overflow);
            assert_eq!(of, (peer, port, false), "{row:?}");
        }
        sum(&rows)
    }

    /// A counter in the ledger.
    pub fn ledger(&self, counter: &str) -> u64 {
        let census = self.run.ledger.census.as_ref();
        census.map_or(0, |census| census.get(counter))
    }
}

/// The sums of rows. `open` is that of the last one.
pub fn sum(rows: &[CensusRow]) -> CensusRow {
    let mut sum = CensusRow::EMPTY;
    for row in rows {
        sum.open = row.open;
        sum.opened += row.opened;
        sum.closed += row.closed;
        sum.unknown += row.unknown;
        sum.segments += row.segments;
        sum.retransmitted_segments += row.retransmitted_segments;
        sum.bytes += row.bytes;
        sum.retransmitted_bytes += row.retransmitted_bytes;
        sum.dsacks += row.dsacks;
        sum.rtt_sum_us += row.rtt_sum_us;
        sum.rtt_count += row.rtt_count;
    }
    sum
}

/// Segments and bytes that were sent for the first time. Where acknowledgements are late, as in a busy virtual machine, the
/// kernel sends a segment again that was not lost.
pub fn first(row: &CensusRow) -> (u64, u64) {
    let segments = row.segments - row.retransmitted_segments;
    (segments, row.bytes - row.retransmitted_bytes)
}

/// Segments that a namespace has sent for the first time: TCPOrigDataSent. The kernel counts a FIN without data there, and not
/// in the socket's segments with data.
pub fn first_sent(namespace: &Namespace) -> Result<u64> {
    Nstat::of(namespace)?.get("TcpExtTCPOrigDataSent")
}

/// A number in the words of `ss -tin` about the only connection of a namespace to this port.
pub fn ss(namespace: &Namespace, port: u16, word: &str) -> Result<u64> {
    let text = namespace.run(&format!("ss -tinH dport = {port}"))?;
    let number = text
        .split_whitespace()
        .find_map(|found| found.strip_prefix(word));
    let Some(number) = number else {
        return Ok(0);
    };
    // retrans:NOW/TOTAL
    let number = number.rsplit('/').next().unwrap_or(number);
    number
        .parse()
        .with_context(|| format!("{word} in what ss prints: {text}"))
}

/// Sends segments one by one, which are received.
pub fn exchange(flow: &mut Flow, segments: usize) -> Result<()> {
    for _ in 0..segments {
        flow.send_segment()?;
    }
    flow.receive_segments(segments)
}
