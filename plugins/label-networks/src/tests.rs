//! Labels, and errors of the file.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;

use crate::LabelNetworks;
use crate::file;

const NETWORKS: &str = "\
# Networks of the company.

10.0.0.0/8     internal
10.1.0.0/16    office Berlin   # since 2020
10.1.2.3       printer
2001:db8::/32\tdocumentation\r
::/0 rest of IPv6
";

/// A file that is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(text: impl AsRef<[u8]>) -> Temporary {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("label-networks-{}-{number}", process::id()));
        fs::write(&path, text).expect("it is writable");
        Temporary(path)
    }

    fn scenario(&self) -> Scenario {
        Scenario::new().setting("file", self.0.to_str())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn record(local: &str, peer: &str) -> Record {
    let end = |address: &str| SocketAddr::new(address.parse().expect("an address"), 443);
    Record::retransmit(end(local), end(peer))
}

fn run(scenario: Scenario) -> Outcome {
    scenario.run::<LabelNetworks>().expect("it is sound")
}

fn error(scenario: Scenario) -> String {
    let error = scenario
        .run::<LabelNetworks>()
        .expect_err("it is not sound");
    format!("{error:#}")
}

#[test]
fn the_smallest_network_of_the_peer_is_the_label() {
    let networks = Temporary::new(NETWORKS);
    for (peer, expected) in [
        ("10.200.0.1", Some("internal")),
        ("10.1.200.1", Some("office Berlin")),
        ("10.1.2.3", Some("printer")),
        ("192.0.2.1", None),
        ("2001:db8::5", Some("documentation")),
        ("2001:db9::5", Some("rest of IPv6")),
    ] {
        let local = if peer.contains(':') {
            "2001:db8::1"
        } else {
            "10.1.0.1"
        };
        let outcome = run(networks.scenario().event(record(local, peer)));
        assert_eq!(outcome.kept[0].label("peer_network"), expected, "{peer}");
        assert_eq!(outcome.kept[0].label("local_network"), None);
    }
}

#[test]
fn the_local_network_is_a_label_where_it_is_asked_for() {
    let networks = Temporary::new(NETWORKS);
    let event = || record("10.1.0.1", "10.2.0.1");
    let outcome = run(networks.scenario().setting("local", true).event(event()));
    assert_eq!(outcome.kept[0].label("peer_network"), Some("internal"));
    assert_eq!(
        outcome.kept[0].label("local_network"),
        Some("office Berlin")
    );
    let scenario = networks.scenario().setting("local", true);
    let scenario = scenario
        .setting("peer_label", "to")
        .setting("local_label", "from");
    let kept = &run(scenario.event(event())).kept[0];
    assert_eq!(
        (kept.label("from"), kept.label("to")),
        (Some("office Berlin"), Some("internal"))
    );
    assert_eq!(kept.labels.len(), 2);
}

#[test]
fn an_earlier_label_stays_where_no_network_contains_the_address() {
    let networks = Temporary::new(NETWORKS);
    let earlier = [("peer_network", "earlier")];
    let scenario = networks.scenario();
    let scenario = scenario.labelled_event(record("10.0.0.1", "192.0.2.1"), earlier);
    let scenario = scenario.labelled_event(record("10.0.0.1", "10.2.0.1"), earlier);
    let outcome = run(scenario);
    assert_eq!(outcome.kept[0].label("peer_network"), Some("earlier"));
    assert_eq!(outcome.kept[1].label("peer_network"), Some("internal"));
}

#[test]
fn an_error_of_a_line_has_file_and_number() {
    for (line, expected) in [
        (
            &b"10.1.2.3/8 a"[..],
            "10.1.2.3/8 has bits after the first 8: expected 10.0.0.0/8",
        ),
        (
            b"10.0.0.0/33 a",
            "10.0.0.0/33 has too many bits: expected at most 32",
        ),
        (
            b"office 10.0.0.0/8",
            "\"office\" is not a network: expected an address",
        ),
        (b"10.0.0.0/8", "expected a name after 10.0.0.0/8"),
        (b"10.0.0.0/8 # office", "expected a name after 10.0.0.0/8"),
        (
            b"10.0.0.0/8 a\x1bb",
            "expected a name without control characters",
        ),
        (b"10.0.0.0/8 \xff", "expected text in UTF-8"),
        (
            b"192.0.2.0/24 b",
            "192.0.2.0/24 has two names, \"a\" and \"b\"",
        ),
        (
            &[&b"10.0.0.0/8 "[..], &[b'a'; 129]].concat(),
            "expected a name of at most 128 bytes",
        ),
    ] {
        let networks = Temporary::new([b"192.0.2.0/24 a\n\n", line, b"\n::/0 b"].concat());
        let error = error(networks.scenario());
        let place = format!("file: {}: line 3: ", networks.0.display());
        assert!(error.starts_with(&place), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_network_may_occur_twice_with_the_same_name() -> Result<()> {
    let networks = file::parse(&b"\xef\xbb\xbf10.0.0.0/8 a\n10.0.0.0/8   a"[..])?;
    assert_eq!(networks.len(), 1);
    assert!(file::parse(&b""[..])?.is_empty());
    Ok(())
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_grant_that_it_needs() {
    let error = error(Scenario::new().setting("file", "/no/such/file"));
    assert!(
        error.starts_with("file: /no/such/file: cannot open it; "),
        "{error}"
    );
    assert!(error.contains("--allow read=DIR"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let networks = Temporary::new(NETWORKS);
    assert_eq!(error(Scenario::new()), "missing field `file`");
    let scenario = || networks.scenario();
    for (scenario, expected) in [
        (
            scenario().setting("file", ""),
            "file: expected the path of a file of networks",
        ),
        (
            scenario().setting("peer_label", ""),
            "peer_label: expected a key of 1 to 64 bytes",
        ),
        (
            scenario().setting("local_label", ""),
            "local_label: expected a key of 1 to 64 bytes",
        ),
        (
            scenario().setting("peer_label", "a".repeat(65)),
            "peer_label: expected a key of 1 to 64 bytes",
        ),
        (
            // 33 characters, each of two bytes.
            scenario().setting("local_label", "ä".repeat(33)),
            "local_label: expected a key of 1 to 64 bytes",
        ),
        (
            scenario()
                .setting("local", true)
                .setting("local_label", "peer_network"),
            "local_label: expected another key than peer_label, \"peer_network\"",
        ),
    ] {
        assert_eq!(error(scenario), expected);
    }
}

#[test]
fn the_largest_labels_of_a_call_are_within_the_hosts_limit() {
    // The host allows 128 KiB for the events of a call, and counts the key for each event.
    let name = "n".repeat(file::MAX_NAME);
    let networks = Temporary::new(format!("::/0 {name}\n0.0.0.0/0 {name}\n"));
    let scenario = networks.scenario().setting("local", true);
    let scenario = scenario.setting("peer_label", "p".repeat(64));
    let scenario = scenario.setting("local_label", "l".repeat(64));
    let outcome = run(scenario.events((0..256).map(|_| record("10.0.0.1", "10.0.0.2"))));
    let labels = outcome.kept.iter().flat_map(|kept| &kept.labels);
    let bytes: usize = labels.map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(bytes, 256 * 2 * (64 + 128));
    assert!(bytes <= 128 << 10);
}

#[test]
fn a_file_is_bounded_in_size_and_number_of_networks() {
    let line = [&[b'#'; 1_023][..], b"\n"].concat();
    let refused = |text: &[u8]| format!("{:#}", file::parse(text).expect_err("it is too large"));
    assert_eq!(
        refused(&line.repeat((64 << 20) / line.len() + 1)),
        "expected at most 67108864 bytes"
    );
    let many: String = (0..=1_000_000_u32)
        .map(|number| format!("{} a\n", std::net::Ipv4Addr::from_bits(number)))
        .collect();
    assert_eq!(
        refused(many.as_bytes()),
        "line 1000001: expected at most 1000000 networks"
    );
}
