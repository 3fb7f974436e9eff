//! The command `export`: writes recorded events as a table (CSV) or as packets (pcapng).

mod blocks;
mod comment;
mod headers;
mod labels;
mod output;
mod pcapng;
mod table;

use std::io;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use retrans_event::Event;

use self::labels::Labels;
use self::output::Output;
use self::pcapng::Packets;
use self::table::Table;
use crate::capture::CaptureError;
use crate::config::Export;
use crate::config::ExportFormat;
use crate::config::Verbosity;
use crate::pipeline::stop::Stop;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::source::replay::LineError;
use crate::source::replay::Selection;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::system::progress;
use crate::system::stdio;
use crate::system::stdio::print_status;

/// An event to be exported.
struct Exported<'a> {
    event: &'a Event,
    /// Its labels, in the order of their keys.
    labels: &'a [(&'a str, &'a str)],
    /// The number of the file that it is from.
    input: usize,
}

/// A form in which events are written.
trait Exporter {
    /// Writes an event.
    fn event(&mut self, exported: &Exported<'_>) -> io::Result<()>;

    /// Notes that events were lost which would be next in the file with this number.
    fn lost(&mut self, input: usize, count: u64);

    /// Writes what is in memory, so that a reader of a pipe has all events so far.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes what follows the last event, and flushes.
    fn end(&mut self) -> io::Result<()>;
}

/// Why an export ended before all was written.
enum Failure {
    /// A file cannot be read to its end.
    Input(anyhow::Error),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// Numbers of events.
#[derive(Default)]
struct Counts {
    read: u64,
    exported: u64,
    /// Events that were lost when the events were recorded.
    lost: u64,
    /// Number of times that events were lost.
    gaps: u64,
    /// Whether the run was to end before the files did.
    is_cut: bool,
}

/// Writes the events of the files to a file or to standard output. A signal ends the export as the end of the files
/// does.
pub fn export(config: &Export) -> Result<()> {
    output::refuse(config)?;
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let is_verbose = config.verbosity >= Verbosity::Normal;
    let (place, progress) = match &config.output {
        Some(file) => {
            stop.stdout_status().set_other_output();
            (
                file.display().to_string(),
                progress::beside_a_file(is_verbose),
            )
        }
        None => {
            // The export ends when the reader closes the pipe, also while it waits for input.
            stop.stdout_status().set_used();
            (
                "standard output".to_owned(),
                progress::on_terminal(is_verbose),
            )
        }
    };
    let mut inputs = Vec::with_capacity(config.files.len());
    for file in &config.files {
        match Input::open(file, &progress, Some(&stop)) {
            Ok(input) => inputs.push(input),
            // The run ends before anything was read.
            Err(error) if error.is_stop() => return Ok(()),
            Err(error) => return Err(failed(file, error)),
        }
    }
    progress::show_percentage(&progress);
    let exported = to_output(config, inputs);
    progress.finish_and_clear();
    let counts = match exported {
        Ok(counts) => counts,
        Err(Failure::Input(error)) => return Err(error),
        Err(Failure::Output(error)) => return output_failed(error, config, &stop),
    };
    if counts.is_cut && !stop.is_ending() {
        // The reader of standard output has closed it.
        return Ok(());
    }
    counts.report(&place, is_verbose);
    Ok(())
}

/// The result of an export whose output cannot be written. A pipe that its reader has closed is a quiet end.
fn output_failed(error: io::Error, config: &Export, stop: &Stop) -> Result<()> {
    if error.kind() == ErrorKind::BrokenPipe && stop.stdout_status().ends_run_when_closed() {
        return Ok(());
    }
    if config.output.is_none() && stdio::is_cancelled(&error) {
        bail!(
            "interrupted by a signal, and the reader of standard output did not take the rest in time"
        );
    }
    Err(error).with_context(|| match &config.output {
        Some(file) => format!("cannot write {}", file.display()),
        None => "cannot write to standard output".to_owned(),
    })
}

impl Counts {
    /// Reports the losses and, if `is_verbose`, the number of events.
    fn report(&self, place: &str, is_verbose: bool) {
        let Counts {
            read,
            exported,
            lost,
            gaps,
            is_cut,
        } = self;
        if *is_cut {
            tracing::warn!(
                "interrupted by a signal: {place} has the events that were read until then"
            );
        }
        if *lost > 0 {
            tracing::warn!(
                "{lost} events are missing, in {gaps} gaps: they were lost when the others were recorded"
            );
        }
        if is_verbose {
            let of = match exported == read {
                true => String::new(),
                false => format!(" of {read}"),
            };
            print_status(&format!("exported {exported}{of} events to {place}"));
        }
    }
}

/// Writes the wanted events of all files to the output.
fn to_output(config: &Export, inputs: Vec<Input<'_>>) -> Result<Counts, Failure> {
    let fields = config.fields.as_deref();
    let mut output = Output::begin(config.output.as_deref(), config.format)?;
    let exporter: Box<dyn Exporter + '_> = match config.format {
        ExportFormat::Csv => Box::new(Table::begin(&mut output, fields)?),
        ExportFormat::Pcapng => {
            let hosts = inputs.iter().map(Input::host);
            Box::new(Packets::begin(&mut output, hosts, fields)?)
        }
    };
    let mut run = Run {
        exporter,
        selection: Selection::new(config.times, config.filters.clone()),
        counts: Counts::default(),
    };
    for (number, (input, file)) in inputs.into_iter().zip(&config.files).enumerate() {
        if run.file(number, input, file)? == FileEnd::RunIsEnding {
            run.counts.is_cut = true;
            break;
        }
    }
    let counts = run.end()?;
    output.finish(config.force)?;
    Ok(counts)
}

/// Why reading a file has ended.
#[derive(PartialEq, Eq)]
enum FileEnd {
    /// All of it was read.
    Read,
    /// The run is to end.
    RunIsEnding,
}

/// An export that is being written.
struct Run<'a> {
    exporter: Box<dyn Exporter + 'a>,
    selection: Selection,
    counts: Counts,
}

