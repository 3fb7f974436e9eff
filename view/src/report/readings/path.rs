//! Rules about the path and the receiver: the largest packet, the window, the queue.

use retrans_event::Kind;

use super::EVERYWHERE;
use super::Found;
use super::Level;
use super::Rule;
use super::Subject;
use super::is_share;
use crate::report::evidence::INFLATION;
use crate::report::text::bytes;
use crate::report::text::counted;
use crate::report::text::duration;
use crate::report::text::number;
use crate::report::text::share;

pub(super) const PATH_MTU: Rule = Rule {
    name: "path-mtu",
    when: "At least 60 % of the events are timeouts; at least 90 % of the timeouts after the first in a row are of a \
           full-sized segment, and there are 3 of them or more; none is of a segment below half that size; and all \
           that was acknowledged on the connection (of many: on at least 80 % of them, and on 2 or more) was below \
           half that size on average: small segments arrive, full ones do not.",
    limits: "Whether the peer went away just when the first full segment was sent. `ping -M do -s 1472 PEER` tells \
             the two apart for IPv4.",
    levels: &[Level::Connection, Level::Peer],
    unless: &[],
    find: path_mtu,
};

fn path_mtu(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (timeouts, events) = (evidence.of(Kind::Timeout), evidence.sums.events);
    let (small_only, connections) = (evidence.small_only, subject.connections());
    let fits = subject.is_enough(timeouts)
        && is_share(timeouts, events, 60)
        && evidence.repeated_full >= 3
        && is_share(evidence.repeated_full, evidence.repeated_known, 90)
        && evidence.small_timeouts == 0
        && is_share(small_only, connections, 80)
        && (subject.level() == Level::Connection || small_only >= 2);
    if !fits {
        return None;
    }
    let arrived = match subject {
        Subject::Connection(_, track) => {
            let (mean, full) = track.told.delivered()?;
            format!(
                "the segments that did arrive have {} on average, a full one has {}",
                bytes(mean),
                bytes(u64::from(full))
            )
        }
        _ => format!(
            "on {} of {} only small segments have arrived",
            number(small_only),
            counted(connections, "connection", "connections"),
        ),
    };
    Some(Found {
        what: match subject {
            Subject::Peer(peer, _) => {
                format!("a path to {peer} that drops full-sized packets (a path MTU black hole)")
            }
            _ => "a path that drops full-sized packets (a path MTU black hole)".to_owned(),
        },
        numbers: format!(
            "{} of {} ({}) are timeouts; {} of {} repeated ones are of full-sized segments; {arrived}.",
            number(timeouts),
            counted(events, "retransmit", "retransmits"),
            share(timeouts, events),
            number(evidence.repeated_full),
            number(evidence.repeated_known),
        ),
    })
}

pub(super) const WINDOW: Rule = Rule {
    name: "receiver-window",
    when: "At least 50 % of the events came while the peer's window was smaller than one segment, or attempts failed \
           because the window had no room.",
    limits: "Why the receiver does not read: its program may be slow or stopped, or its buffers small.",
    levels: EVERYWHERE,
    unless: &[],
    find: window,
};

fn window(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (small, known) = (evidence.window_small, evidence.window_known);
    let refused = evidence.failures.window;
    let is_small = subject.is_enough(small) && is_share(small, known, 50);
    let is_refused = subject.is_enough(refused) && is_share(refused, evidence.sums.events, 50);
    (is_small || is_refused).then(|| Found {
        what: match subject {
            Subject::Peer(peer, _) => format!("a receiver at {peer} that does not read fast enough"),
            _ => "a receiver that does not read fast enough".to_owned(),
        },
        numbers: format!(
            "at {} of {} ({}) the peer's window was smaller than one segment; {} for want of room in it.",
            number(small),
            counted(known, "retransmit", "retransmits"),
            share(small, known),
            counted(refused, "attempt failed", "attempts failed"),
        ),
    })
}

pub(super) const LONG_QUEUE: Rule = Rule {
    name: "long-queue",
    when: "At 50 % of the events at least, the smoothed round-trip time is 3 times the smallest one or more, and \
           longer by 50 ms or more.",
    limits: "Where the time is spent: in a queue of the path (bufferbloat), in this host, or in a peer that \
             acknowledges late.",
    levels: EVERYWHERE,
    unless: &[],
    find: long_queue,
};

fn long_queue(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (inflated, known) = (evidence.rtt_inflated, evidence.rtt_known);
    if !subject.is_enough(inflated) || !is_share(inflated, known, 50) {
        return None;
    }
    let (mean, least) = (evidence.mean_srtt()?, evidence.min_rtt?);
    Some(Found {
        what: "a long queue on the path (bufferbloat)".to_owned(),
        numbers: format!(
            "at {} of {} ({}) the smoothed round-trip time is at least {INFLATION} times the smallest one; it is {} on \
             average, and the smallest is {}.",
            number(inflated),
            counted(known, "retransmit", "retransmits"),
            share(inflated, known),
            duration(mean),
            duration(least),
        ),
    })
}
