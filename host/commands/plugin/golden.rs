//! `plugin test`: compares what a plugin does with recorded events with what is expected.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use serde::Serialize;
use similar::ChangeTag;
use similar::TextDiff;
use tempfile::NamedTempFile;

use super::super::engine;
use super::super::print_result;
use super::trial::Logs;
use super::trial::Recorded;
use super::trial::Trial;
use crate::config::PluginTest;

/// Sizes of batches with which the plugin runs. The host cuts a stream where it happens to be read, so that a plugin
/// must give the same answers.
const CUTS: [usize; 3] = [256, 7, 1];

/// Lines of the expected text around a difference.
const CONTEXT: usize = 2;

/// The result of a test.
#[derive(Debug, Serialize)]
struct Report {
    passed: bool,
    events: usize,
    kept: usize,
    lines: usize,
    alerts: usize,
    /// Differences from what is expected, as a unified diff. Empty if there are none.
    diff: String,
}

/// Runs the test, and prints its result. An error if it does not pass.
pub fn test(config: &PluginTest) -> Result<()> {
    let engine = engine()?;
    let expected = match config.bless {
        true => None,
        false => Some(read(&config.expect)?),
    };
    let recorded = Recorded::read(&config.events, usize::MAX)?;
    let plugin = std::slice::from_ref(&config.plugin);
    let outcome = recorded.pass_through(&engine, plugin, CUTS[0], Logs::Shown)?;
    for cut in &CUTS[1..] {
        let other = recorded.pass_through(&engine, plugin, *cut, Logs::Hidden)?;
        check_cut(&outcome, &other, *cut)?;
    }
    let now = outcome.text();
    let expect = config.expect.display();
    let Some(expected) = expected else {
        write(&config.expect, &now)?;
        return print_result(&format!("{expect} was written: {}\n", counts(&outcome)));
    };
    let diff = TextDiff::from_lines(&expected, &now);
    let passed = expected == now;
    let report = Report {
        passed,
        events: outcome.events().len(),
        kept: kept(&outcome),
        lines: outcome.lines().count(),
        alerts: outcome.alerts().count(),
        diff: match passed {
            true => String::new(),
            false => {
                let mut unified = diff.unified_diff();
                unified
                    .context_radius(CONTEXT)
                    .header(&expect.to_string(), "now")
                    .to_string()
            }
        },
    };
    let text = match (config.json, passed) {
        (true, _) => serde_json::to_string(&report)? + "\n",
        (false, true) => format!(
            "passed: {}; the same in batches of 1, 7 and 256\n",
            counts(&outcome)
        ),
        (false, false) => report.diff,
    };
    print_result(&text)?;
    if !passed {
        let count = |tag| {
            diff.iter_all_changes()
                .filter(|change| change.tag() == tag)
                .count()
        };
        bail!(
            "the plugin does something else than {expect} says: {} lines are missing, {} are new; --bless \
             accepts them",
            count(ChangeTag::Delete),
            count(ChangeTag::Insert)
        );
    }
    Ok(())
}

/// Compares two runs of the same plugin.
fn check_cut(expected: &Trial<'_>, found: &Trial<'_>, cut: usize) -> Result<()> {
    let (expected, found) = (expected.text(), found.text());
    if expected == found {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&expected, &found);
    let mut unified = diff.unified_diff();
    let unified = unified
        .context_radius(CONTEXT)
        .header("batches of 256", &format!("batches of {cut}"));
    print_result(&unified.to_string())?;
    bail!(
        "the plugin does something else when the events come in batches of {cut} instead of 256: the size of a \
         batch depends on when events are read, and must not matter"
    )
}

fn kept(outcome: &Trial<'_>) -> usize {
    outcome
        .events()
        .iter()
        .filter(|event| event["kept"].is_null())
        .count()
}

fn counts(outcome: &Trial<'_>) -> String {
    format!(
        "{} of {} events kept, {} lines, {} alerts",
        kept(outcome),
        outcome.events().len(),
        outcome.lines().count(),
        outcome.alerts().count()
    )
}

fn read(file: &Path) -> Result<String> {
    let read = fs::read_to_string(file);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "cannot read {}: {error}; --bless writes what the plugin does now",
            file.display()
        ),
        _ => anyhow!("cannot read {}: {error}", file.display()),
    })
}

/// Writes the file as a whole, or not at all.
fn write(file: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write {}", file.display());
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut beside =
        NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).with_context(failed)?;
    beside.write_all(text.as_bytes()).with_context(failed)?;
    beside.persist(file).with_context(failed)?;
    Ok(())
}
