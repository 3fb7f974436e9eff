//! The command `generate`: writes a capture of synthetic events.

mod census;

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

use self::census::SyntheticCensus;
use super::capture_output::capture_output;
use crate::capture::Head;
use crate::capture::Writer;
use crate::capture::rotation;
use crate::config::Generate;
use crate::config::Verbosity;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::census::Census;
use crate::stream::moment::Mark;
use crate::system::stdio;
use crate::system::stdio::print_status;

/// Number of events between two gaps. A capture of at most this number has its gap after half of them.
const GAP_INTERVAL: u64 = 10_000;

/// The start of every synthetic capture: a constant, so that the same seed produces the same file.
const BEGUN: &str = "2026-01-01T00:00:00.000Z";

/// Writes a synthetic capture to a file, or to standard output (`-`).
pub fn generate(config: &Generate) -> Result<()> {
    let file = &config.file;
    // A signal cancels the command instead of the process: the unfinished file is then removed.
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let (bytes, place) = if file.as_os_str() == "-" {
        let written =
            capture_output().and_then(|mut to| write(config, &mut to, || stop.is_ending()));
        match written {
            Err(error)
                if error.kind() == ErrorKind::BrokenPipe && stop.stdout_status().is_pipe() =>
            {
                return Ok(());
            }
            Err(error) if stdio::is_cancelled(&error) => {
                bail!(
                    "interrupted by a signal, and the reader of standard output did not take the rest in time"
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
            "wrote {} events of {} connections to {place} ({bytes} bytes)",
            config.events, config.connections,
        ));
    }
    Ok(())
}

/// Writes the capture to a temporary file in the same directory, then renames it: no other process sees an unfinished
/// capture.
fn to_file(config: &Generate, stop: &Stop) -> Result<u64> {
    let file = &config.file;
    let failed = || format!("cannot write {}", file.display());
    if rotation::is_special(file) {
        bail!("{}: it is not a regular file", failed());
    }
    if file.exists() && !config.force {
        bail!("{}: the file exists; --force overwrites it", failed());
    }
    let directory = rotation::directory(file);
    let temporary = Builder::new().prefix(".retrans-").tempfile_in(directory);
    let mut temporary = temporary.with_context(failed)?;
    let bytes = write(config, temporary.as_file_mut(), || stop.is_ending()).with_context(failed)?;
    if config.force {
        temporary.persist(file).map_err(|error| error.error)
    } else {
        temporary
            .persist_noclobber(file)
            .map_err(|error| error.error)
    }
    .with_context(failed)?;
    Ok(bytes)
}

/// Writes the capture. Returns its size in bytes.
pub(super) fn write(
    config: &Generate,
    to: &mut impl Write,
    is_interrupted: impl Fn() -> bool,
) -> io::Result<u64> {
    let head = Head {
        has_census: config.census.is_some(),
        ..Head::new(None, BEGUN.to_owned())
    };
    let mut census = config.census.map(SyntheticCensus::new);
    let mut writer = Writer::new(BufWriter::new(to), &head)?;
    let mut batch = Batch::new();
    let mut next_mark: Option<Duration> = None;
    let mut last = Mark::default();
    let gap_interval = match config.events {
        0..=GAP_INTERVAL => config.events / 2,
        _ => GAP_INTERVAL,
    };
    let events = Synth::with_connections(config.seed, config.connections);
    for (number, record) in (0..config.events).zip(events) {
        if batch.len() == MAX_EVENTS {
            if is_interrupted() {
                return Err(io::Error::other("interrupted by a signal"));
            }
            send(&mut writer, &mut batch)?;
        }
        let due = next_mark.get_or_insert(record.time() + Duration::from_secs(1));
        while *due <= record.time() {
            send(&mut writer, &mut batch)?;
            let since_mark = record.time() - *due;
            let wall_time = record.wall_time().saturating_sub(since_mark);
            let mark = Mark {
                time: *due,
                wall_time,
                lost: 0,
            };
            let made = census.as_mut().and_then(|census| census.due(mark.now()));
            made.map_or(Ok(()), |made| write_census(&mut writer, made))?;
            writer.item(&Item::Mark(mark))?;
            *due += Duration::from_secs(1);
        }
        if config.gaps && gap_interval > 0 && number % gap_interval == gap_interval - 1 {
            send(&mut writer, &mut batch)?;
            // 1 to 64, as many as one softirq may produce; derived from the seed, like all else.
            batch.lost = 1 + (config.seed ^ number) % 64;
        }
        last = Mark::at(&record, 0);
        if let Some(census) = &mut census {
            census.add(&record);
        }
        batch.push(record.as_bytes());
    }
    send(&mut writer, &mut batch)?;
    if let Some(mut census) = census {
        write_census(&mut writer, census.take(last.now()))?;
    }
    writer.item(&Item::End(last))?;
    writer.finish()
}

fn write_census(writer: &mut Writer<impl Write>, census: Census) -> io::Result<()> {
    match census.is_empty() {
        true => Ok(()),
        false => writer.item(&Item::Census(census)),
    }
}

/// Writes the batch, unless it is empty, and clears it.
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
