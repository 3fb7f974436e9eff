//! Saying what captures hold.

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
use crate::system::stdio::Outlet;
use crate::system::stdio::Stdout;
use crate::system::stdio::print_status;
use crate::system::timestamp;

/// Peers, and connections, that are told apart: 100 MiB. A capture may have as many as it has events.
const MAX_COUNTED: usize = 500_000;

/// Peers that are shown.
const TOP: usize = 10;

/// Prints a page about each file.
pub fn inspect(files: &[PathBuf]) -> Result<()> {
    let mut stdout = Stdout::new().context("cannot use standard output")?;
    let outlet = Outlet::new().context("cannot use standard output")?;
    for file in files {
        let page = look(file).with_context(|| format!("cannot inspect {}", file.display()))?;
        match page.print(file, &mut stdout).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && outlet.is_pipe() => {
                return Ok(());
            }
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(())
}

/// What a capture holds.
#[derive(Default)]
struct Page {
    head: Option<Head>,
    events: u64,
    segments: u64,
    failed: u64,
    lost: u64,
    gaps: u64,
    /// By name.
    kinds: BTreeMap<String, u64>,
    peers: HashMap<IpAddr, u64>,
    more_peers: bool,
    connections: HashSet<(SocketAddr, SocketAddr)>,
    more_connections: bool,
    span: Option<(Duration, Duration)>,
    /// Where it was cut off, if it was.
    cut: Option<String>,
}

fn look(file: &Path) -> Result<Page> {
    let mut capture = match Input::open(file, &ProgressBar::hidden(), None)? {
        Input::Capture(capture) => capture,
        Input::Lines(_) => bail!("it is no capture"),
    };
    let mut page = Page {
        head: Some(capture.head().clone()),
        ..Page::default()
    };
    loop {
        match capture.item(Batch::new) {
            Ok(Some(Item::Events(batch))) => {
                page.lose(batch.lost);
                batch.events().for_each(|event| page.add(event));
            }
            Ok(Some(Item::Mark(mark) | Item::End(mark))) => page.lose(mark.lost),
            Ok(None) => return Ok(page),
            Err(error @ CaptureError::Cut { .. }) => {
                page.cut = Some(error.to_string());
                return Ok(page);
            }
            Err(error) => return Err(InputError::from(error).into()),
        }
    }
}

impl Page {
    fn lose(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        self.gaps += u64::from(lost > 0);
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
            // Whoever wrote the file may have meant to steer a terminal.
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
                    "  host        not known: the events are made up, or were lines"
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
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_by_key(|(peer, count)| (std::cmp::Reverse(**count), **peer));
        let more = more_than(self.more_peers);
        writeln!(to, "  peers       {more}{}", peers.len())?;
        for (peer, count) in peers.iter().take(TOP) {
            writeln!(to, "    {count:>9} {peer}")?;
        }
        if let Some(cut) = &self.cut {
            print_status(&format!("{}: {cut}", file.display()));
        }
        Ok(())
    }
}

/// Before a count that was not carried on.
fn more_than(more: bool) -> &'static str {
    if more { "more than " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use retrans_event::Record;

    use super::*;

    fn printed(page: &Page) -> io::Result<String> {
        let mut text = Vec::new();
        page.print(Path::new("a.rtc"), &mut text)?;
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
        let mut page = Page::default();
        for number in 0..MAX_COUNTED {
            page.add(&event(number));
        }
        page.add(&event(7));
        let text = printed(&page)?;
        assert!(
            text.contains(&format!(", {MAX_COUNTED} connections\n")),
            "{text}"
        );
        assert!(text.contains(&format!(
            "  peers       {MAX_COUNTED}\n            2 10.0.0.7\n"
        )));
        for number in 0..10 {
            page.add(&event(MAX_COUNTED + number));
        }
        let text = printed(&page)?;
        assert!(
            text.contains(&format!(", more than {MAX_COUNTED} connections\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!("  peers       more than {MAX_COUNTED}\n")),
            "{text}"
        );
        assert_eq!(page.peers.len() + page.connections.len(), 2 * MAX_COUNTED);
        Ok(())
    }
}
