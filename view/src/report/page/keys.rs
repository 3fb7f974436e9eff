//! The peers, processes and containers with the most retransmits, as small multiples.

use crate::groups::GroupsOf;
use crate::key::Key;
use crate::key::Part;
use crate::key::Value;
use crate::palette::LOOKS;
use crate::report::collect::Collected;
use crate::report::page::ReportError;
use crate::report::plot::Words;
use crate::report::plot::over_time::number_of;
use crate::report::plot::spark;
use crate::report::text::clean;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::percent;
use crate::report::text::share;
use crate::report::theme::light;
use crate::report::trend::Trend;
use crate::sums::Sums;

/// Number of keys that are shown.
const SHOWN: usize = 12;

/// A part of a bar.
pub struct BarPart {
    /// Where it begins, and its width, of 1,000.
    pub x: u64,
    /// Its width.
    pub width: u64,
    /// Its colour.
    pub colour: String,
}

/// A key.
pub struct KeyView {
    /// Its name.
    pub name: String,
    /// Segments.
    pub segments: String,
    /// Their share of all.
    pub share: String,
    /// Events.
    pub events: String,
    /// The share of what was sent to it, if that is known.
    pub ratio: Option<String>,
    /// Segments by cause.
    pub bar: Vec<BarPart>,
    /// The same in words.
    pub causes: String,
    /// Segments over time.
    pub spark: String,
}

/// The keys of a kind.
pub struct GroupView {
    /// The name of its element.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What is not shown.
    pub note: String,
    /// The keys.
    pub keys: Vec<KeyView>,
}

/// The keys of a kind with the most segments.
pub fn group(
    collected: &Collected,
    part: Part,
    title: &'static str,
    groups: &GroupsOf<Trend>,
) -> Result<GroupView, ReportError> {
    let known = groups
        .top(SHOWN + 1, |trend| (trend.sums.segments, trend.sums.events))
        .into_iter()
        .filter(|(key, _)| key.values() != [Value::Unknown])
        .take(SHOWN);
    let known: Vec<(&Key, &Trend)> = known.collect();
    let width = known.iter().map(|(_, trend)| trend.segments.width()).max();
    let width = width.unwrap_or_default();
    let sparks: Vec<_> = known
        .iter()
        .map(|(_, trend)| spark::in_width(&trend.segments, width))
        .collect();
    let most = sparks.iter().flatten().map(|(_, number)| *number).max();
    let span = collected.span().unwrap_or_default();
    let mut keys = Vec::with_capacity(known.len());
    for (place, ((key, trend), segments)) in known.iter().zip(&sparks).enumerate() {
        let name = clean(&collected.container_names.key(part, key));
        let causes = causes(&trend.sums);
        let words = Words {
            id: &format!("plot-{}-{place}", part.name()),
            title: &format!("Retransmits of {name} over time"),
            description: &format!(
                "{}: {causes}",
                counted(trend.sums.segments, "segment", "segments")
            ),
        };
        keys.push(KeyView {
            segments: number(trend.sums.segments),
            share: share(trend.sums.segments, collected.sums.segments),
            events: number(trend.sums.events),
            ratio: ratio(collected, key),
            bar: bar(&trend.sums),
            spark: spark::plot(words, segments, width, span, most.unwrap_or(1))?,
            causes,
            name,
        });
    }
    Ok(GroupView {
        id: part.name(),
        title,
        note: note(collected, part, groups, keys.len()),
        keys,
    })
}

/// The share of the segments to a peer that were sent again, by census.
fn ratio(collected: &Collected, key: &Key) -> Option<String> {
    let [Value::Address(peer)] = key.values() else {
        return None;
    };
    let sent = collected.ratios.peer(*peer)?;
    Some(percent(sent.ratio()?))
}

/// What is not shown.
fn note(collected: &Collected, part: Part, groups: &GroupsOf<Trend>, shown: usize) -> String {
    let unknown = groups
        .iter()
        .find(|(key, _)| key.values() == [Value::Unknown]);
    let unknown = unknown.map_or(0, |(_, trend)| trend.sums.segments);
    let known = groups.len() - usize::from(unknown > 0);
    let mut notes = Vec::new();
    if groups.evicted() > 0 {
        notes.push(
            "There were too many to keep all: those that were seen last are compared, and their numbers may be too low."
                .to_owned(),
        );
    } else if known > shown && shown > 0 {
        notes.push(format!("The first {shown} of {}.", number(known as u64)));
    }
    if unknown > 0 {
        let why = match part {
            Part::Process => "no process was found that holds the socket",
            Part::Container => "the process is in no container, or it is not known",
            _ => "unknown",
        };
        notes.push(format!(
            "Of {} ({}) {why}.",
            counted(unknown, "segment", "segments"),
            share(unknown, collected.sums.segments)
        ));
    }
    if shown == 0 && unknown == 0 {
        notes.push("None.".to_owned());
    }
    notes.join(" ")
}

/// The causes of segments (of events if there are no segments) as parts of a bar.
pub fn bar(sums: &Sums) -> Vec<BarPart> {
    let kinds = match sums.segments {
        0 => &sums.kinds,
        _ => &sums.segments_of_kinds,
    };
    let total = kinds.total().max(1);
    let mut sum = 0;
    let mut parts = Vec::new();
    for look in &LOOKS {
        let number = number_of(kinds, look);
        if number == 0 {
            continue;
        }
        let place = |sum: u64| (u128::from(sum) * 1_000 / u128::from(total)) as u64;
        let x = place(sum);
        sum += number;
        parts.push(BarPart {
            x,
            width: place(sum) - x,
            colour: light(look),
        });
    }
    parts
}

/// The causes in words, the one with the most events first.
pub fn causes(sums: &Sums) -> String {
    let mut looks: Vec<_> = LOOKS
        .iter()
        .map(|look| (look.name, number_of(&sums.kinds, look)))
        .filter(|(_, number)| *number > 0)
        .collect();
    looks.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let words: Vec<String> = looks
        .into_iter()
        .map(|(name, count)| format!("{} {name}", number(count)))
        .collect();
    words.join(", ")
}