impl Run<'_> {
    /// Exports the events of the file with this number.
    fn file(
        &mut self,
        number: usize,
        mut input: Input<'_>,
        file: &Path,
    ) -> Result<FileEnd, Failure> {
        let mut spare = None;
        loop {
            match input.item(|| spare.take().unwrap_or_default()) {
                Ok(Some(Item::Events(mut batch))) => {
                    self.batch(number, &mut batch)?;
                    batch.clear();
                    spare = Some(batch);
                }
                Ok(Some(Item::Mark(mark) | Item::End(mark))) => {
                    if self.selection.has_time(mark.wall_time) {
                        self.lost(number, mark.lost);
                    }
                }
                // Its rows are no events.
                Ok(Some(Item::Census(_))) => {}
                Ok(None) => return Ok(FileEnd::Read),
                Err(error) if error.is_stop() => return Ok(FileEnd::RunIsEnding),
                // The part before the cut is valid.
                Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                    tracing::warn!("{}: {error}", file.display());
                    return Ok(FileEnd::Read);
                }
                Err(error) => return Err(Failure::Input(failed(file, error))),
            }
            self.exporter.flush()?;
        }
    }

    /// Exports the wanted events of a batch.
    fn batch(&mut self, input: usize, batch: &mut Batch) -> io::Result<()> {
        self.counts.read += batch.len() as u64;
        self.selection.select(batch);
        self.lost(input, batch.lost);
        self.counts.exported += batch.len() as u64;
        let labels = Labels::new(batch);
        let mut events = batch.events().enumerate();
        events.try_for_each(|(number, event)| {
            let labels = labels.of(number);
            self.exporter.event(&Exported {
                event,
                labels,
                input,
            })
        })
    }

    fn lost(&mut self, input: usize, count: u64) {
        if count > 0 {
            self.counts.lost = self.counts.lost.saturating_add(count);
            self.counts.gaps += 1;
            self.exporter.lost(input, count);
        }
    }

    fn end(mut self) -> io::Result<Counts> {
        self.exporter.end()?;
        Ok(self.counts)
    }
}

fn failed(file: &Path, error: InputError) -> anyhow::Error {
    let file = file.display();
    match error {
        InputError::Line(LineError::Line { line, what }) => {
            anyhow!("cannot export {file}:{line}: {what}")
        }
        error => anyhow!("cannot export {file}: {error}"),
    }
}
