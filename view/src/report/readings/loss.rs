//! Rules about losses that acknowledgements tell of, and about whom they concern.

use retrans_event::Kind;

use super::EVERYWHERE;
use super::Found;
use super::Level;
use super::Rule;
use super::Subject;
use super::is_share;
use crate::ratios::Sent;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::percent;
use crate::report::text::share;
use crate::report::together::MANY_PEERS;

/// Segments in all, below which nothing is said about whom the losses concern.
const MIN_SEGMENTS: u64 = 20;

/// Bursts have at least this number of events on average …
const BURST: f64 = 3.0;

/// … and single losses at most this.
const SINGLE_LOSS: f64 = 1.5;

pub(super) const BURSTS: Rule = Rule {
    name: "bursts",
    when: "At least 60 % of the events are fast retransmits or loss recovery; a burst (events of a connection, each \
           within a second of the one before) has 3 events or more on average; and the congestion window of a \
           connection fell to 70 % or below at least once.",
    limits: "Whose queue overflows. A link that fails for a moment loses segments in bursts as well.",
    levels: EVERYWHERE,
    unless: &[],
    find: bursts,
};

fn bursts(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (fast, recovery) = (evidence.of(Kind::Fast), evidence.of(Kind::LossRecovery));
    let events = evidence.sums.events;
    let mean = events as f64 / evidence.bursts.max(1) as f64;
    let fits = subject.is_enough(fast)
        && is_share(fast + recovery, events, 60)
        && mean >= BURST
        && evidence.window_falls > 0;
    fits.then(|| Found {
        what: match subject {
            Subject::Peer(peer, _) => format!("a queue on the path to {peer} that overflows (congestion)"),
            _ => "a queue that overflows (congestion)".to_owned(),
        },
        numbers: format!(
            "{} of {} ({}) are fast retransmits or loss recovery, in {} with {mean:.1} on average; the congestion \
             window fell by 30 % or more {}.",
            number(fast + recovery),
            counted(events, "retransmit", "retransmits"),
            share(fast + recovery, events),
            counted(evidence.bursts, "burst", "bursts"),
            counted(evidence.window_falls, "time", "times"),
        ),
    })
}

pub(super) const SINGLE: Rule = Rule {
    name: "single-losses",
    when: "At least 60 % of the events are fast retransmits, a burst has at most 1.5 events on average, and at less \
           than half of the events the round-trip time is inflated (as for long-queue).",
    limits: "Where the segments are lost. A queue that drops early and at random (RED, CoDel) looks the same.",
    levels: EVERYWHERE,
    unless: &["needless"],
    find: single,
};

fn single(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (fast, events) = (evidence.of(Kind::Fast), evidence.sums.events);
    let mean = events as f64 / evidence.bursts.max(1) as f64;
    let fits = subject.is_enough(fast)
        && is_share(fast, events, 60)
        && mean <= SINGLE_LOSS
        && !is_share(evidence.rtt_inflated, evidence.rtt_known, 50);
    fits.then(|| Found {
        what: match subject {
            Subject::Peer(peer, _) => format!("a path to {peer} that loses single segments, such as a faulty link"),
            _ => "a path that loses single segments, such as a faulty link".to_owned(),
        },
        numbers: format!(
            "{} of {} ({}) are fast retransmits, in {} with {mean:.1} on average; at {} of {} the round-trip time is \
             inflated.",
            number(fast),
            counted(events, "retransmit", "retransmits"),
            share(fast, events),
            counted(evidence.bursts, "burst", "bursts"),
            number(evidence.rtt_inflated),
            number(evidence.rtt_known),
        ),
    })
}

pub(super) const MANY_AT_ONCE: Rule = Rule {
    name: "many-at-once",
    when: "At least 50 % of the segments, and 20 or more, were sent again in seconds in which segments to 5 peers or \
           more were, these seconds are at most half of the time, and no peer has more than 50 % of the segments.",
    limits: "Whether the peers share more than this host, such as a site or a provider, and whether more was sent to \
             them in these seconds.",
    levels: &[Level::All],
    unless: &[],
    find: many_at_once,
};

fn many_at_once(subject: &Subject<'_>) -> Option<Found> {
    let Subject::All(whole) = subject else {
        return None;
    };
    let segments = whole.peers.all.evidence.sums.segments;
    let shared = &whole.shared;
    let seconds = whole.peers.all.evidence.sums.duration().as_secs();
    let top = whole.peers.top(1);
    let (_, top) = top.first()?;
    let fits = shared.segments >= MIN_SEGMENTS
        && is_share(shared.segments, segments, 50)
        // On a busy host every second may have as many peers, by chance.
        && shared.seconds * 2 <= seconds
        && top.evidence.sums.segments * 2 <= segments;
    fits.then(|| Found {
        what: "a cause that many peers share: this host, its link, or the network near it".to_owned(),
        numbers: format!(
            "{} of {} ({}) were sent again in {} in which {MANY_PEERS} peers or more were concerned, up to {} at once.",
            number(shared.segments),
            counted(segments, "segment", "segments"),
            share(shared.segments, segments),
            counted(shared.seconds, "second", "seconds"),
            shared.most_peers,
        ),
    })
}

pub(super) const ONE_PEER: Rule = Rule {
    name: "one-peer",
    when: "There are 3 peers or more and 20 segments or more, and one peer has at least 80 % of them. With a census: \
           and the share of its segments that were sent again is at least 3 times that of all others.",
    limits: "Without a census: how much was sent to the others, who may just have got little.",
    levels: &[Level::All],
    unless: &[],
    find: one_peer,
};

fn one_peer(subject: &Subject<'_>) -> Option<Found> {
    let Subject::All(whole) = subject else {
        return None;
    };
    let segments = whole.peers.all.evidence.sums.segments;
    let top = whole.peers.top(1);
    let (peer, top) = top.first()?;
    let of_peer = top.evidence.sums.segments;
    let (peers, _) = whole.peer_count;
    if peers < 3 || segments < MIN_SEGMENTS || !is_share(of_peer, segments, 80) {
        return None;
    }
    let sent = match whole.ratios.peer(*peer) {
        Some(own) => {
            let all = whole.ratios.total();
            let others = Sent {
                segments: all.segments.saturating_sub(own.segments),
                retransmitted: all.retransmitted.saturating_sub(own.retransmitted),
                ..Sent::default()
            };
            let (own_ratio, other_ratio) = (own.ratio()?, others.ratio()?);
            if own_ratio < 3.0 * other_ratio {
                return None;
            }
            format!(
                "; {} of the {} to it were sent again, and {} of the {} to the others",
                percent(own_ratio),
                counted(own.segments, "segment", "segments"),
                percent(other_ratio),
                number(others.segments),
            )
        }
        None => "; how much was sent to each is not known without a census".to_owned(),
    };
    Some(Found {
        what: format!("a fault at {peer} or on the path to it, and not near this host"),
        numbers: format!(
            "{} of {} ({}) went to {peer}, one of {}{sent}.",
            number(of_peer),
            counted(
                segments,
                "segment that was sent again",
                "segments that were sent again"
            ),
            share(of_peer, segments),
            counted(peers, "peer", "peers"),
        ),
    })
}
