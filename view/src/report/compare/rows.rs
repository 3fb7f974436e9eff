//! The rows of a comparison: what is compared, and what is said of it.

use std::net::IpAddr;

use retrans_event::Kind;

use super::bootstrap;
use super::bootstrap::Block;
use super::bootstrap::Difference;
use super::bootstrap::MIN_BLOCKS;
use super::series::Series;
use crate::key::Key;
use crate::key::Part;
use crate::key::Value;
use crate::report::text;
use crate::report::text::clean;

/// The probability that anything at all is called different though nothing is: half of it for the first row, half of
/// it for all others together.
pub const ERROR: f64 = 0.05;

/// Number of peers, and of processes, that are compared.
const KEYS: usize = 6;

/// What a row measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A share of what was sent, by census.
    Share,
    /// Segments a minute: what was sent is not known.
    Rate,
    /// A round-trip time: the mean of logarithms of µs.
    RoundTrip,
}

impl Measure {
    /// A value of it, as text.
    pub fn show(self, value: f64) -> String {
        match self {
            Measure::Share => text::percent(value),
            Measure::Rate if value >= 100.0 => {
                format!("{} a minute", text::number(value.round() as u64))
            }
            Measure::Rate => format!("{value:.2} a minute"),
            Measure::RoundTrip => text::micros(value.exp().round() as u64),
        }
    }

    /// What it is, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Share => "ratio, by census",
            Measure::Rate => "rate",
            Measure::RoundTrip => "round-trip time",
        }
    }
}

/// What is said of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// There are too few blocks on either side.
    TooShort,
    /// No difference is to be seen.
    Same,
    /// It is higher than before.
    Higher,
    /// It is lower than before.
    Lower,
}

impl Verdict {
    /// The words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::TooShort => "too short to say",
            Verdict::Same => "no difference seen",
            Verdict::Higher => "higher",
            Verdict::Lower => "lower",
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What is compared.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// The values before and after; `None` if there is none.
    pub values: (Option<f64>, Option<f64>),
    /// Numbers of blocks.
    pub blocks: (usize, usize),
    /// The difference, if there are enough blocks.
    pub difference: Option<Difference>,
    /// What is said of it.
    pub verdict: Verdict,
}

/// The two sides of a row, before it is known how many there are.
struct Sides {
    name: String,
    measure: Measure,
    before: Vec<Block>,
    after: Vec<Block>,
}

/// All rows. The first is about all segments.
pub fn rows(before: &Series, after: &Series) -> Vec<Row> {
    let mut sides = Vec::new();
    let mut add = |name: String, measure, before: Vec<Block>, after: Vec<Block>| {
        sides.push(Sides {
            name,
            measure,
            before,
            after,
        });
    };
    let has_census = before.ratios.censuses() > 0 && after.ratios.censuses() > 0;
    if has_census {
        add(
            "All segments, ratio".to_owned(),
            Measure::Share,
            before.shares(),
            after.shares(),
        );
    }
    add(
        "All segments, rate".to_owned(),
        Measure::Rate,
        before.rate(None),
        after.rate(None),
    );
    for kind in Kind::ALL {
        if before.sums.kinds.get(*kind) + after.sums.kinds.get(*kind) > 0 {
            let (before, after) = (before.rate(Some(*kind)), after.rate(Some(*kind)));
            add(format!("Cause {kind}"), Measure::Rate, before, after);
        }
    }
    if before.sums.events > 0 && after.sums.events > 0 {
        let (before, after) = (before.round_trips(), after.round_trips());
        add(
            "Round-trip time at retransmits".to_owned(),
            Measure::RoundTrip,
            before,
            after,
        );
    }
    for (part, word) in [(Part::Peer, "Peer"), (Part::Process, "Process")] {
        if before.has_more(part) || after.has_more(part) {
            continue;
        }
        for key in keys(before, after, part) {
            let name = format!("{word} {}", clean(&key.to_string()));
            let shares = address(&key).filter(|_| has_census);
            let shares = shares.and_then(|peer| before.shares_of(peer).zip(after.shares_of(peer)));
            match shares {
                Some((before, after)) => add(name, Measure::Share, before, after),
                None => {
                    let (before, after) = (before.rate_of(part, &key), after.rate_of(part, &key));
                    add(name, Measure::Rate, before, after);
                }
            }
        }
    }
    let others = sides.len().saturating_sub(1).max(1) as f64;
    let rows = sides.into_iter().enumerate().map(|(place, sides)| {
        let error = match place {
            0 => ERROR / 2.0,
            _ => ERROR / 2.0 / others,
        };
        row(sides, error)
    });
    rows.collect()
}

fn address(key: &Key) -> Option<IpAddr> {
    match key.values() {
        [Value::Address(peer)] => Some(*peer),
        _ => None,
    }
}

/// The keys with the most segments on both sides together.
fn keys(before: &Series, after: &Series, part: Part) -> Vec<Key> {
    let mut all: Vec<(Key, u64)> = before.top(part, 4 * KEYS);
    for (key, segments) in after.top(part, 4 * KEYS) {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some((_, sum)) => *sum += segments,
            None => all.push((key, segments)),
        }
    }
    all.retain(|(key, _)| key.values() != [Value::Unknown]);
    all.sort_by(|(one, of_one), (other, of_other)| of_other.cmp(of_one).then(one.cmp(other)));
    all.into_iter().take(KEYS).map(|(key, _)| key).collect()
}

fn row(sides: Sides, error: f64) -> Row {
    let Sides {
        name,
        measure,
        before,
        after,
    } = sides;
    let estimates = bootstrap::estimate(&before).zip(bootstrap::estimate(&after));
    let difference = estimates.map(|(before, after)| bootstrap::difference(&before, &after, error));
    let is_short = before.len() < MIN_BLOCKS || after.len() < MIN_BLOCKS;
    let verdict = match difference {
        _ if is_short => Verdict::TooShort,
        None => Verdict::Same,
        Some(difference) if !difference.is_certain() => Verdict::Same,
        Some(difference) if difference.value > 0.0 => Verdict::Higher,
        Some(_) => Verdict::Lower,
    };
    Row {
        name,
        measure,
        values: (bootstrap::ratio(&before), bootstrap::ratio(&after)),
        blocks: (before.len(), after.len()),
        difference,
        verdict,
    }
}
