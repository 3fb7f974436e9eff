//! Rules about connections that are not established.

use retrans_event::Kind;

use super::EVERYWHERE;
use super::Found;
use super::Level;
use super::MIN_OF_MANY;
use super::Rule;
use super::Subject;
use super::is_share;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::share;

/// Number of peers from which on SYNs or SYN-ACKs are said to concern many.
const MANY_PEERS: u64 = 10;

pub(super) const SYN: Rule = Rule {
    name: "syn-unanswered",
    when: "At least 50 % of the events are SYNs; of one connection, 2 SYNs are enough.",
    limits: "Whether the service is down, a firewall drops the SYNs, or their answers are lost. A host that refuses a \
             connection answers, and causes no retransmit.",
    levels: EVERYWHERE,
    unless: &[],
    find: syn,
};

fn syn(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (syns, events) = (evidence.of(Kind::Syn), evidence.sums.events);
    let least = match subject.level() {
        Level::Connection => 2,
        Level::Peer | Level::All => MIN_OF_MANY,
    };
    if syns < least || !is_share(syns, events, 50) {
        return None;
    }
    let ports = subject.together().map(|together| &together.syn_ports);
    let only = ports.and_then(|ports| ports.only());
    let what = match (subject, only) {
        (Subject::Connection(connection, _), _) => {
            format!(
                "a service at {} that is down or filtered",
                connection.peer()
            )
        }
        (Subject::Peer(peer, _), Some(port)) => {
            let service = std::net::SocketAddr::new(*peer, port);
            format!("a service at {service} that is down or filtered")
        }
        (Subject::Peer(peer, _), None) => format!("{peer} being down, or a filter before it"),
        (Subject::All(whole), _) if whole.peer_count.0 >= MANY_PEERS => {
            "a filter or a fault near this host, or many peers that are down".to_owned()
        }
        (Subject::All(_), _) => "services that are down or filtered".to_owned(),
    };
    let to_ports = ports.map_or(String::new(), |ports| match ports.count() {
        (1, _) => String::new(),
        (count, false) => format!(" to {count} ports"),
        (count, true) => format!(" to more than {count} ports"),
    });
    Some(Found {
        what,
        numbers: format!(
            "{} of {} ({}) are SYNs {}{to_ports}, up to {} in a row without an answer.",
            number(syns),
            counted(events, "retransmit", "retransmits"),
            share(syns, events),
            subject.on_connections(),
            evidence.most_in_a_row,
        ),
    })
}

pub(super) const SYN_ACK: Rule = Rule {
    name: "syn-ack-unanswered",
    when: "At least 50 % of the events are SYN-ACKs; of one connection, 2 SYN-ACKs are enough.",
    limits: "Whether the addresses of the peers are forged (a SYN flood), the SYN-ACKs are lost on their way, or the \
             answers to them are. Connections that a full queue of the listener holds up look the same.",
    levels: EVERYWHERE,
    unless: &[],
    find: syn_ack,
};

fn syn_ack(subject: &Subject<'_>) -> Option<Found> {
    let evidence = subject.evidence();
    let (syn_acks, events) = (evidence.of(Kind::SynAck), evidence.sums.events);
    let least = match subject.level() {
        Level::Connection => 2,
        Level::Peer | Level::All => MIN_OF_MANY,
    };
    if syn_acks < least || !is_share(syn_acks, events, 50) {
        return None;
    }
    let (what, peers) = match subject {
        Subject::Connection(..) => (
            "a peer whose address is forged, or a way to it or back that drops segments".to_owned(),
            String::new(),
        ),
        Subject::Peer(peer, _) => (
            format!("a fault or a filter on the way to {peer} or back"),
            String::new(),
        ),
        Subject::All(whole) => {
            let (count, _) = whole.peer_count;
            let what = match count >= MANY_PEERS {
                true => {
                    "half-open connections, as of a SYN flood, or a fault on the way out of this host"
                }
                false => "faults or filters on the ways to a few peers or back",
            };
            (
                what.to_owned(),
                format!(" to {}", counted(count, "peer", "peers")),
            )
        }
    };
    let port = subject
        .together()
        .and_then(|together| together.syn_ack_ports.only());
    let port = port.map_or(String::new(), |port| format!(" from local port {port}"));
    Some(Found {
        what,
        numbers: format!(
            "{} of {} ({}) are SYN-ACKs{port}{peers}, up to {} in a row without an answer.",
            number(syn_acks),
            counted(events, "retransmit", "retransmits"),
            share(syn_acks, events),
            evidence.most_in_a_row,
        ),
    })
}
