//! Rules about what timers have sent again: tail loss probes, timeouts, and needless retransmits.

use retrans_event::Kind;

use super::EVERYWHERE;
use super::Found;
use super::Rule;
use super::Subject;
use super::is_share;
use crate::report::evidence::DEEP;
use crate::report::evidence::FEW_IN_FLIGHT;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::share;

pub(super) const IDLE_TAIL_LOSS: Rule = Rule {
    name: "idle-tail-loss",
    when: "At least 60 % of the events are tail loss probes, at least 80 % of the probes were sent with at most 2 \
           segments in flight, and peers reported duplicates for at most 20 % of the probes.",
    limits: "Whether the segment was lost or only its acknowledgement: a peer that reports no duplicates (DSACK) \
             leaves that open. A peer that acknowledges late looks the same.",
    levels: EVERYWHERE,
    unless: &[],
    find: idle_tail_loss,
};

fn idle_tail_loss(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (probes, events) = (evidence.of(Kind::TailLossProbe), evidence.sums.events);
    let fits = subject.is_enough(probes)
        && is_share(probes, events, 60)
        && is_share(evidence.probes_known, probes, 50)
        && is_share(evidence.probes_idle, evidence.probes_known, 80)
        && evidence.dsacks * 100 <= probes * 20;
    fits.then(|| Found {
        what: match subject {
            Subject::Connection(..) => "tail losses on a connection that is nearly idle".to_owned(),
            Subject::Peer(peer, _) => format!("tail losses on nearly idle connections to {peer}"),
            Subject::All(_) => "tail losses on connections that are nearly idle".to_owned(),
        },
        numbers: format!(
            "{} of {} ({}) are tail loss probes, {} of them with at most {FEW_IN_FLIGHT} segments in flight; {} \
             reported.",
            number(probes),
            counted(events, "retransmit", "retransmits"),
            share(probes, events),
            number(evidence.probes_idle),
            duplicates(evidence.dsacks),
        ),
    })
}

fn duplicates(number: u64) -> String {
    match number {
        0 => "no duplicates were".to_owned(),
        1 => "1 duplicate was".to_owned(),
        many => format!("{} duplicates were", super::super::text::number(many)),
    }
}

pub(super) const NO_ANSWER: Rule = Rule {
    name: "no-answer",
    when: "At least 60 % of the events are timeouts, at least 40 % of the timeouts are the third in a row or a later \
           one, and there were 4 in a row or more.",
    limits: "Whether the peer is gone, the path drops everything, or only the way back does: no acknowledgement \
             arrived, and the events do not tell why.",
    levels: EVERYWHERE,
    unless: &["path-mtu"],
    find: no_answer,
};

fn no_answer(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (timeouts, events) = (evidence.of(Kind::Timeout), evidence.sums.events);
    let fits = subject.is_enough(timeouts)
        && is_share(timeouts, events, 60)
        && is_share(evidence.deep_timeouts, timeouts, 40)
        && evidence.most_in_a_row >= 4;
    fits.then(|| Found {
        what: match subject {
            Subject::Connection(..) => "a peer that no longer answers, or a path that drops everything".to_owned(),
            Subject::Peer(peer, _) => format!("{peer} not answering, or a path to it that drops everything"),
            Subject::All(_) => "peers that no longer answer, or paths that drop everything".to_owned(),
        },
        numbers: format!(
            "{} of {} ({}) are timeouts {}, {} of them the {DEEP}rd in a row or later; the longest row has {}, \
             and the timeout was doubled up to {}.",
            number(timeouts),
            counted(events, "retransmit", "retransmits"),
            share(timeouts, events),
            subject.on_connections(),
            number(evidence.deep_timeouts),
            counted(u64::from(evidence.most_in_a_row), "timeout", "timeouts"),
            counted(u64::from(evidence.most_doubled), "time", "times"),
        ),
    })
}

pub(super) const NEEDLESS: Rule = Rule {
    name: "needless",
    when: "Peers reported duplicates (DSACK) for at least 30 % of the segments that were sent again, between the \
           first and the last event of each connection.",
    limits: "Which segments were needless, and why: acknowledgements that come late, a timeout that is too short for \
             the path, reordering, and segments that the network doubles all lead to duplicates.",
    levels: EVERYWHERE,
    unless: &[],
    find: needless,
};

fn needless(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (duplicates, segments) = (evidence.dsacks, evidence.sums.segments);
    if !subject.is_enough(duplicates) || !is_share(duplicates, segments, 30) {
        return None;
    }
    let by_timer = evidence.of(Kind::Timeout) + evidence.of(Kind::TailLossProbe);
    let fast = evidence.of(Kind::Fast);
    let cause = match (evidence.reorderings, fast >= by_timer) {
        (1.., true) => ": segments that overtake one another",
        (_, false) => {
            ": a timer that is too short for the path, or acknowledgements that come late"
        }
        (0, true) => "",
    };
    Some(Found {
        what: format!("needless retransmits{cause}"),
        numbers: format!(
            "peers reported {} for {} sent again ({}); reordering was detected {}; {} and {}.",
            counted(duplicates, "duplicate", "duplicates"),
            counted(segments, "segment", "segments"),
            share(duplicates, segments),
            counted(evidence.reorderings, "time", "times"),
            counted(
                by_timer,
                "retransmit was sent by a timer",
                "retransmits were sent by a timer"
            ),
            counted(fast, "by fast retransmit", "by fast retransmit"),
        ),
    })
}
