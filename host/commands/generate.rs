//! Making up a capture.

use std::io;
use std::io::BufWriter;
use std::io::ErrorKind;
use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use retrans_event::synth::Synth;
use tempfile::Builder;

use super::capture_output;
use crate::capture::Head;
use crate::capture::Writer;
use crate::capture::files;
use crate::config::Generate;
use crate::config::Verbosity;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::batch::Mark;
use crate::system::stdio;
use crate::system::stdio::print_status;

/// With gaps: after every 10,000 events some are lost; of fewer, after half of them.
const GAP_EVERY: u64 = 10_000;

/// The time at which made-up captures say that they were begun: the same for each, so that the same
/// seed makes the same file.
const BEGUN: &str = "2026-01-01T00:00:00.000Z";

/// Makes up a capture; `-` is standard output.
pub fn generate(config: &Generate) -> Result<()> {
    let file = &config.file;
    // What is cut short is removed.
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let (bytes, place) = if file.as_os_str() == "-" {
        let written = capture_output().and_then(|mut to| write(config, &mut to, &stop));
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe && stop.outlet().is_pipe() => {
                return Ok(());
            }
            Err(error) if stdio::is_called_off(&error) => {
                bail!(
                    "a signal came, and the reader of standard output did not take the rest in time"
                );
            }
            bytes => (
                bytes.context("cannot write to standard output")?,
                "standard output".to_owned(),
            ),
        }
    } else {
        (to_file(config, &stop)?, file.display().to_string())
    };
    if config.verbosity >= Verbosity::Normal {
        print_status(&format!(
            "wrote {} events out of {} connections to {place} ({bytes} bytes)",
            config.events, config.connections,
        ));
    }
    Ok(())
}

/// Writes the capture beside its place, then moves it there: no other process finds half of it.
fn to_file(config: &Generate, stop: &Stop) -> Result<u64> {
    let file = &config.file;
    let failed = || format!("cannot write {}", file.display());
    if files::is_special(file) {
        bail!("{}: it is no file", failed());
    }
    if file.exists() && !config.force {
        bail!("{}: the file exists; --force overwrites it", failed());
    }
    let directory = files::directory(file);
    let beside = Builder::new().prefix(".retrans-").tempfile_in(directory);
    let mut beside = beside.with_context(failed)?;
    let bytes = write(config, beside.as_file_mut(), stop).with_context(failed)?;
    if config.force {
        beside.persist(file).map_err(|error| error.error)
    } else {
        beside.persist_noclobber(file).map_err(|error| error.error)
    }
    .with_context(failed)?;
    Ok(bytes)
}

fn write(config: &Generate, to: &mut impl Write, stop: &Stop) -> io::Result<u64> {
    let head = Head::new(None, BEGUN.to_owned());
    let mut writer = Writer::new(BufWriter::new(to), &head)?;
    let mut batch = Batch::new();
    let mut next_mark: Option<Duration> = None;
    let mut last = Mark::default();
    let gap_every = match config.events {
        0..=GAP_EVERY => config.events / 2,
        _ => GAP_EVERY,
    };
    let events = Synth::with_connections(config.seed, config.connections);
    for (number, record) in (0..config.events).zip(events) {
        if batch.len() == MAX_EVENTS {
            if stop.is_ending() {
                return Err(io::Error::other("a signal came"));
            }
            send(&mut writer, &mut batch)?;
        }
        let due = next_mark.get_or_insert(record.time() + Duration::from_secs(1));
        while *due <= record.time() {
            send(&mut writer, &mut batch)?;
            let ago = record.time() - *due;
            let wall_time = record.wall_time().saturating_sub(ago);
            let (time, lost) = (*due, 0);
            writer.item(&Item::Mark(Mark {
                time,
                wall_time,
                lost,
            }))?;
            *due += Duration::from_secs(1);
        }
        if config.gaps && gap_every > 0 && number % gap_every == gap_every - 1 {
            send(&mut writer, &mut batch)?;
            // As many as a softirq may bring at once; from the seed, as everything is.
            batch.lost = 1 + (config.seed ^ number) % 64;
        }
        last = Mark::at(&record, 0);
        batch.push(record.as_bytes());
    }
    send(&mut writer, &mut batch)?;
    writer.item(&Item::End(last))?;
    writer.finish()
}

fn send(writer: &mut Writer<impl Write>, batch: &mut Batch) -> io::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let item = Item::Events(std::mem::take(batch));
    writer.item(&item)?;
    if let Item::Events(used) = item {
        *batch = used;
        batch.clear();
    }
    Ok(())
}
