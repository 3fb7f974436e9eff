//! The keys by which events are counted separately.

use retrans_plugin_sdk::serde_json::json;

use super::*;

#[test]
fn peers_are_counted_separately() {
    let peers = [
        "10.0.0.2:443",
        "10.0.0.3:443",
        "10.0.0.2:80",
        "10.0.0.3:80",
        "10.0.0.2:22",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let outcome = run(&three_in_ten_seconds().events(records));
    assert_eq!(outcome.alerts.len(), 1);
    assert_eq!(outcome.alerts[0].label_value("peer"), Some("10.0.0.2"));
}

#[test]
fn an_ipv6_peer_is_shown_as_such() {
    let records = (0..3).map(|millis| retransmit(millis, "[2001:db8::2]:443"));
    let scenario = three_in_ten_seconds().events(records);
    let outcome = run(&scenario);
    assert_eq!(outcome.alerts[0].label_value("peer"), Some("2001:db8::2"));
    let outcome = run(&scenario.setting("key", "connection"));
    assert_eq!(
        outcome.alerts[0].label_value("connection"),
        Some("[2001:db8::1]:33000 -> [2001:db8::2]:443")
    );
}

/// A retransmit from fe80::1 to fe80::72 on this link.
fn link_local(millis: u64, netns: u32, interface: u32) -> Record {
    let mut record = retransmit(millis, "[fe80::72]:443");
    record.set_local_address("fe80::1".parse().expect("an address"));
    record.set_netns_inode(Some(netns));
    record.set_interface(Some(interface));
    record
}

#[test]
fn link_local_addresses_of_different_links_are_different() {
    let links = [(1, 2), (1, 3), (4, 2), (1, 3), (4, 2), (1, 2)];
    for key in ["peer", "local", "connection"] {
        let scenario = three_in_ten_seconds().setting("key", key);
        let records = (0..).zip(links);
        let records = records.map(|(millis, (netns, link))| link_local(millis, netns, link));
        let scenario = scenario.events(records);
        assert_eq!(run(&scenario).alerts, [], "two each: {key}");
        let outcome = run(&scenario.event(link_local(6, 4, 2)));
        let (value, words) = match key {
            "peer" => ("fe80::72%2", "to fe80::72%2"),
            "local" => ("fe80::1%2", "from fe80::1%2"),
            _ => (
                "[fe80::1%2]:33000 -> [fe80::72%2]:443",
                "from [fe80::1%2]:33000 to [fe80::72%2]:443",
            ),
        };
        assert_eq!(outcome.alerts.len(), 1, "{key}");
        assert_eq!(outcome.alerts[0].label_value(key), Some(value));
        assert_eq!(outcome.alerts[0].label_value("netns"), Some("4"));
        let summary = format!("3 segments retransmitted {words} within 10s");
        assert_eq!(outcome.alerts[0].summary, summary);
    }
}

#[test]
fn other_addresses_are_the_same_on_every_link() {
    for peer in [
        PEER,
        "[2001:db8::2]:443",
        "[fec0::2]:443",
        "[::ffff:169.254.0.2]:443",
    ] {
        let records = (0..3).map(|number| {
            let mut record = retransmit(number, peer);
            record.set_netns_inode(Some(1 + number as u32));
            record.set_interface(Some(2 + number as u32));
            record
        });
        let outcome = run(&three_in_ten_seconds().events(records));
        assert_eq!(outcome.alerts.len(), 1, "{peer}");
        assert!(
            !outcome.alerts[0].summary.contains('%'),
            "{:?}",
            outcome.alerts[0]
        );
    }
}

#[test]
fn a_link_local_address_of_an_unknown_link_is_shown_without_one() {
    let records = (0..3).map(|millis| {
        let mut record = link_local(millis, 1, 2);
        record.set_interface(None);
        record
    });
    let outcome = run(&three_in_ten_seconds().events(records));
    assert_eq!(outcome.alerts[0].label_value("peer"), Some("fe80::72"));
}

/// Events that differ in every part of a key.
fn different(millis: u64) -> Record {
    let mut record = retransmit(millis, &format!("10.0.0.{}:{}", 2 + millis, 443 + millis));
    record.set_local_address(IpAddr::from([10, 0, 1, 1 + millis as u8]));
    record.set_local_port(33_000 + millis as u16);
    record.set_netns_inode(Some(4_026_531_840 + millis as u32));
    record
}

/// Counted by this key, three events that differ in every part do not make the alert fire, and three events
/// with equal values of this part alone do.
fn counts_by(key: &str, agree: fn(&mut Record, &Record), value: &str, words: &str) {
    let scenario = three_in_ten_seconds().setting("key", key);
    let outcome = run(&scenario.clone().events((0..3).map(different)));
    assert_eq!(outcome.alerts, [], "{key} differs");
    let outcome = run(&scenario.events((0..3).map(|millis| {
        let mut record = different(millis);
        agree(&mut record, &different(0));
        record
    })));
    assert_eq!(outcome.alerts.len(), 1, "{key} agrees");
    let alert = &outcome.alerts[0];
    assert_eq!(alert.labels, [(key.to_owned(), value.to_owned())]);
    assert_eq!(
        alert.summary,
        format!("3 segments retransmitted {words} within 10s")
    );
}

#[test]
fn every_key_counts_by_its_part() {
    counts_by(
        "peer",
        |record, first| record.set_peer_address(first.peer_address()),
        "10.0.0.2",
        "to 10.0.0.2",
    );
    counts_by(
        "connection",
        |record, first| {
            record.set_local_address(first.local_address());
            record.set_local_port(first.local_port());
            record.set_peer_address(first.peer_address());
            record.set_peer_port(first.peer_port());
        },
        "10.0.1.1:33000 -> 10.0.0.2:443",
        "from 10.0.1.1:33000 to 10.0.0.2:443",
    );
    counts_by(
        "local",
        |record, first| record.set_local_address(first.local_address()),
        "10.0.1.1",
        "from 10.0.1.1",
    );
    counts_by(
        "local_port",
        |record, first| record.set_local_port(first.local_port()),
        "33000",
        "from port 33000",
    );
    counts_by(
        "peer_port",
        |record, first| record.set_peer_port(first.peer_port()),
        "443",
        "to port 443",
    );
    counts_by(
        "netns",
        |record, first| record.set_netns_inode(first.netns_inode()),
        "4026531840",
        "in network namespace 4026531840",
    );
}

#[test]
fn several_keys_count_together() {
    let scenario = three_in_ten_seconds().setting("key", json!(["peer_port", "peer", "netns"]));
    let peers = [
        "10.0.0.2:443",
        "10.0.0.2:80",
        "10.0.0.3:443",
        "10.0.0.2:443",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let scenario = scenario.events(records);
    assert_eq!(run(&scenario).alerts, []);
    let outcome = run(&at(scenario, [5]));
    let alert = &outcome.alerts[0];
    assert_eq!(alert.label_value("peer"), Some("10.0.0.2"));
    assert_eq!(alert.label_value("peer_port"), Some("443"));
    assert_eq!(alert.label_value("netns"), Some("4026531840"));
    assert_eq!(
        alert.summary,
        "3 segments retransmitted to 10.0.0.2:443 in network namespace 4026531840 within 10s"
    );
}

#[test]
fn an_unknown_network_namespace_is_no_label() {
    let records = (0..3).map(|millis| {
        let mut record = retransmit(millis, PEER);
        record.set_netns_inode(None);
        record
    });
    let outcome = run(&three_in_ten_seconds()
        .setting("key", "netns")
        .events(records));
    assert_eq!(outcome.alerts[0].labels, []);
    assert!(
        outcome.alerts[0]
            .summary
            .contains("in an unknown network namespace")
    );
}
