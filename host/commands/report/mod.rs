//! The command `report`: writes a page about recorded events, or about what has changed between two captures.

mod chain;
mod output;
mod read;
mod take;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use indicatif::ProgressBar;
use retrans_view::report;
use retrans_view::report::collect::Collected;
use retrans_view::report::compare;
use retrans_view::report::compare::Series;

use self::output::Output;
use self::read::Reading;
use self::take::Take;
use crate::config::Recorded;
use crate::config::Report;
use crate::config::Reported;
use crate::config::Verbosity;
use crate::pipeline::stop::Stop;
use crate::system::progress;
use crate::system::stdio::print_status;

/// Writes the page. A signal ends the command without a page.
pub fn report(config: &Report) -> Result<()> {
    let output = Output::check(config)?;
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    stop.stdout_status().set_other_output();
    let is_verbose = config.verbosity >= Verbosity::Normal;
    let progress = progress::beside_a_file(is_verbose);
    let made = make(config, &stop, &progress);
    progress.finish_and_clear();
    let (page, in_short) = made?;
    if output.write(&page)? && is_verbose {
        print_status(&format!("wrote {output} ({} bytes)", page.len()));
        in_short.iter().for_each(|line| print_status(line));
    }
    Ok(())
}

/// The page, and what it says in three lines.
fn make(config: &Report, stop: &Stop, progress: &ProgressBar) -> Result<(String, [String; 3])> {
    let reading = Reading::new(config, stop, progress);
    match &config.what {
        Reported::Inputs { inputs, chain } => {
            let mut collected = Collected::default();
            collected.selection.clone_from(&config.selection);
            match chain {
                None => read_all(&reading, inputs, &mut collected)?,
                Some(chain) => chain::run(chain, &reading, inputs, &mut collected)?,
            }
            Ok((report::render(&collected)?, report::in_short(&collected)))
        }
        Reported::Compare { before, after } => {
            let mut sides = [Series::default(), Series::default()];
            for (input, side) in [before, after].into_iter().zip(&mut sides) {
                read_all(&reading, std::slice::from_ref(input), side)?;
            }
            let [before, after] = &sides;
            Ok((
                compare::render(before, after)?,
                compare::in_short(before, after),
            ))
        }
    }
}

/// Reads all to its end, without a chain.
fn read_all(reading: &Reading<'_>, recorded: &[Recorded], to: &mut dyn Take) -> Result<()> {
    let inputs = reading.open(recorded)?;
    reading.read(recorded, inputs, to, |_| true)?;
    Ok(())
}

/// The error of a run that was to end before its files did.
fn interrupted<T>() -> Result<T> {
    bail!("interrupted by a signal: there is no report")
}

/// An input as it is named in errors and in the page.
fn shown(recorded: &Recorded) -> String {
    match recorded.file() {
        Some(file) if file.as_os_str() == "-" => "standard input".to_owned(),
        _ => recorded.to_string(),
    }
}
