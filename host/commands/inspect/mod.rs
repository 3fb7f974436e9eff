//! The command `inspect`: prints a summary of captures, and the sums of their events by key.

mod json;
mod summary;
mod text;

use std::io;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use self::summary::Summary;
use crate::capture::CaptureError;
use crate::config::Inspect;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::source::replay::Selection;
use crate::stream::batch::Batch;
use crate::system::progress;
use crate::system::stdio;
use crate::system::stdio::Stdout;
use crate::system::stdio::StdoutStatus;
use crate::system::stdio::print_status;

/// Prints a summary of each file to standard output.
pub fn inspect(config: &Inspect) -> Result<()> {
    let mut stdout = Stdout::new().context("cannot use standard output")?;
    let stdout_status = StdoutStatus::new().context("cannot use standard output")?;
    for file in &config.files {
        let summary = summarize(file, config)
            .with_context(|| format!("cannot inspect {}", file.display()))?;
        let printed = match config.json {
            true => json::print(&summary, file, config.top, &mut stdout),
            false => text::print(&summary, file, config.top, &mut stdout),
        };
        match printed.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && stdout_status.is_pipe() => {
                return Ok(());
            }
            written => written.context("cannot write to standard output")?,
        }
        if let Some(cut) = &summary.cut {
            print_status(&format!("{}: {cut}", file.display()));
        }
    }
    Ok(())
}

fn summarize(file: &Path, config: &Inspect) -> Result<Summary> {
    let progress = progress::on_terminal(stdio::is_terminal());
    let mut capture = match Input::open(file, &progress, None)? {
        Input::Capture(capture) => capture,
        Input::Lines(_) | Input::Fleet(..) => bail!("it is not a capture"),
    };
    progress::show_percentage(&progress);
    let selection = Selection::new(config.times, config.filters.clone());
    let mut summary = Summary::new(capture.head().clone(), &config.by);
    let mut used = None;
    loop {
        let item = match capture.item(|| used.take().unwrap_or_else(Batch::new)) {
            Ok(Some(item)) => item,
            Ok(None) => break,
            Err(error @ CaptureError::Cut { .. }) => {
                summary.cut = Some(error.to_string());
                break;
            }
            Err(error) => return Err(InputError::from(error).into()),
        };
        used = summary.add(item, &selection);
    }
    progress.finish_and_clear();
    Ok(summary)
}
