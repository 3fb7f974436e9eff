//! A rule about segments that did not leave this host.

use super::EVERYWHERE;
use super::Found;
use super::Rule;
use super::Subject;
use super::is_share;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::share;

pub(super) const LOCAL_DROPS: Rule = Rule {
    name: "local-drops",
    when: "At least 20 % of the events are attempts that failed: the segment did not leave this host.",
    limits: "Whether the first copy of the segment was dropped here as well. Kernels before 6.17 do not report \
             attempts that fail, so that there the rule never applies.",
    levels: EVERYWHERE,
    unless: &[],
    find: local_drops,
};

fn local_drops(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (failed, events) = (evidence.sums.failed, evidence.sums.events);
    if !subject.is_enough(failed) || !is_share(failed, events, 20) {
        return None;
    }
    let words = evidence.failures.words();
    let (main, _) = words.iter().max_by_key(|(_, number)| *number)?;
    let each: Vec<String> = words
        .iter()
        .map(|(words, count)| format!("{words} ({})", number(*count)))
        .collect();
    Some(Found {
        what: format!("segments that are dropped within this host: {main}"),
        numbers: format!(
            "{} of {} ({}) failed: {}.",
            number(failed),
            counted(events, "attempt", "attempts"),
            share(failed, events),
            each.join(", "),
        ),
    })
}
