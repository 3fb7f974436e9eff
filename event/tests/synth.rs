//! Synthetic events are the same for the same seed, and look like real ones.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::OwnerStatus;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::synth::Synth;

/// Number of events; Miri takes a thousand times as long for each.
const MANY: usize = if cfg!(miri) { 200 } else { 20_000 };

fn events(seed: u64) -> Vec<Record> {
    Synth::new(seed).take(MANY).collect()
}

fn connection(event: &Event) -> (SocketAddr, SocketAddr) {
    (event.local(), event.peer())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(events(7), events(7));
    let mut half_way = Synth::new(7);
    half_way.nth(99);
    let rest: Vec<Record> = half_way.clone().take(100).collect();
    assert_eq!(half_way.take(100).collect::<Vec<_>>(), rest);
    assert_eq!(rest, events(7)[100..200]);
}

#[test]
fn another_seed_gives_other_events() {
    let first: BTreeSet<Vec<u8>> = (0..100)
        .map(|seed| Synth::new(seed).next().unwrap().as_bytes().to_vec())
        .collect();
    assert_eq!(first.len(), 100);
}

#[test]
fn every_kind_that_has_a_cause_comes_up() {
    let kinds = events(1).into_iter().map(|event| event.kind().to_string());
    let found: BTreeSet<String> = kinds.collect();
    let mut wanted: BTreeSet<String> = Kind::ALL.iter().map(Kind::to_string).collect();
    wanted.remove("unknown");
    if cfg!(miri) {
        assert!(found.is_subset(&wanted));
    } else {
        assert_eq!(found, wanted);
    }
}

#[test]
fn the_kind_is_what_the_evidence_says() {
    for event in events(2) {
        assert_eq!(event.classify(), event.kind(), "{event:?}");
    }
}

#[test]
fn both_ip_versions_come_up_and_agree_with_the_addresses() {
    let mut seen = BTreeSet::new();
    for event in events(3) {
        let version = if event.is_ipv4() { 4 } else { 6 };
        assert_eq!(event.ip_version(), version);
        assert_eq!(event.local().is_ipv4(), event.peer().is_ipv4());
        assert_eq!(event.family(), Some(if version == 4 { 2 } else { 10 }));
        seen.insert(version);
    }
    assert_eq!(seen, [4, 6].into());
}

#[test]
fn sequences_step_by_one_and_time_goes_on() {
    let events = events(4);
    for (number, event) in (0..).zip(&events) {
        assert_eq!(event.size(), RECORD_SIZE as u32);
        assert_eq!(event.sequence(), number);
        assert_eq!(event.cpu_sequence(), number + 1);
    }
    for pair in events.windows(2) {
        assert!(pair[0].time() < pair[1].time());
        assert_eq!(
            pair[1].wall_time() - pair[0].wall_time(),
            pair[1].time() - pair[0].time()
        );
    }
}

#[test]
fn retransmits_come_in_bursts_of_one_connection() {
    let events = events(5);
    let bursts = events.chunk_by(|a, b| connection(a) == connection(b) && a.kind() == b.kind());
    let lengths: Vec<usize> = bursts.map(<[Record]>::len).collect();
    assert!(*lengths.iter().max().unwrap() >= 10);
    let mean = events.len() as f64 / lengths.len() as f64;
    assert!((5.0..9.0).contains(&mean), "{mean}");
}

#[test]
fn as_many_connections_come_up_as_were_asked_for() {
    for count in [1, 10] {
        let events = Synth::with_connections(6, count).take(MANY);
        let connections: BTreeSet<_> = events.map(|event| connection(&event)).collect();
        assert_eq!(connections.len() as u64, count);
    }
    let none = Synth::with_connections(6, 0).next();
    assert_eq!(none, Synth::with_connections(6, 1).next(), "at least one");
}

#[test]
fn no_two_of_a_million_connections_share_addresses_and_ports() {
    // Two sockets have the same cookie only if they are the same socket.
    let mut cookies = BTreeMap::new();
    for event in Synth::with_connections(8, 1_000_000).take(10 * MANY) {
        let cookie = event.socket_cookie().unwrap();
        let before = cookies.insert(connection(&event), cookie);
        assert!(before.is_none_or(|before| before == cookie), "{event:?}");
    }
}

#[test]
fn most_connections_are_held_and_every_status_but_the_kernels_comes_up() {
    let mut statuses = BTreeMap::new();
    for event in events(10) {
        let status = event.owner().status();
        *statuses.entry(status).or_insert(0) += 1;
        assert_eq!(
            status == OwnerStatus::NotAccepted,
            event.kind() == Kind::SynAck
        );
        assert_eq!(
            event.listener_inode().is_some(),
            event.kind() == Kind::SynAck
        );
    }
    assert!(statuses[&OwnerStatus::Held] > MANY * 4 / 5, "{statuses:?}");
    let known: Vec<OwnerStatus> = statuses.into_keys().collect();
    let all_but_kernel = &OwnerStatus::ALL[..OwnerStatus::ALL.len() - 1];
    assert!(cfg!(miri) || known == all_but_kernel, "{known:?}");
}

#[test]
fn a_process_has_one_name_one_user_and_one_container_and_a_connection_one_process() {
    let mut by_pid = BTreeMap::new();
    let mut by_connection = BTreeMap::new();
    let mut containers = BTreeSet::new();
    for event in events(11) {
        let Some(process) = event.owner().process().copied() else {
            continue;
        };
        assert_eq!(*by_pid.entry(process.pid).or_insert(process), process);
        let pid = by_connection
            .entry(connection(&event))
            .or_insert(process.pid);
        assert_eq!(*pid, process.pid);
        containers.extend(process.container.map(|container| container.to_string()));
    }
    assert!(containers.iter().all(|id| id.len() == 12), "{containers:?}");
    assert!(cfg!(miri) || (by_pid.len(), containers.len()) == (97, 4));
}

#[test]
fn numbers_agree_with_each_other() {
    for event in events(9) {
        let distance = |from: Option<u32>, to: Option<u32>| to.unwrap().wrapping_sub(from.unwrap());
        let in_flight = distance(event.snd_una(), event.snd_nxt());
        assert!(
            distance(event.snd_una(), event.end_seq()) <= in_flight,
            "{event:?}"
        );
        assert!(event.length() <= event.mss(), "{event:?}");
        let out = event.packets_out().unwrap();
        assert!(event.lost_out().unwrap() + event.sacked_out().unwrap() <= out);
        assert!(event.retrans_out().unwrap() <= out);
        assert!(event.bytes_retrans() <= event.bytes_sent());
        assert!(event.sent());
    }
}
