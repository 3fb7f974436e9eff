//! Which connections are kept.

use std::collections::BTreeSet;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use crate::Sample;

type Connection = (SocketAddr, SocketAddr, Option<u32>);

fn connection(record: &Record) -> Connection {
    (record.local(), record.peer(), record.netns_inode())
}

fn records() -> impl Iterator<Item = Record> {
    Synth::with_connections(5, 1_500).take(5_000)
}

/// The connections that are kept, and the number of their events.
fn kept(one_in: u32, seed: u64) -> (BTreeSet<Connection>, usize) {
    let scenario = Scenario::new()
        .setting("one_in", one_in)
        .setting("seed", seed);
    let outcome = scenario
        .events(records())
        .run::<Sample>()
        .expect("it is sound");
    let connections = outcome.kept.iter().map(|kept| connection(&kept.record));
    (connections.collect(), outcome.kept.len())
}

#[test]
fn all_events_of_a_connection_are_kept_or_dropped() {
    let (connections, events) = kept(10, 0);
    let expected = records().filter(|record| connections.contains(&connection(record)));
    assert_eq!(events, expected.count());
}

#[test]
fn one_connection_of_n_is_kept() {
    let all: BTreeSet<_> = records().map(|record| connection(&record)).collect();
    for (one_in, seed) in [(2, 0), (10, 0), (10, 1)] {
        let expected = all.len() as f64 / f64::from(one_in);
        let share = kept(one_in, seed).0.len() as f64 / expected;
        assert!((0.5..1.5).contains(&share), "1 in {one_in}: {share}");
    }
    assert_eq!(kept(1, 3).0, all);
}

#[test]
fn a_smaller_sample_is_part_of_a_larger_one() {
    assert!(kept(50, 4).0.is_subset(&kept(10, 4).0));
    assert!(kept(10, 4).0.is_subset(&kept(2, 4).0));
}

#[test]
fn another_seed_keeps_other_connections() {
    let (one, other) = (kept(10, 0).0, kept(10, 1).0);
    let both = one.intersection(&other).count();
    assert!(both * 4 < one.len(), "{both} of {}", one.len());
}

#[test]
fn only_addresses_ports_and_namespace_decide() -> Result<()> {
    let base = Record::retransmit("10.0.0.1:33000".parse()?, "10.0.0.2:443".parse()?);
    let keeps = |record: Record| -> Result<Vec<bool>> {
        let seeds = 0..24_u64;
        let kept = seeds.map(|seed| {
            let scenario = Scenario::new().setting("one_in", 2).setting("seed", seed);
            Ok(scenario.event(record.clone()).run::<Sample>()?.kept.len() == 1)
        });
        kept.collect()
    };
    let expected = keeps(base.clone())?;
    let same = base
        .clone()
        .with_time(Duration::from_secs(9))
        .with_process(Process::new(1, "a"));
    assert_eq!(
        keeps(same.with(|event| event.set_socket_cookie(Some(7))))?,
        expected
    );
    for other in [
        base.clone().with_local("10.0.0.1:33001".parse()?),
        base.clone().with_local("10.0.0.3:33000".parse()?),
        base.clone().with_peer("10.0.0.2:444".parse()?),
        base.clone().with_peer("10.0.0.4:443".parse()?),
        base.with(|event| event.set_netns_inode(Some(4_026_531_840))),
    ] {
        assert_ne!(keeps(other)?, expected);
    }
    Ok(())
}

#[test]
fn the_selection_never_changes() -> Result<()> {
    let mut bits = 0_u64;
    for port in 0..64_u16 {
        let local = SocketAddr::new("2001:db8::1".parse()?, 33_000 + port);
        let record = Record::retransmit(local, "[2001:db8::2]:443".parse()?);
        let record = record.with(|event| event.set_netns_inode(Some(4_026_531_840)));
        let scenario = Scenario::new().setting("one_in", 2).setting("seed", 42);
        let kept = scenario.event(record).run::<Sample>()?.kept.len() as u64;
        bits |= kept << port;
    }
    assert_eq!(format!("{bits:016x}"), "adf8377e1482804d");
    Ok(())
}

#[test]
fn one_in_zero_is_refused() {
    let error = Scenario::new()
        .setting("one_in", 0)
        .run::<Sample>()
        .expect_err("of zero");
    assert_eq!(error.to_string(), "one_in: expected at least 1");
}
