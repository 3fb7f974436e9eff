//! The page of a comparison.

use askama::Template;

use super::bootstrap::MIN_BLOCKS;
use super::rows;
use super::rows::Measure;
use super::rows::Row;
use super::rows::Verdict;
use super::series::MAX_KEYS;
use super::series::Series;
use crate::key::Part;
use crate::report::ReportError;
use crate::report::plot::Plot;
use crate::report::plot::Words;
use crate::report::plot::forest;
use crate::report::plot::forest::Change;
use crate::report::text;
use crate::report::text::clean;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::theme;
use crate::report::theme::Theme;

/// A row, as it is shown.
struct RowView {
    name: String,
    measure: &'static str,
    before: String,
    after: String,
    change: String,
    verdict: &'static str,
    class: &'static str,
}

/// A side, as it is shown.
struct SideView {
    name: &'static str,
    source: String,
    host: String,
    span: String,
    blocks: String,
    events: String,
    segments: String,
    lost: String,
    sent: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    title: String,
    theme: Theme,
    summary: String,
    caveats: Vec<String>,
    sides: [SideView; 2],
    rows: Vec<RowView>,
    plot: Option<Plot>,
    min_blocks: usize,
}

/// The page.
pub fn render(before: &Series, after: &Series) -> Result<String, ReportError> {
    let rows = rows::rows(before, after);
    let page = Page {
        title: "TCP retransmits: before and after".to_owned(),
        theme: theme::theme(),
        summary: summary(&rows),
        caveats: caveats(before, after),
        sides: [side("Before", before), side("After", after)],
        plot: plot(&rows)?,
        rows: rows.iter().map(view).collect(),
        min_blocks: MIN_BLOCKS,
    };
    // The template library takes the last newline.
    Ok(page.render()? + "\n")
}

/// What a comparison says, in three lines.
pub fn in_short(before: &Series, after: &Series) -> [String; 3] {
    let rows = rows::rows(before, after);
    let events = |series: &Series| counted(series.sums.events, "event", "events");
    let changed = rows.iter().skip(1).filter(|row| is_changed(row));
    let changed: Vec<String> = changed
        .map(|row| format!("{} {}", row.name, row.verdict.words()))
        .collect();
    let changed = match changed.as_slice() {
        [] => "no other row differs".to_owned(),
        some => some.join(", "),
    };
    [
        text::spaced(&summary(&rows)),
        format!("before: {}; after: {}", events(before), events(after)),
        changed,
    ]
}

fn is_changed(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Higher | Verdict::Lower)
}

fn show(measure: Measure, value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| measure.show(value))
}

/// One sentence about the first row.
fn summary(rows: &[Row]) -> String {
    let Some(row) = rows.first() else {
        return "There is nothing to compare.".to_owned();
    };
    let (before, after) = row.values;
    let what = match row.measure {
        Measure::Share => "The share of segments that are sent again",
        _ => "The rate of segments that are sent again",
    };
    let values = format!(
        "{} before, {} after",
        show(row.measure, before),
        show(row.measure, after)
    );
    match row.verdict {
        Verdict::TooShort => format!(
            "Too short to say whether {} differs: {values}; there are {} and {} blocks, and {MIN_BLOCKS} are needed.",
            what.to_lowercase(),
            row.blocks.0,
            row.blocks.1
        ),
        Verdict::Same => format!("{what} shows no difference: {values}."),
        verdict => format!("{what} is {}: {values}.", verdict.words()),
    }
}

