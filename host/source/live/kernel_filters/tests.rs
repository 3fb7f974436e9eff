//! Compares the filters of the probe, compiled for user space, with those of a replay.

use std::cell::Cell;
use std::cell::RefCell;
use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::sample::subsequence;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;
use retrans_event::CaState;
use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;
use tempfile::TempDir;

use super::*;
use crate::filter::Filters;
use crate::filter::IpVersion;
use crate::filter::OwnerFilter;
use crate::filter::networks::parse;
use crate::filter::ports::PortRange;
use crate::filter::ports::Ports;
use crate::source::bpf::retrans::types::retrans_subject;

/// Bits of an answer, as in `bpf/tests/filter.c`.
const ADMITTED: u8 = 1;
const IN_SAMPLE: u8 = 2;

/// Few values of each kind, so that filters and events often meet, and their neighbours.
const ADDRESSES: [&str; 12] = [
    "0.0.0.0",
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "11.0.0.0",
    "192.0.2.7",
    "255.255.255.255",
    "::",
    "2001:db8::",
    "2001:db8::1",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const PORTS: [u16; 9] = [0, 1, 63, 64, 443, 444, 8000, 65534, 65535];
const NAMESPACES: [u32; 3] = [4_026_531_840, 4_026_532_260, u32::MAX];

/// The probe's filters as a running program.
struct Native {
    program: Child,
    _directory: TempDir,
}

impl Native {
    fn start() -> Native {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("filter");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf/tests/filter.c");
        let compiled = Command::new("clang")
            .args(["-O2", "-Wall", "-Werror", "-fsanitize=undefined"])
            .arg("-fsanitize-trap=undefined")
            .arg(source)
            .arg("-o")
            .arg(&program)
            .status();
        assert!(compiled.expect("clang runs").success());
        let program = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Native {
            program: program.expect("it runs"),
            _directory: directory,
        }
    }

    /// The answers of the probe's filters for these events.
    fn ask(&mut self, filters: &retrans_filters, events: &[Record]) -> Vec<u8> {
        let mut answers = vec![0; events.len()];
        let stdin = self.program.stdin.as_mut().expect("it is piped");
        let stdout = self.program.stdout.as_mut().expect("it is piped");
        let mut question = bytes(filters).to_vec();
        question.extend((events.len() as u32).to_ne_bytes());
        for event in events {
            question.extend(bytes(&subject(event)));
        }
        stdin.write_all(&question).expect("it reads");
        stdin.flush().expect("it reads");
        stdout.read_exact(&mut answers).expect("it answers");
        answers
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}

/// The bytes of a type of the probe.
fn bytes<T>(value: &T) -> &[u8] {
    // SAFETY: types of the probe consist of numbers, and build.rs would refuse padding that C does not have; the
    // slice has the length and the lifetime of the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The facts that the probe would read for this event.
fn subject(event: &Record) -> retrans_subject {
    let address = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let (local, peer) = (event.local(), event.peer());
    retrans_subject {
        local_address: address(local.ip()),
        peer_address: address(peer.ip()),
        cookie: event.socket_cookie().unwrap_or(0),
        netns_inode: event.netns_inode().unwrap_or(0),
        end_seq: event.end_seq().unwrap_or(0),
        snd_nxt: event.snd_nxt().unwrap_or(0),
        tlp_high_seq: event.tlp_high_seq().unwrap_or(0),
        local_port: local.port(),
        peer_port: peer.port(),
        tcp_flags: event.tcp_flags().unwrap_or_default().0,
        ip_version: if event.is_ipv4() { 4 } else { 6 },
        state: event.state().number(),
        origin: event.tracepoint().number(),
        ca_state: event.ca_state().map_or(0, CaState::number),
        timer: event.timer().map_or(0, Timer::number),
        timer_expired: event.timer_expired().map_or(2, u8::from),
        ..retrans_subject::default()
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    let known = select(&ADDRESSES[..]).prop_map(|text| text.parse().expect("an address"));
    prop_oneof![3 => known, 1 => any::<IpAddr>()]
}

prop_compose! {
    /// A network around one of the addresses.
    fn network()(address in address(), length in 0..=128u8) -> String {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        format!("{address}/{}", length.min(longest))
    }
}

fn networks() -> impl Strategy<Value = Networks> {
    vec(network(), 0..6).prop_map(|texts| {
        let networks = texts.iter().map(|text| parse(text).expect("a network"));
        Networks::new(networks.collect()).expect("few enough")
    })
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![3 => select(&PORTS[..]), 1 => any::<u16>()]
}

fn ports() -> impl Strategy<Value = Ports> {
    let range = (port(), port())
        .prop_map(|(one, other)| PortRange::new(one.min(other), one.max(other)).expect("in order"));
    vec(range, 0..3).prop_map(Ports::new)
}

prop_compose! {
    fn filters()(
        ip_version in option::of(select(&[IpVersion::V4, IpVersion::V6][..])),
        ports in ports(),
        local_ports in ports(),
        peer_ports in ports(),
        locals in networks(),
        peers in networks(),
        kinds in subsequence(Kind::ALL.to_vec(), 0..=Kind::ALL.len()),
        states in subsequence(TcpState::ALL.to_vec(), 0..=TcpState::ALL.len()),
        netns in subsequence(NAMESPACES.to_vec(), 0..=NAMESPACES.len()),
        sample in option::of(1..5u32),
        // With all filters in use, hardly any event passes.
        used in any::<u16>(),
    ) -> Filters {
        let all = Filters {
            ip_version, ports, local_ports, peer_ports, locals, peers, kinds, states, netns,
            sample: sample.and_then(std::num::NonZeroU32::new),
            owner: OwnerFilter::default(),
        };
        let none = Filters::default();
        let is_used = |bit: u16| used >> bit & 1 == 1;
        Filters {
            ip_version: if is_used(0) { all.ip_version } else { none.ip_version },
            ports: if is_used(1) { all.ports } else { none.ports },
            local_ports: if is_used(2) { all.local_ports } else { none.local_ports },
            peer_ports: if is_used(3) { all.peer_ports } else { none.peer_ports },
            locals: if is_used(4) { all.locals } else { none.locals },
            peers: if is_used(5) { all.peers } else { none.peers },
            kinds: if is_used(6) { all.kinds } else { none.kinds },
            states: if is_used(7) { all.states } else { none.states },
            netns: if is_used(8) { all.netns } else { none.netns },
            ..all
        }
    }
}

prop_compose! {
    fn event()(
        is_ipv4 in any::<bool>(),
        (local, peer) in (address(), address()),
        (local_port, peer_port) in (port(), port()),
        is_synack in prop::bool::weighted(0.1),
        state in 0..14u8,
        flags in prop_oneof![3 => Just(0x10), 1 => 0..0x200u16],
        (ca_state, timer, expired) in (0..6u8, 0..7u8, option::of(any::<bool>())),
        (end_seq, snd_nxt, tlp_high_seq) in (0..3u32, 0..3u32, 0..2u32),
        netns in select(&NAMESPACES[..]),
        cookie in option::of(1..1000u64),
    ) -> Record {
        // Both addresses are of one version.
        let version = |address: IpAddr| match (is_ipv4, address) {
            (true, IpAddr::V6(v6)) => IpAddr::from(v6.octets().first_chunk::<4>().copied().unwrap_or_default()),
            (false, IpAddr::V4(v4)) => IpAddr::from((u128::from(v4.to_bits()) << 96).to_be_bytes()),
            (_, address) => address,
        };
        let mut event = Record::new();
        event.set_time(Duration::from_secs(1));
        event.set_local_address(version(local));
        event.set_peer_address(version(peer));
        event.set_local_port(local_port);
        event.set_peer_port(peer_port);
        event.set_tracepoint(if is_synack { Tracepoint::RetransmitSynack } else { Tracepoint::RetransmitSkb });
        event.set_state(TcpState::from_number(state));
        event.set_tcp_flags(Some(TcpFlags(flags)));
        event.set_ca_state(Some(CaState::from_number(ca_state)));
        event.set_timer(Some(Timer::from_number(timer)));
        event.set_timer_expired(expired);
        event.set_end_seq(Some(end_seq));
        event.set_snd_nxt(Some(snd_nxt));
        event.set_tlp_high_seq(Some(tlp_high_seq));
        event.set_netns_inode(Some(netns));
        event.set_socket_cookie(cookie);
        let kind = event.classify();
        event.set_kind(kind);
        event
    }
}

#[test]
fn the_probe_admits_what_a_replay_admits() {
    let native = RefCell::new(Native::start());
    let [admitted, refused] = [Cell::new(0), Cell::new(0)];
    let config = Config {
        cases: 1000,
        failure_persistence: None,
        ..Config::default()
    };
    let cases = (filters(), vec(event(), 1..50));
    TestRunner::new(config)
        .run(&cases, |(filters, events)| {
            let live = LiveFilters {
                common: filters.clone(),
                ..LiveFilters::default()
            };
            let mut of_probe = retrans_filters::default();
            write(&live, &mut of_probe);
            for (event, answer) in events
                .iter()
                .zip(native.borrow_mut().ask(&of_probe, &events))
            {
                let expected = [
                    (ADMITTED, filters.admit(event)),
                    (IN_SAMPLE, filters.is_in_sample(event)),
                ];
                for (bit, expected) in expected {
                    prop_assert_eq!(answer & bit != 0, expected, "{:?} {:?}", bit, event);
                }
                let counter = if filters.admit(event) {
                    &admitted
                } else {
                    &refused
                };
                counter.set(counter.get() + 1);
            }
            Ok(())
        })
        .expect("both agree");
    // Both answers were compared often enough.
    assert!(
        admitted.get() > 1000 && refused.get() > 1000,
        "{admitted:?} {refused:?}"
    );
}
