//! Records made by hand, and addresses that are set with their ports.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::Process;
use retrans_event::Record;
use retrans_event::TcpState;

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn addresses_are_set_with_port_and_version() {
    let mut record = Record::new();
    record.set_peer(end("10.0.0.2:443"));
    record.set_local(end("10.0.0.1:33000"));
    assert_eq!(record.peer(), end("10.0.0.2:443"));
    assert_eq!(record.local(), end("10.0.0.1:33000"));
    assert_eq!((record.ip_version(), record.is_ipv4()), (4, true));
    record.set_local(end("[2001:db8::1]:33001"));
    record.set_peer(end("[2001:db8::2]:80"));
    assert_eq!(record.local(), end("[2001:db8::1]:33001"));
    assert_eq!(record.peer(), end("[2001:db8::2]:80"));
    assert_eq!((record.ip_version(), record.is_ipv4()), (6, false));
}

#[test]
fn the_address_that_is_set_last_decides_the_version() {
    let mut record = Record::new();
    record.set_peer(end("10.0.0.2:443"));
    assert_eq!((record.local(), record.ip_version()), (end("0.0.0.0:0"), 4));
    record.set_local(end("[2001:db8::1]:33000"));
    assert_eq!(record.peer(), end("[::]:443"));
    assert_eq!(
        (record.local(), record.ip_version()),
        (end("[2001:db8::1]:33000"), 6)
    );
    record.set_peer(end("10.0.0.2:443"));
    assert_eq!(
        (record.local(), record.ip_version()),
        (end("0.0.0.0:33000"), 4)
    );
}

#[test]
fn a_mapped_address_is_ipv4() {
    let mut record = Record::new();
    record.set_local(end("10.0.0.1:1"));
    record.set_peer(end("[::ffff:10.0.0.2]:443"));
    assert_eq!(record.peer(), end("10.0.0.2:443"));
    assert_eq!(
        (record.local(), record.ip_version()),
        (end("10.0.0.1:1"), 4)
    );
}

#[test]
fn a_record_by_hand_has_what_is_set() {
    let process = Process {
        uid: Some(33),
        ..Process::new(42, "nginx")
    };
    let record = Record::retransmit(end("10.0.0.1:33000"), end("10.0.0.2:443"))
        .with_time(Duration::from_secs(60))
        .with_process(process)
        .with(|event| event.set_mark(Some(7)));
    assert_eq!(
        (record.kind(), record.state()),
        (Kind::Fast, TcpState::Established)
    );
    assert_eq!(
        (record.segments(), record.mark(), record.sent()),
        (Some(1), Some(7), true)
    );
    assert_eq!(record.time(), Duration::from_secs(60));
    assert_eq!(
        record.owner(),
        Owner::Held {
            process,
            holders: 1
        }
    );
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["timestamp"], "2026-01-01T00:01:00.000000000Z");
    let other = record
        .with_kind(Kind::Syn)
        .with_state(TcpState::SynSent)
        .with_segments(0);
    let other = other.with_owner(&Owner::Kernel);
    assert_eq!(
        (other.kind(), other.state()),
        (Kind::Syn, TcpState::SynSent)
    );
    assert_eq!((other.segments(), other.owner()), (Some(0), Owner::Kernel));
}

#[test]
fn a_long_name_of_a_process_is_cut_off() {
    let name = |text| Process::new(1, text).comm.to_string();
    assert_eq!(name("kworker/0:1-events_long"), "kworker/0:1-even");
    assert_eq!(name("fifteen-and-one\u{e9}"), "fifteen-and-one");
    assert_eq!(name(""), "");
}

#[test]
fn names_are_in_the_order_of_their_text() {
    let mut names: Vec<Name> = ["b", "", "ab", "a"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    names.sort();
    assert!(names.iter().map(Name::as_str).eq(["", "a", "ab", "b"]));
}
