//! Each rule has a stream in which it must appear, and one that is close to it in which it must not.

use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::SendError;
use retrans_event::TcpState;

use super::*;
use crate::report::collect::Collected;

const MSS: u32 = 1_448;

/// Where a reading is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    All,
    Peer,
    Connection,
}

/// The readings of a stream.
fn read(events: &[Record], rows: &[CensusRow]) -> Vec<(Place, &'static str, String)> {
    let mut collected = Collected::default();
    for event in events {
        collected.event(event, []);
    }
    if !rows.is_empty() {
        collected.census(rows.iter().copied());
    }
    let whole = Whole {
        peers: collected.tracks.by_peer(),
        peer_count: collected.tracks.peers(),
        shared: collected.shared.closed(),
        ratios: &collected.ratios,
    };
    let mut found = Vec::new();
    let mut add = |place, readings: Vec<Reading>| {
        for reading in readings {
            let text = format!("{} {}", reading.what, reading.numbers);
            found.push((place, reading.rule.name, text));
        }
    };
    add(Place::All, of(&Subject::All(&whole)));
    for (peer, together) in whole.peers.top(3) {
        add(Place::Peer, of(&Subject::Peer(peer, together)));
    }
    for (connection, track) in collected.tracks.worst(3) {
        add(
            Place::Connection,
            of(&Subject::Connection(connection, track)),
        );
    }
    found
}

fn has(events: &[Record], place: Place, rule: &str) -> bool {
    let mut found = read(events, &[]).into_iter();
    found.any(|(found, name, _)| found == place && name == rule)
}

fn names(events: &[Record], place: Place) -> Vec<&'static str> {
    let found = read(events, &[]).into_iter();
    let here = found.filter(|(found, ..)| *found == place);
    here.map(|(_, name, _)| name).collect()
}

/// The text of a reading; empty without one.
fn text(events: &[Record], place: Place, rule: &str) -> String {
    let mut found = read(events, &[]).into_iter();
    let found = found.find(|(found, name, _)| *found == place && *name == rule);
    found.map(|(.., text)| text).unwrap_or_default()
}

fn address(peer: u32, port: u16) -> SocketAddr {
    SocketAddr::new(
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + peer).into(),
        port,
    )
}

/// A retransmit of a connection that sends data without any trouble else.
fn event(kind: Kind, millis: u64, peer: u32, local_port: u16) -> Record {
    Record::retransmit(address(1_000, local_port), address(peer, 443))
        .with_kind(kind)
        .with_time(Duration::from_millis(millis))
        .with(|event| {
            event.set_length(Some(MSS));
            event.set_mss(Some(MSS));
            event.set_packets_out(Some(20));
            event.set_snd_wnd(Some(65_536));
            event.set_srtt(Some(Duration::from_millis(30)));
            event.set_min_rtt(Some(Duration::from_millis(25)));
            event.set_dsack_dups(Some(0));
            event.set_reord_seen(Some(0));
            event.set_cwnd(Some(20));
        })
}

