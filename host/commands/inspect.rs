//! The command `inspect`: prints a summary of captures.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use indicatif::ProgressBar;
use retrans_event::Event;

use crate::capture::CaptureError;
use crate::capture::Head;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::census::Census;
use crate::system::stdio::Stdout;
use crate::system::stdio::StdoutStatus;
use crate::system::stdio::print_status;
use crate::system::timestamp;

/// Maximum number of peers, and of connections, that are counted: 100 MiB. A capture may have as many as it has
/// events.
const MAX_COUNTED: usize = 500_000;

/// Maximum number of peers that are listed.
const MAX_LISTED: usize = 10;

/// Prints a summary of each file to standard output.
pub fn inspect(files: &[PathBuf]) -> Result<()> {
    let mut stdout = Stdout::new().context("cannot use standard output")?;
    let stdout_status = StdoutStatus::new().context("cannot use standard output")?;
    for file in files {
        let summary =
            summarize(file).with_context(|| format!("cannot inspect {}", file.display()))?;
        let printed = summary.print(file, &mut stdout);
        match printed.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && stdout_status.is_pipe() => {
                return Ok(());
            }
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(())
}

/// The summary of a capture.
#[derive(Default)]
struct Summary {
    head: Option<Head>,
    events: u64,
    segments: u64,
    failed: u64,
    lost: u64,
    /// Censuses, and their rows.
    censuses: u64,
    rows: u64,
    /// Sums of their rows.
    sent_segments: u64,
    sent_again: u64,
    /// Whether a row is of a census that has not counted everything.
    is_incomplete: bool,
    gaps: u64,
    /// Number of events of each kind, by the name of the kind.
    kinds: BTreeMap<String, u64>,
    peers: HashMap<IpAddr, u64>,
    /// Whether there were more peers than are counted.
    more_peers: bool,
    connections: HashSet<(SocketAddr, SocketAddr)>,
    /// Whether there were more connections than are counted.
    more_connections: bool,
    /// Time of day of the earliest and of the latest event.
    span: Option<(Duration, Duration)>,
    /// The message if the file was cut off.
    cut: Option<String>,
}

fn summarize(file: &Path) -> Result<Summary> {
    let mut capture = match Input::open(file, &ProgressBar::hidden(), None)? {
        Input::Capture(capture) => capture,
        Input::Lines(_) => bail!("it is not a capture"),
    };
    let mut summary = Summary {
        head: Some(capture.head().clone()),
        ..Summary::default()
    };
    loop {
        match capture.item(Batch::new) {
            Ok(Some(Item::Events(batch))) => {
                summary.add_loss(batch.lost);
                batch.events().for_each(|event| summary.add(event));
            }
            Ok(Some(Item::Census(census))) => summary.add_census(&census),
            Ok(Some(Item::Mark(mark) | Item::End(mark))) => summary.add_loss(mark.lost),
            Ok(None) => return Ok(summary),
            Err(error @ CaptureError::Cut { .. }) => {
                summary.cut = Some(error.to_string());
                return Ok(summary);
            }
            Err(error) => return Err(InputError::from(error).into()),
        }
    }
}

impl Summary {
    fn add_loss(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        self.gaps += u64::from(lost > 0);
    }

    fn add_census(&mut self, census: &Census) {
        self.censuses += 1;
        for row in census.rows() {
            self.rows += 1;
            self.sent_segments = self.sent_segments.saturating_add(row.segments);
            let again = row.retransmitted_segments;
            self.sent_again = self.sent_again.saturating_add(again);
            self.is_incomplete |= !row.is_complete;
        }
    }

    /// The line about the census, if there is one.
    fn census(&self) -> Option<String> {
        let (sent, again) = (self.sent_segments, self.sent_again);
        let incomplete = match self.is_incomplete {
            true => ", incomplete",
            false => "",
        };
        let ratio = match sent {
            0 => String::new(),
            _ => format!(" ({:.2} %)", 100.0 * again as f64 / sent as f64),
        };
        (self.censuses > 0).then(|| {
            format!(
                "{} with {} rows: {sent} segments sent, {again} of them again{ratio}{incomplete}",
                self.censuses, self.rows
            )
        })
    }

    fn add(&mut self, event: &Event) {
        self.events += 1;
        self.segments += u64::from(event.segments().unwrap_or(0));
        self.failed += u64::from(!event.sent());
        *self.kinds.entry(event.kind().to_string()).or_default() += 1;
        let peer = event.peer_address();
        if self.peers.len() < MAX_COUNTED || self.peers.contains_key(&peer) {
            *self.peers.entry(peer).or_default() += 1;
        } else {
            self.more_peers = true;
        }
        let connection = (event.local(), event.peer());
        if self.connections.len() < MAX_COUNTED {
            self.connections.insert(connection);
        } else {
            self.more_connections |= !self.connections.contains(&connection);
        }
        let time = event.wall_time();
        let (first, last) = self.span.get_or_insert((time, time));
        (*first, *last) = ((*first).min(time), (*last).max(time));
    }

    fn print(&self, file: &Path, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "{}", file.display())?;
        if let Some(head) = &self.head {
            // The file is not trusted: its strings may contain escape sequences for the terminal.
            let (writer, begun) = (head.writer.escape_debug(), head.begun.escape_debug());
            writeln!(to, "  written by  {writer}, begun {begun}")?;
            match &head.host {
                Some(host) => writeln!(
                    to,
                    "  host        {}, Linux {}, booted {} ({})",
                    host.name.escape_debug(),
                    host.kernel.escape_debug(),
                    host.booted.escape_debug(),
                    host.attached.escape_debug()
                )?,
                None => writeln!(
                    to,
                    "  host        unknown: the events are synthetic, or were JSON lines"
                )?,
            }
            let fields = head.layout.len();
            writeln!(
                to,
                "  records     {} bytes, {fields} fields",
                head.record_size
            )?;
        }
        match self.span {
            Some((first, last)) => writeln!(
                to,
                "  span        {} to {} ({:.3} s)",
                timestamp::show(first, 3),
                timestamp::show(last, 3),
                (last - first).as_secs_f64()
            )?,
            None => writeln!(to, "  span        no event")?,
        }
        writeln!(
            to,
            "  events      {} ({} segments, {} not sent), {}{} connections",
            self.events,
            self.segments,
            self.failed,
            more_than(self.more_connections),
            self.connections.len()
        )?;
        for (kind, count) in &self.kinds {
            writeln!(to, "    {count:>9} {kind}")?;
        }
        writeln!(to, "  lost        {} in {} gaps", self.lost, self.gaps)?;
        if let Some(census) = self.census() {
            writeln!(to, "  censuses    {census}")?;
        }
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_by_key(|(peer, count)| (std::cmp::Reverse(**count), **peer));
        let more = more_than(self.more_peers);
        writeln!(to, "  peers       {more}{}", peers.len())?;
        for (peer, count) in peers.iter().take(MAX_LISTED) {
            writeln!(to, "    {count:>9} {peer}")?;
        }
        if let Some(cut) = &self.cut {
            print_status(&format!("{}: {cut}", file.display()));
        }
        Ok(())
    }
}