/// What must be known to read the page.
fn caveats(before: &Series, after: &Series) -> Vec<String> {
    let mut caveats = Vec::new();
    let sides = [("before", before), ("after", after)];
    if sides.iter().any(|(_, side)| side.ratios.censuses() == 0) {
        caveats.push(
            "Rates, and not ratios: without a census on both sides it is not known how much was sent. Twice the \
             traffic has about twice the retransmits."
                .to_owned(),
        );
    }
    for (name, side) in sides {
        if side.lost > 0 {
            caveats.push(format!(
                "{} were lost {name}: its rates are too low.",
                counted(side.lost, "event", "events")
            ));
        }
        if side.ratios.censuses() > 0 && !side.ratios.is_complete() {
            caveats.push(format!("A census {name} has not counted everything."));
        }
        if !side.coverage.is_known() && side.sums.events > 0 {
            caveats.push(format!(
                "The source {name} has no marks of time: all between its first and its last event counts as recorded."
            ));
        }
        for source in &side.sources {
            if let Some(cut) = &source.cut {
                caveats.push(format!("{}: {}", clean(&source.name), clean(cut)));
            }
        }
        for (part, words) in [(Part::Peer, "peers"), (Part::Process, "processes")] {
            if side.has_more(part) {
                let most = number(MAX_KEYS as u64);
                caveats.push(format!(
                    "There were more than {most} {words} {name}: they are not compared."
                ));
            }
        }
    }
    caveats
}

fn side(name: &'static str, series: &Series) -> SideView {
    let names: Vec<String> = series
        .sources
        .iter()
        .map(|source| clean(&source.name))
        .collect();
    let hosts = series
        .sources
        .iter()
        .filter_map(|source| source.host.as_ref());
    let mut hosts: Vec<String> = hosts
        .map(|host| format!("{}, Linux {}", clean(&host.name), clean(&host.kernel)))
        .collect();
    hosts.dedup();
    let span = series
        .coverage
        .ends()
        .map_or("nothing".to_owned(), |(first, last)| {
            let begin = text::format(first, "%F %T");
            format!("{begin} UTC, for {}", text::duration(last - first))
        });
    let total = series.ratios.total();
    SideView {
        name,
        source: names.join(", "),
        host: match hosts.as_slice() {
            [] => "unknown".to_owned(),
            hosts => hosts.join("; "),
        },
        span,
        blocks: format!(
            "{} of {}",
            number(series.covered().len() as u64),
            text::duration(series.width())
        ),
        events: number(series.sums.events),
        segments: number(series.sums.segments),
        lost: number(series.lost),
        sent: match series.ratios.censuses() {
            0 => "not known".to_owned(),
            _ => number(total.segments),
        },
    }
}

fn view(row: &Row) -> RowView {
    let (before, after) = row.values;
    RowView {
        name: row.name.clone(),
        measure: row.measure.name(),
        before: show(row.measure, before),
        after: show(row.measure, after),
        change: change(row),
        verdict: row.verdict.words(),
        class: match row.verdict {
            Verdict::Higher => "higher",
            Verdict::Lower => "lower",
            Verdict::Same | Verdict::TooShort => "muted",
        },
    }
}

/// The change relative to before, and its interval.
fn change(row: &Row) -> String {
    let Some(change) = relative(row) else {
        return "–".to_owned();
    };
    let signed = |share: f64| {
        if share == 0.0 {
            return text::percent(share);
        }
        format!(
            "{}{}",
            if share < 0.0 { "−" } else { "+" },
            text::percent(share.abs())
        )
    };
    format!(
        "{} ({} to {})",
        signed(change.value),
        signed(change.interval.0),
        signed(change.interval.1)
    )
}

/// The change as a share of what was before; `None` where there was nothing, or too little is known.
fn relative(row: &Row) -> Option<Change<'_>> {
    let difference = row.difference?;
    let before = row.values.0?;
    let share = |difference: f64| match row.measure {
        // A difference of logarithms.
        Measure::RoundTrip => difference.exp_m1(),
        _ => difference / before,
    };
    let (low, high) = difference.interval;
    (before > 0.0).then(|| Change {
        name: &row.name,
        value: share(difference.value),
        interval: (share(low).max(-1.0), share(high)),
        is_certain: is_changed(row),
    })
}

fn plot(rows: &[Row]) -> Result<Option<Plot>, ReportError> {
    let changes: Vec<Change<'_>> = rows.iter().filter_map(relative).collect();
    if changes.is_empty() {
        return Ok(None);
    }
    let words = Words {
        id: "plot-changes",
        title: "Changes relative to before, with their intervals",
        description: "For each row of the table the change in percent of the value before, and the interval in which \
                      the true change is to be expected.",
    };
    Ok(Some(forest::plot(words, &changes)?))
}
