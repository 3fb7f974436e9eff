//! Synthetic events from a seed: bursts of every kind but `unknown`, over both IP versions.
//!
//! The same seed gives the same events on every machine and with every later version of this crate; a
//! later version may add fields to them.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::build::BOOT;
use crate::name::Name;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::owner::Owner;
use crate::owner::Process;
use crate::record::Record;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

/// An endless stream of synthetic events.
#[derive(Debug, Clone)]
pub struct Synth {
    random: SplitMix,
    connections: u64,
    sequence: u64,
    now: Duration,
    burst: Burst,
}

/// Payload of a full segment in bytes.
const MSS: u32 = 1_448;

/// Segments in flight on a connection that sends data.
const IN_FLIGHT: u32 = 20;

/// Limit up to which the kernel doubles the timeout (TCP_RTO_MAX).
const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Consecutive retransmits of one connection.
#[derive(Debug, Clone, Copy)]
struct Burst {
    connection: u64,
    kind: Kind,
    length: u32,
    sent: u32,
}

impl Synth {
    /// Events of 1,000 connections.
    pub fn new(seed: u64) -> Synth {
        Synth::with_connections(seed, 1_000)
    }

    /// Events of this number of connections (at least one), a third of them over IPv6.
    pub fn with_connections(seed: u64, connections: u64) -> Synth {
        let mut synth = Synth {
            random: SplitMix(seed),
            connections: connections.max(1),
            sequence: 0,
            now: Duration::from_secs(1_000),
            burst: Burst {
                connection: 0,
                kind: Kind::Unknown,
                length: 0,
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
                85..94 => Kind::TailLossProbe,
                94..98 => Kind::Syn,
                _ => Kind::SynAck,
            },
            length: 1 + self.random.below(12) as u32,
            sent: 0,
        };
        self.now += Duration::from_micros(self.random.below(20_000));
    }

    fn record(&mut self) -> Record {
        let mut record = Record::new();
        record.set_sequence(self.sequence);
        record.set_cpu_sequence(self.sequence + 1);
        record.set_time(self.now);
        record.set_wall_time(BOOT + self.now);
        record.set_kind(self.burst.kind);
        record.set_error(Some(SendError(0)));
        record.set_sent(Some(true));
        set_connection(&mut record, self.burst.connection);
        set_owner(&mut record, &self.burst);
        set_evidence(&mut record, &self.burst);
        set_progress(&mut record, &self.burst);
        set_window(&mut record, &self.burst);

        record.set_cwnd(Some(match self.burst.kind {
            Kind::Timeout | Kind::Syn | Kind::SynAck => 1,
            _ => 1 + self.random.below(20) as u32,
        }));
        // A connection that is not established yet has no round-trip time.
        let mut timeout = Duration::from_secs(1);
        if !self.burst.is_handshake() {
            let rtt = Duration::from_micros(200 + self.random.below(80_000));
            record.set_srtt(Some(rtt));
            record.set_rttvar(Some(rtt / 4));
            record.set_min_rtt(Some(rtt / 2));
            record.set_ssthresh(Some(10));
            timeout = Duration::from_millis(200) + rtt;
        }
        let backoff = u32::from(record.backoff().unwrap_or(0));
        record.set_rto(Some((timeout * (1 << backoff)).min(MAX_TIMEOUT)));
        record
    }
}

impl Burst {
    fn is_handshake(&self) -> bool {
        matches!(self.kind, Kind::Syn | Kind::SynAck)
    }

    /// Does the same timer expire repeatedly, so that each event is about the same segment?
    fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout || self.is_handshake()
    }

    /// Index of the segment among those in flight.
    fn segment(&self) -> u32 {
        match self.kind {
            Kind::TailLossProbe => IN_FLIGHT - 1,
            _ if self.is_timeout() => 0,
            _ => self.sent,
        }
    }

    /// First sequence number in flight.
    fn first(&self) -> u32 {
        (self.connection as u32).wrapping_mul(0x9e37_79b9)
    }
}

impl Iterator for Synth {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.burst.sent == self.burst.length {
            self.begin_burst();
        }
        let record = self.record();
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
    // Among more than 65,536 connections some have the same addresses: those have different ports.
    record.set_local_port(32_768 | (low ^ (connection >> 16) as u16));
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

/// Most connections are held by one of 97 processes, a third of which are in a container.
fn set_owner(record: &mut Record, burst: &Burst) {
    let programs = ["nginx", "postgres", "redis-server", "curl"];
    let number = burst.connection % 97;
    let comm = programs[number as usize % programs.len()];
    let process = Process {
        pid: 1_000 + number as u32,
        comm: comm.parse().unwrap_or_default(),
        uid: Some((number % 5) as u32 * 1_000),
        container: number.is_multiple_of(3).then(|| container(number % 12)),
    };
    let owner = match burst.connection % 32 {
        _ if burst.kind == Kind::SynAck => Owner::NotAccepted {
            listener: Some(process),
        },
        30 => Owner::Unknown,
        31 => Owner::Orphaned {
            last: Some(process),
        },
        _ => Owner::Held {
            process,
            holders: 1,
        },
    };
    record.set_owner(&owner);
    if burst.kind == Kind::SynAck {
        record.set_fast_open(Some(false));
        record.set_listener_inode(Some(90_000 + number));
    }
}

/// The first 12 digits of a container's id.
fn container(number: u64) -> Name {
    let id = SplitMix(number).next();
    let mut digits = [0; Name::MAX];
    for (place, digit) in digits[..12].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(id >> (4 * place)) as usize % 16];
    }
    Name::from_bytes(digits)
}