/// The words before a count that stopped at its limit.
fn more_than(more: bool) -> &'static str {
    if more { "more than " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use retrans_event::Record;

    use super::*;

    fn printed(summary: &Summary) -> io::Result<String> {
        let mut text = Vec::new();
        summary.print(Path::new("a.rtc"), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn peers_and_connections_are_counted_up_to_a_limit() -> io::Result<()> {
        let event = |number: usize| {
            let mut event = Record::new();
            let address = Ipv4Addr::from_bits(0x0a00_0000 + number as u32);
            event.set_peer_address(address.into());
            event
        };
        let mut summary = Summary::default();
        for number in 0..MAX_COUNTED {
            summary.add(&event(number));
        }
        summary.add(&event(7));
        let text = printed(&summary)?;
        assert!(
            text.contains(&format!(", {MAX_COUNTED} connections\n")),
            "{text}"
        );
        assert!(text.contains(&format!(
            "  peers       {MAX_COUNTED}\n            2 10.0.0.7\n"
        )));
        for number in 0..10 {
            summary.add(&event(MAX_COUNTED + number));
        }
        let text = printed(&summary)?;
        assert!(
            text.contains(&format!(", more than {MAX_COUNTED} connections\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!("  peers       more than {MAX_COUNTED}\n")),
            "{text}"
        );
        let counted = summary.peers.len() + summary.connections.len();
        assert_eq!(counted, 2 * MAX_COUNTED);
        Ok(())
    }
}
