//! Made-up events: seeded, in bursts, of several kinds, over both IP versions.
//!
//! The same seed gives the same events on every machine and with every version of this crate.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::names::CaState;
use crate::names::Kind;
use crate::names::Name;
use crate::names::SendError;
use crate::names::State;
use crate::names::TcpFlags;
use crate::names::Timer;
use crate::record::Record;

/// 2026-01-01T00:00:00Z, when the made-up machine booted.
const BOOT: Duration = Duration::from_secs(1_767_225_600);

/// An endless stream of made-up events.
#[derive(Debug, Clone)]
pub struct Synth {
    random: SplitMix,
    connections: u64,
    sequence: u64,
    now: Duration,
    burst: Burst,
}

/// Retransmits of one connection that follow each other closely.
#[derive(Debug, Clone, Copy)]
struct Burst {
    connection: u64,
    kind: Kind,
    left: u64,
    sent: u32,
}

impl Synth {
    /// Events of 1,000 connections.
    pub fn new(seed: u64) -> Synth {
        Synth::with_connections(seed, 1_000)
    }

    /// Events of so many connections (at least one), a third of them over IPv6.
    pub fn with_connections(seed: u64, connections: u64) -> Synth {
        let mut synth = Synth {
            random: SplitMix(seed),
            connections: connections.max(1),
            sequence: 0,
            now: Duration::from_secs(1_000),
            burst: Burst {
                connection: 0,
                kind: Kind::Fast,
                left: 0,
                sent: 0,
            },
        };
        synth.begin_burst();
        synth
    }

    fn begin_burst(&mut self) {
        self.burst = Burst {
            connection: self.random.below(self.connections),
            kind: match self.random.below(100) {
                0..50 => Kind::Fast,
                50..70 => Kind::LossRecovery,
                70..85 => Kind::Timeout,
                85..95 => Kind::TailLossProbe,
                _ => Kind::Syn,
            },
            left: 1 + self.random.below(12),
            sent: 0,
        };
        self.now += Duration::from_micros(self.random.below(20_000));
    }

    fn record(&mut self) -> Record {
        let Burst {
            connection,
            kind,
            sent,
            ..
        } = self.burst;
        let mut record = Record::new();
        record.set_sequence(self.sequence);
        record.set_cpu_sequence(self.sequence + 1);
        record.set_time(self.now);
        record.set_wall_time(BOOT + self.now);
        record.set_kind(kind);
        record.set_error(Some(SendError(0)));
        set_connection(&mut record, connection);
        set_evidence(&mut record, kind);

        let base = (connection as u32).wrapping_mul(0x9e37_79b9);
        let seq = base.wrapping_add(sent * 1448);
        let length = if kind == Kind::Syn { 0 } else { 1448 };
        record.set_segments(Some(1));
        record.set_length(Some(length));
        record.set_seq(Some(seq));
        let end_seq = seq.wrapping_add(length.max(1));
        record.set_end_seq(Some(end_seq));
        record.set_snd_una(Some(base));
        record.set_snd_nxt(Some(match kind {
            Kind::TailLossProbe => end_seq,
            _ => seq.wrapping_add(20 * 1448),
        }));
        if kind != Kind::Syn {
            let rtt = Duration::from_micros(200 + self.random.below(80_000));
            record.set_srtt(Some(rtt));
            record.set_rttvar(Some(rtt / 4));
            record.set_min_rtt(Some(rtt / 2));
            record.set_rto(Some(Duration::from_millis(200) + rtt));
            record.set_ssthresh(Some(10));
        }
        record.set_cwnd(Some(1 + self.random.below(20) as u32));
        record.set_mss(Some(1448));
        record.set_packets_out(Some(20));
        record.set_retrans_out(Some(sent));
        record.set_total_retrans(Some(sent + 1));
        record.set_bytes_retrans(Some(u64::from(sent + 1) * u64::from(length)));
        record
    }
}

impl Iterator for Synth {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.burst.left == 0 {
            self.begin_burst();
        }
        let record = self.record();
        self.burst.left -= 1;
        self.burst.sent += 1;
        self.sequence += 1;
        self.now += Duration::from_micros(1 + self.random.below(50));
        Some(record)
    }
}

fn set_connection(record: &mut Record, connection: u64) {
    let low = connection as u16;
    let (local, peer): (IpAddr, IpAddr) = if connection % 3 == 2 {
        // 2001:db8::/32 is for documentation (RFC 3849).
        record.set_ip_version(6);
        let host = |net| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, (connection >> 16) as u16, low);
        (host(1).into(), host(2).into())
    } else {
        record.set_ip_version(4);
        let host = |net| Ipv4Addr::new(10, net, (connection >> 8) as u8, connection as u8);
        (host(1).into(), host(2).into())
    };
    record.set_local_address(local);
    record.set_peer_address(peer);
    record.set_local_port(32_768 | low);
    record.set_peer_port([443, 5432, 6379, 8080][connection as usize % 4]);
    record.set_family(Some(if connection % 3 == 2 { 10 } else { 2 }));
    record.set_netns_inode(Some(4_026_531_840 + (connection % 4) as u32));
    record.set_netns_cookie(Some(1 + connection % 4));
    record.set_socket_inode(Some(100_000 + connection));
    record.set_socket_cookie(Some(4_096 + connection));
    record.set_cgroup_id(Some(1_000 + connection % 16));
    record.set_uid(Some((connection % 5) as u32 * 1_000));
    record.set_mark(Some(0));
    record.set_congestion_control("cubic".parse::<Name>().ok());
}

/// The evidence from which [`crate::Event::classify`] comes to this kind.
fn set_evidence(record: &mut Record, kind: Kind) {
    let (state, flags, ca_state, timer) = match kind {
        Kind::Syn => (State::SynSent, TcpFlags(0x02), CaState::Loss, Timer::None),
        Kind::Timeout => (
            State::Established,
            TcpFlags(0x18),
            CaState::Loss,
            Timer::None,
        ),
        Kind::LossRecovery => (
            State::Established,
            TcpFlags(0x10),
            CaState::Loss,
            Timer::Retransmit,
        ),
        Kind::TailLossProbe => (
            State::Established,
            TcpFlags(0x18),
            CaState::Open,
            Timer::LossProbe,
        ),
        _ => (
            State::Established,
            TcpFlags(0x10),
            CaState::Recovery,
            Timer::Retransmit,
        ),
    };
    record.set_state(state);
    record.set_tcp_flags(Some(flags));
    record.set_ca_state(Some(ca_state));
    record.set_timer(Some(timer));
    record.set_retransmits(Some(u8::from(kind == Kind::Timeout)));
    record.set_backoff(Some(0));
    record.set_tlp_high_seq(Some(0));
}

/// SplitMix64 (Steele, Lea and Flood, 2014): five lines, and never to change.
#[derive(Debug, Clone)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
