//! When, where and how much: the facts at the top of the page.

use std::time::Duration;

use crate::report::collect::Collected;
use crate::report::text;
use crate::report::text::clean;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::percent;

/// Maximum number of gaps of the recording that are listed.
const MAX_GAPS: usize = 8;

/// A fact.
pub struct Fact {
    /// The name of its element.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it means, or where it is from; may be empty.
    pub note: String,
}

impl Fact {
    fn new(id: &'static str, name: &'static str, value: String, note: impl Into<String>) -> Fact {
        Fact {
            id,
            name,
            value,
            note: note.into(),
        }
    }
}

/// The host, if it is known: of several ones, all.
pub fn host(collected: &Collected) -> Option<String> {
    let hosts = collected
        .sources
        .iter()
        .filter_map(|source| source.host.as_ref());
    let mut names: Vec<String> = hosts.map(|host| clean(&host.name)).collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Time in which retransmits would have been seen.
fn watched(collected: &Collected) -> Duration {
    match collected.coverage.is_known() {
        true => collected.coverage.covered(),
        false => collected.sums.duration(),
    }
}

/// Segments a minute, if it was a minute at least.
fn rate(collected: &Collected) -> Option<f64> {
    let minutes = watched(collected).as_secs_f64() / 60.0;
    (minutes >= 1.0).then(|| collected.sums.segments as f64 / minutes)
}

fn per_minute(rate: f64) -> String {
    match rate {
        _ if rate >= 100.0 => format!("{} a minute", number(rate.round() as u64)),
        _ if rate >= 1.0 => format!("{rate:.1} a minute"),
        _ => format!("{:.1} an hour", rate * 60.0),
    }
}

/// One sentence about all.
pub fn summary(collected: &Collected) -> String {
    let sums = &collected.sums;
    let by = host(collected).map_or(String::new(), |host| format!("{host} sent "));
    let Some((first, last)) = collected.span() else {
        return "There is no event.".to_owned();
    };
    let when = format!(
        "between {} and {} UTC ({})",
        text::format(first, "%F %T"),
        text::format(last, "%F %T"),
        text::duration(last - first)
    );
    if sums.events == 0 {
        return format!("No retransmit was seen {when}.");
    }
    let segments = counted(sums.segments, "segment", "segments");
    let what = match by.is_empty() {
        true => format!(
            "{segments} {} sent again {when}",
            if sums.segments == 1 { "was" } else { "were" }
        ),
        false => format!("{by}{segments} again {when}"),
    };
    let total = collected.ratios.total();
    let share = match (total.ratio(), rate(collected)) {
        (Some(ratio), _) => format!(": {} of all segments with data, by census", percent(ratio)),
        (None, Some(rate)) => format!(": {}", per_minute(rate)),
        (None, None) => String::new(),
    };
    format!("{what}{share}.")
}

/// The largest numbers.
pub fn tiles(collected: &Collected) -> Vec<Fact> {
    let sums = &collected.sums;
    let more = |(count, more): (u64, bool)| match more {
        true => format!("> {}", number(count)),
        false => number(count),
    };
    let mut tiles = vec![
        Fact::new(
            "segments",
            "segments sent again",
            number(sums.segments),
            "as RetransSegs counts them",
        ),
        Fact::new(
            "events",
            "events",
            number(sums.events),
            "an event may cover several segments",
        ),
    ];
    match collected.ratios.total().ratio() {
        Some(ratio) => tiles.push(Fact::new(
            "ratio",
            "of what was sent",
            percent(ratio),
            match collected.ratios.is_complete() {
                true => "segments with data, by census",
                false => "segments with data, by a census that is incomplete",
            },
        )),
        None => {
            let rate = rate(collected).map_or("–".to_owned(), per_minute);
            tiles.push(Fact::new(
                "rate",
                "rate",
                rate,
                "a share of what was sent needs a census",
            ));
        }
    }
    tiles.push(Fact::new(
        "peers",
        "peers",
        more(collected.tracks.peers()),
        "",
    ));
    tiles.push(Fact::new(
        "connections",
        "connections",
        more(collected.tracks.connections()),
        "",
    ));
    tiles.push(Fact::new(
        "not-sent",
        "attempts failed",
        number(sums.failed),
        "the segment did not leave this host",
    ));
    tiles
}

/// All other facts.
pub fn facts(collected: &Collected) -> Vec<Fact> {
    let mut facts = Vec::new();
    let hosts = collected
        .sources
        .iter()
        .filter_map(|source| source.host.as_ref());
    let mut hosts: Vec<String> = hosts
        .map(|host| format!("{}, Linux {}", clean(&host.name), clean(&host.kernel)))
        .collect();
    hosts.dedup();
    let host = match hosts.as_slice() {
        [] => "unknown: the events are synthetic, or were JSON lines".to_owned(),
        hosts => hosts.join("; "),
    };
    facts.push(Fact::new("host", "Host", host, ""));
    let span = match collected.sums.span {
        Some((first, last)) => format!("{} to {} UTC", text::time(first), text::time(last)),
        None => "no event".to_owned(),
    };
    facts.push(Fact::new(
        "span",
        "First and last event",
        span,
        text::duration(collected.sums.duration()),
    ));
    facts.push(coverage(collected));
    let (lost, gaps) = collected.lost;
    facts.push(Fact::new(
        "lost",
        "Lost events",
        number(lost),
        match lost {
            0 => "every event that the probe has seen is in this report".to_owned(),
            _ => format!(
                "in {}: the numbers below are too low by as much",
                counted(gaps, "gap", "gaps")
            ),
        },
    ));
    facts.push(census(collected));
    for (name, value) in &collected.selection {
        facts.push(Fact::new(
            "",
            "Selection",
            format!("{} {}", clean(name), clean(value)),
            "",
        ));
    }
    let whole = collected
        .sources
        .iter()
        .filter(|source| source.cut.is_none());
    let whole: Vec<String> = whole.map(|source| clean(&source.name)).collect();
    if !whole.is_empty() {
        facts.push(Fact::new("", "Source", whole.join(", "), ""));
    }
    for source in &collected.sources {
        if let Some(cut) = &source.cut {
            facts.push(Fact::new("", "Source", clean(&source.name), clean(cut)));
        }
    }
    facts
}

fn coverage(collected: &Collected) -> Fact {
    let coverage = &collected.coverage;
    let Some((first, last)) = coverage.ends() else {
        return Fact::new("coverage", "Coverage", "nothing".to_owned(), "");
    };
    if !coverage.is_known() {
        let note =
            "the source has no marks of time: whether it was recorded throughout is not known";
        return Fact::new("coverage", "Coverage", "unknown".to_owned(), note);
    }
    let (covered, span) = (coverage.covered(), last - first);
    let share = match span.is_zero() {
        true => 1.0,
        false => covered.as_secs_f64() / span.as_secs_f64(),
    };
    let gaps = coverage.gaps();
    let mut note = format!(
        "{} of {} were recorded",
        text::duration(covered),
        text::duration(span)
    );
    if !gaps.is_empty() {
        let listed: Vec<String> = gaps
            .iter()
            .take(MAX_GAPS)
            .map(|(from, to)| {
                format!(
                    "{} ({})",
                    text::format(*from, "%F %T"),
                    text::duration(*to - *from)
                )
            })
            .collect();
        let more = match gaps.len().saturating_sub(MAX_GAPS) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        note += &format!("; not recorded: {}{more}", listed.join(", "));
    }
    Fact::new("coverage", "Coverage", percent(share), note)
}

fn census(collected: &Collected) -> Fact {
    let ratios = &collected.ratios;
    if ratios.censuses() == 0 {
        let note = "how much was sent is not known; --census counts it";
        return Fact::new("census", "Census", "none".to_owned(), note);
    }
    let total = ratios.total();
    let incomplete = match ratios.is_complete() {
        true => "",
        false => "; some of them have not counted everything",
    };
    Fact::new(
        "census",
        "Census",
        format!(
            "{} sent, {} of them again",
            counted(total.segments, "segment", "segments"),
            number(total.retransmitted)
        ),
        format!(
            "in {}{incomplete}",
            counted(ratios.censuses(), "census", "censuses")
        ),
    )
}
