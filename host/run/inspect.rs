//! Saying what captures hold.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use indicatif::ProgressBar;
use retrans_event::Event;

use super::say;
use crate::batch::Batch;
use crate::batch::Item;
use crate::capture::CaptureError;
use crate::capture::Head;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::stdio::Stdout;
use crate::timestamp;

/// Peers that are shown.
const TOP: usize = 10;

/// Prints a page about each file.
pub fn inspect(files: &[PathBuf]) -> Result<()> {
    let mut stdout = Stdout::new().context("cannot use standard output")?;
    for file in files {
        let page = look(file).with_context(|| format!("cannot inspect {}", file.display()))?;
        match page.print(file, &mut stdout).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
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
    connections: HashMap<(std::net::SocketAddr, std::net::SocketAddr), u64>,
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
        *self.peers.entry(event.peer_address()).or_default() += 1;
        let connection = (event.local(), event.peer());
        *self.connections.entry(connection).or_default() += 1;
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
                None => writeln!(to, "  host        none: the events are made up")?,
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
            "  events      {} ({} segments, {} not sent), {} connections",
            self.events,
            self.segments,
            self.failed,
            self.connections.len()
        )?;
        for (kind, count) in &self.kinds {
            writeln!(to, "    {count:>9} {kind}")?;
        }
        writeln!(to, "  lost        {} in {} gaps", self.lost, self.gaps)?;
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_by_key(|(peer, count)| (std::cmp::Reverse(**count), **peer));
        writeln!(to, "  peers       {}", peers.len())?;
        for (peer, count) in peers.iter().take(TOP) {
            writeln!(to, "    {count:>9} {peer}")?;
        }
        if let Some(cut) = &self.cut {
            say(&format!("{}: {cut}", file.display()));
        }
        Ok(())
    }
}