/// The evidence from which [`crate::Event::classify`] determines the kind of the burst.
fn set_evidence(record: &mut Record, burst: &Burst) {
    use TcpState::Established;

    const SYN: TcpFlags = TcpFlags(0x02);
    const SYN_ACK: TcpFlags = TcpFlags(0x12);
    const ACK: TcpFlags = TcpFlags(0x10);
    const PSH_ACK: TcpFlags = TcpFlags(0x18);
    let (state, flags, ca_state, timer) = match burst.kind {
        Kind::Syn => (TcpState::SynSent, SYN, CaState::Loss, Timer::None),
        Kind::SynAck => (TcpState::SynRecv, SYN_ACK, CaState::Loss, Timer::None),
        Kind::Timeout => (Established, PSH_ACK, CaState::Loss, Timer::None),
        Kind::LossRecovery => (Established, ACK, CaState::Loss, Timer::Retransmit),
        Kind::TailLossProbe => (Established, PSH_ACK, CaState::Open, Timer::LossProbe),
        _ => (Established, ACK, CaState::Recovery, Timer::Retransmit),
    };
    record.set_state(state);
    record.set_tcp_flags(Some(flags));
    record.set_ca_state(Some(ca_state));
    record.set_timer(Some(timer));
    record.set_timer_expired((timer == Timer::LossProbe).then_some(true));
    record.set_tlp_high_seq(Some(0));
    record.set_undo_marker(Some(match ca_state {
        CaState::Open => 0,
        _ => burst.first(),
    }));
    // A burst has at most 12 events.
    let timeouts = burst.sent as u8;
    record.set_retransmits(Some(if burst.is_timeout() { timeouts + 1 } else { 0 }));
    record.set_backoff(Some(if burst.is_timeout() { timeouts } else { 0 }));
    let lost = if ca_state == CaState::Open { 0 } else { 0x04 };
    let again = burst.is_timeout() && burst.sent > 0;
    record.set_sacked(Some(if again { lost | 0x80 } else { lost }));
}

/// Counters of the data sent so far, and the segment that is sent again.
fn set_progress(record: &mut Record, burst: &Burst) {
    let (payload, in_flight) = if burst.is_handshake() {
        (0, 1)
    } else {
        (MSS, IN_FLIGHT * MSS)
    };
    let seq = burst.first().wrapping_add(burst.segment() * MSS);
    record.set_segments(Some(1));
    record.set_length(Some(payload));
    record.set_seq(Some(seq));
    // A SYN takes one sequence number.
    record.set_end_seq(Some(seq.wrapping_add(payload.max(1))));
    record.set_snd_una(Some(burst.first()));
    record.set_snd_nxt(Some(burst.first().wrapping_add(in_flight)));

    let retransmits = burst.sent + 1;
    let (delivered, segments) = if burst.is_handshake() {
        (0, 0)
    } else {
        let delivered = 1 + (burst.connection % 10_000) as u32;
        (delivered, delivered + IN_FLIGHT + retransmits)
    };
    record.set_total_retrans(Some(retransmits));
    record.set_delivered(Some(delivered));
    record.set_data_segs_out(Some(segments));
    record.set_bytes_sent(Some(u64::from(segments) * u64::from(MSS)));
    record.set_bytes_retrans(Some(u64::from(retransmits) * u64::from(payload)));
}

/// Segments in flight, and the limits for them.
fn set_window(record: &mut Record, burst: &Burst) {
    let in_flight = if burst.is_handshake() { 1 } else { IN_FLIGHT };
    let (lost, sacked, retransmitted) = match burst.kind {
        Kind::Fast => (burst.length, in_flight - burst.length, burst.sent),
        Kind::LossRecovery => (in_flight, 0, burst.sent),
        Kind::TailLossProbe => (0, 0, 0),
        _ => (in_flight, 0, 0),
    };
    record.set_mss(Some(MSS));
    record.set_snd_wnd(Some(65_536));
    record.set_packets_out(Some(in_flight));
    record.set_lost_out(Some(lost));
    record.set_sacked_out(Some(sacked));
    record.set_retrans_out(Some(retransmitted));
    record.set_dsack_dups(Some(0));
    record.set_reord_seen(Some(0));
}

/// SplitMix64 (Steele, Lea and Flood, 2014). Must never change: seeds must give the same events.
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

    /// A number below `limit`. Panics where `limit` is 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