/// Events of one connection each, `gap` milliseconds apart.
fn series(kind: Kind, number: u64, gap: u64, change: impl Fn(u64, &mut Event)) -> Vec<Record> {
    (0..number)
        .map(|place| event(kind, place * gap, 2, 40_000).with(|event| change(place, event)))
        .collect()
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_test_here() {
    let tests = include_str!("tests.rs");
    for (place, rule) in RULES.iter().enumerate() {
        assert!(RULES[..place].iter().all(|other| other.name != rule.name));
        let quoted = format!("\"{}\"", rule.name);
        assert!(tests.matches(&quoted).count() >= 2, "{}", rule.name);
        for other in rule.unless {
            let place_of = |name: &str| RULES.iter().position(|rule| rule.name == name);
            assert!(place_of(other) < Some(place), "{other} comes too late");
        }
    }
}

#[test]
fn tail_losses_of_idle_connections() {
    let probes = |in_flight, dsacks: u32| {
        series(Kind::TailLossProbe, 12, 5_000, move |place, event| {
            event.set_packets_out(Some(in_flight));
            event.set_dsack_dups(Some(dsacks * place as u32));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert!(has(&probes(1, 0), place, "idle-tail-loss"), "{place:?}");
        assert!(!has(&probes(3, 0), place, "idle-tail-loss"), "{place:?}");
        assert!(!has(&probes(1, 1), place, "idle-tail-loss"), "{place:?}");
    }
    let text = text(&probes(1, 0), Place::Peer, "idle-tail-loss");
    assert_eq!(
        super::super::text::spaced(&text),
        "tail losses on nearly idle connections to 10.0.0.2 12 of 12 retransmits (100 %) are tail loss probes, 12 of \
         them with at most 2 segments in flight; no duplicates were reported."
    );
    // Nine events of a peer are too few, and five of a connection are not.
    let nine = probes(1, 0)[..9].to_vec();
    assert!(!has(&nine, Place::Peer, "idle-tail-loss"));
    assert!(has(&nine[..5], Place::Connection, "idle-tail-loss"));
    assert!(!has(&nine[..4], Place::Connection, "idle-tail-loss"));
}

#[test]
fn a_peer_that_no_longer_answers() {
    let timeouts = |most: u8| {
        series(Kind::Timeout, 12, 2_000, move |place, event| {
            let in_a_row = 1 + (place % u64::from(most)) as u8;
            event.set_retransmits(Some(in_a_row));
            event.set_backoff(Some(in_a_row - 1));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert!(has(&timeouts(6), place, "no-answer"), "{place:?}");
        // The third attempt gets through each time.
        assert!(!has(&timeouts(3), place, "no-answer"), "{place:?}");
    }
}

#[test]
fn full_segments_that_do_not_arrive_while_small_ones_do() {
    let connections = |number: u16, mean: u64, length: u32| -> Vec<Record> {
        let all = (0..number).flat_map(|connection| {
            (0..8_u8).map(move |place| {
                event(
                    Kind::Timeout,
                    u64::from(place) * 1_000,
                    2,
                    40_000 + connection,
                )
                .with(|event| {
                    event.set_retransmits(Some(place + 1));
                    event.set_length(Some(length));
                    event.set_snd_una(Some(1_000));
                    event.set_snd_nxt(Some(1_000 + 10 * MSS));
                    event.set_delivered(Some(4));
                    event.set_bytes_retrans(Some(u64::from(place) * u64::from(MSS)));
                    let sent = 4 * mean + 10 * u64::from(MSS) + u64::from(place) * u64::from(MSS);
                    event.set_bytes_sent(Some(sent));
                })
            })
        });
        all.collect()
    };
    assert!(has(&connections(2, 300, MSS), Place::Peer, "path-mtu"));
    assert!(has(
        &connections(1, 300, MSS),
        Place::Connection,
        "path-mtu"
    ));
    assert!(!names(&connections(2, 300, MSS), Place::Peer).contains(&"no-answer"));
    // Full segments had arrived before; small ones do not arrive either; one connection may have any other cause.
    assert!(!has(&connections(2, 1_400, MSS), Place::Peer, "path-mtu"));
    assert!(!has(&connections(2, 300, 500), Place::Peer, "path-mtu"));
    assert!(!has(&connections(1, 300, MSS), Place::Peer, "path-mtu"));
    assert!(has(&connections(2, 1_400, MSS), Place::Peer, "no-answer"));
}

#[test]
fn connections_that_are_not_answered() {
    let handshakes = |kind, peers: u32, ports: u16, number: u64| -> Vec<Record> {
        let state = match kind {
            Kind::Syn => TcpState::SynSent,
            _ => TcpState::SynRecv,
        };
        let all = (0..number).map(|place| {
            let peer = 2 + (place % u64::from(peers)) as u32;
            let port = 443 + (place % u64::from(ports)) as u16;
            event(kind, place * 100, peer, 40_000 + place as u16)
                .with_state(state)
                .with(|event| {
                    event.set_peer_port(port);
                    event.set_retransmits(Some(1 + (place % 3) as u8));
                })
        });
        all.collect()
    };
    let one = handshakes(Kind::Syn, 1, 1, 12);
    assert!(
        text(&one, Place::Peer, "syn-unanswered")
            .starts_with("a service at 10.0.0.2:443 that is down")
    );
    assert!(has(&one, Place::All, "syn-unanswered"));
    let ports = handshakes(Kind::Syn, 1, 3, 12);
    assert!(text(&ports, Place::Peer, "syn-unanswered").starts_with("10.0.0.2 being down"));
    assert!(text(&ports, Place::Peer, "syn-unanswered").contains("to 3 ports"));
    let many = handshakes(Kind::Syn, 12, 1, 24);
    assert!(
        text(&many, Place::All, "syn-unanswered").starts_with("a filter or a fault near this host")
    );
    assert!(!has(&one[..9], Place::All, "syn-unanswered"));
    assert!(!has(&one, Place::All, "syn-ack-unanswered"));

    let flood = handshakes(Kind::SynAck, 40, 1, 40);
    assert!(text(&flood, Place::All, "syn-ack-unanswered").starts_with("half-open connections"));
    let few = handshakes(Kind::SynAck, 1, 1, 12);
    assert!(text(&few, Place::Peer, "syn-ack-unanswered").contains("on the way to 10.0.0.2"));
    assert!(!has(&few[..9], Place::Peer, "syn-ack-unanswered"));

    // Half of the events and more must be of that kind.
    let data = series(Kind::Fast, 13, 3_000, |_, _| {});
    let mixed: Vec<Record> = one.iter().chain(&data).cloned().collect();
    assert!(!has(&mixed, Place::All, "syn-unanswered"));
}

#[test]
fn segments_that_do_not_leave_the_host() {
    let failed = |one_in: u64, error: i32| {
        series(Kind::Fast, 60, 100, move |place, event| {
            let fails = place % one_in == 0;
            event.set_error(Some(SendError(if fails { error } else { 0 })));
            event.set_sent(Some(!fails));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert!(has(&failed(4, 1), place, "local-drops"), "{place:?}");
        assert!(!has(&failed(6, 1), place, "local-drops"), "{place:?}");
    }
    let route = text(&failed(4, -113), Place::All, "local-drops");
    assert!(
        route.contains("no route or the link was down (15)"),
        "{route}"
    );
    let filter = text(&failed(4, -1), Place::All, "local-drops");
    assert!(filter.contains("a filter of this host"), "{filter}");
}

#[test]
fn a_receiver_that_does_not_read() {
    let window = |window| {
        series(Kind::Timeout, 12, 1_000, move |_, event| {
            event.set_snd_wnd(Some(window));
            event.set_retransmits(Some(1));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert!(has(&window(0), place, "receiver-window"), "{place:?}");
        assert!(has(&window(MSS - 1), place, "receiver-window"), "{place:?}");
        assert!(!has(&window(MSS), place, "receiver-window"), "{place:?}");
    }
    let refused = series(Kind::Fast, 12, 1_000, |_, event| {
        event.set_error(Some(SendError(-11)));
        event.set_sent(Some(false));
    });
    assert!(has(&refused, Place::All, "receiver-window"));
}

#[test]
fn retransmits_that_were_needless() {
    let duplicates = |kind, every: u64, reordered: u32| {
        series(kind, 40, 500, move |place, event| {
            event.set_dsack_dups(Some((place / every) as u32));
            event.set_reord_seen(Some(reordered * place as u32));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert!(
            has(&duplicates(Kind::Fast, 2, 0), place, "needless"),
            "{place:?}"
        );
        assert!(
            !has(&duplicates(Kind::Fast, 4, 0), place, "needless"),
            "{place:?}"
        );
    }
    let reordered = text(&duplicates(Kind::Fast, 1, 1), Place::All, "needless");
    assert!(
        reordered.contains("segments that overtake one another"),
        "{reordered}"
    );
    let early = text(&duplicates(Kind::Timeout, 1, 0), Place::All, "needless");
    assert!(early.contains("a timer that is too short"), "{early}");
}

#[test]
fn bursts_and_single_losses() {
    // Bursts of five with a window that falls, ten seconds apart; or events that are far apart.
    let bursts = |length: u64, falls: bool| {
        series(Kind::Fast, 30, 0, move |place, event| {
            let millis = place / length * 10_000 + place % length * 10;
            event.set_wall_time(Duration::from_secs(1_000) + Duration::from_millis(millis));
            event.set_cwnd(Some(if falls && place % length > 0 { 10 } else { 20 }));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert_eq!(names(&bursts(5, true), place), ["bursts"], "{place:?}");
        assert!(!has(&bursts(5, false), place, "bursts"), "{place:?}");
        assert!(!has(&bursts(2, true), place, "bursts"), "{place:?}");
        assert_eq!(
            names(&bursts(1, false), place),
            ["single-losses"],
            "{place:?}"
        );
        assert!(!has(&bursts(2, false), place, "single-losses"), "{place:?}");
    }
}

#[test]
fn round_trips_that_take_long() {
    let inflated = |millis: u64| {
        series(Kind::Fast, 20, 10_000, move |_, event| {
            event.set_srtt(Some(Duration::from_millis(millis)));
        })
    };
    for place in [Place::All, Place::Peer, Place::Connection] {
        assert_eq!(names(&inflated(80), place), ["long-queue"], "{place:?}");
        assert!(!has(&inflated(70), place, "long-queue"), "{place:?}");
    }
}

#[test]
fn losses_of_many_peers_at_once() {
    let peers = |number: u32| -> Vec<Record> {
        let all = (0..60_u64).map(|place| {
            let peer = 2 + (place % u64::from(number)) as u32;
            event(Kind::Fast, place * 20, peer, 40_000)
        });
        all.collect()
    };
    // The same, and a retransmit long after it.
    let once = |number: u32| {
        let mut events = peers(number);
        events.push(event(Kind::Fast, 60_000, 2, 40_000));
        events
    };
    assert!(has(&once(6), Place::All, "many-at-once"));
    assert!(!has(&once(4), Place::All, "many-at-once"));
    // A busy host has them all the time.
    assert!(!has(&peers(6), Place::All, "many-at-once"));
    // One peer has most of them.
    let mut uneven = once(6);
    uneven.extend((0..200).map(|place| event(Kind::Fast, place * 5, 2, 40_001)));
    assert!(!has(&uneven, Place::All, "many-at-once"));
}

#[test]
fn losses_of_one_peer() {
    let uneven = |first: u64| -> Vec<Record> {
        let of_first = (0..first).map(|place| event(Kind::Fast, place * 2_000, 2, 40_000));
        let of_others =
            (0..10).map(|place| event(Kind::Fast, place * 3_000, 3 + place as u32, 40_000));
        of_first.chain(of_others).collect()
    };
    assert!(has(&uneven(60), Place::All, "one-peer"));
    assert!(!has(&uneven(30), Place::All, "one-peer"));
    // A census tells that the others got as little, in proportion, or not.
    let row = |peer: u32, segments, again| CensusRow {
        peer_address: address(peer, 0).ip(),
        segments,
        retransmitted_segments: again,
        ..CensusRow::EMPTY
    };
    let with = |others: u64| {
        let rows = [row(2, 1_000, 60), row(3, others, 10)];
        let found = read(&uneven(60), &rows);
        found.iter().any(|(_, name, _)| *name == "one-peer")
    };
    assert!(with(10_000));
    assert!(!with(200));
}

#[test]
fn where_no_rule_fits_nothing_is_said() {
    // Timeouts, fast retransmits and probes, none of which are many.
    let kinds = [Kind::Timeout, Kind::Fast, Kind::TailLossProbe];
    let mixed: Vec<Record> = (0..45_u64)
        .map(|place| {
            let kind = kinds[(place % 3) as usize];
            event(kind, place * 700, 2, 40_000).with(|event| event.set_retransmits(Some(1)))
        })
        .collect();
    assert_eq!(read(&mixed, &[]), []);
    assert_eq!(read(&[], &[]), []);
    // Kernels and hosts that know less say less.
    let bare: Vec<Record> = (0..50)
        .map(|place| Record::new().with_time(Duration::from_secs(place)))
        .collect();
    assert_eq!(read(&bare, &[]), []);
}
