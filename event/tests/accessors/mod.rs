//! The accessors of every field in the table, by the field's name.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

use retrans_event::CaState;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::OwnerStatus;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;

/// The accessors of one field.
pub struct Accessor {
    pub name: &'static str,
    /// Sets the field to a value that no other field is set to. None of its bytes is 0.
    pub set: fn(&mut Event),
    /// Does the getter return that value?
    pub holds: fn(&Event) -> bool,
    /// Makes the field absent. Does nothing for a field that every record has.
    pub clear: fn(&mut Event),
    pub is_absent: fn(&Event) -> bool,
}

fn name(text: &str) -> Name {
    text.parse().expect("sixteen bytes")
}

fn address(byte: u8) -> IpAddr {
    Ipv6Addr::from([byte; 16]).into()
}

macro_rules! accessors {
    (
        always { $($name:ident: $get:ident, $set:ident, $value:expr;)+ }
        maybe { $($may_name:ident: $may_get:ident, $may_set:ident, $may_value:expr;)+ }
    ) => {
        pub const ACCESSORS: &[Accessor] = &[
            $(Accessor {
                name: stringify!($name),
                set: |event| event.$set($value),
                holds: |event| event.$get() == $value,
                clear: |_| (),
                is_absent: |_| false,
            },)+
            $(Accessor {
                name: stringify!($may_name),
                set: |event| event.$may_set(Some($may_value)),
                holds: |event| event.$may_get() == Some($may_value),
                clear: |event| event.$may_set(None),
                is_absent: |event| event.$may_get().is_none(),
            },)+
        ];
    };
}

accessors! {
    always {
        size: size, set_size, 0x4122_3344;
        cpu: cpu, set_cpu, 0x4222_3344;
        sequence: sequence, set_sequence, 0x4322_3344_5566_7788;
        boot_time_ns: time, set_time, Duration::from_nanos(0x4422_3344_5566_7788);
        wall_time_ns: wall_time, set_wall_time, Duration::from_nanos(0x4522_3344_5566_7788);
        cpu_sequence: cpu_sequence, set_cpu_sequence, 0x4622_3344_5566_7788;
        local_address: local_address, set_local_address, address(0x47);
        peer_address: peer_address, set_peer_address, address(0x48);
        local_port: local_port, set_local_port, 0x4922;
        peer_port: peer_port, set_peer_port, 0x4a22;
        ip_version: ip_version, set_ip_version, 0x4b;
        state: state, set_state, TcpState::Other(0x4c);
        kind: kind, set_kind, Kind::Other(0x4d);
        origin: tracepoint, set_tracepoint, Tracepoint::Other(0x4e);
    }
    maybe {
        error: error, set_error, SendError(0x4f22_3344);
        seq: seq, set_seq, 0x5022_3344;
        end_seq: end_seq, set_end_seq, 0x5122_3344;
        length: length, set_length, 0x5222_3344;
        segments: segments, set_segments, 0x5322_3344;
        tcp_flags: tcp_flags, set_tcp_flags, TcpFlags(0x5422);
        sacked: sacked, set_sacked, 0x55;
        ca_state: ca_state, set_ca_state, CaState::Other(0x56);
        timer: timer, set_timer, Timer::Other(0x57);
        retransmits: retransmits, set_retransmits, 0x58;
        backoff: backoff, set_backoff, 0x59;
        family: family, set_family, 0x5a;
        tlp_high_seq: tlp_high_seq, set_tlp_high_seq, 0x5b22_3344;
        undo_marker: undo_marker, set_undo_marker, 0x5c22_3344;
        srtt_us: srtt, set_srtt, Duration::from_micros(0x5d22_3344);
        rttvar_us: rttvar, set_rttvar, Duration::from_micros(0x5e22_3344);
        min_rtt_us: min_rtt, set_min_rtt, Duration::from_micros(0x5f22_3344);
        rto_us: rto, set_rto, Duration::from_micros(0x6022_3344);
        cwnd: cwnd, set_cwnd, 0x6122_3344;
        ssthresh: ssthresh, set_ssthresh, 0x6222_3344;
        mss: mss, set_mss, 0x6322_3344;
        packets_out: packets_out, set_packets_out, 0x6422_3344;
        lost_out: lost_out, set_lost_out, 0x6522_3344;
        sacked_out: sacked_out, set_sacked_out, 0x6622_3344;
        retrans_out: retrans_out, set_retrans_out, 0x6722_3344;
        snd_una: snd_una, set_snd_una, 0x6822_3344;
        snd_nxt: snd_nxt, set_snd_nxt, 0x6922_3344;
        snd_wnd: snd_wnd, set_snd_wnd, 0x6a22_3344;
        total_retrans: total_retrans, set_total_retrans, 0x6b22_3344;
        data_segs_out: data_segs_out, set_data_segs_out, 0x6c22_3344;
        delivered: delivered, set_delivered, 0x6d22_3344;
        dsack_dups: dsack_dups, set_dsack_dups, 0x6e22_3344;
        reord_seen: reord_seen, set_reord_seen, 0x6f22_3344;
        bytes_sent: bytes_sent, set_bytes_sent, 0x7022_3344_5566_7788;
        bytes_retrans: bytes_retrans, set_bytes_retrans, 0x7122_3344_5566_7788;
        congestion_control: congestion_control, set_congestion_control, name("sixteen-bytes-72");
        netns_inode: netns_inode, set_netns_inode, 0x7322_3344;
        mark: mark, set_mark, 0x7422_3344;
        netns_cookie: netns_cookie, set_netns_cookie, 0x7522_3344_5566_7788;
        cgroup_id: cgroup_id, set_cgroup_id, 0x7622_3344_5566_7788;
        uid: uid, set_uid, 0x7722_3344;
        interface: interface, set_interface, 0x7822_3344;
        socket_cookie: socket_cookie, set_socket_cookie, 0x7922_3344_5566_7788;
        socket_inode: socket_inode, set_socket_inode, 0x7a22_3344_5566_7788;
        owner_pid: owner_pid, set_owner_pid, 0x7b22_3344;
        sent: sent_if_known, set_sent, true;
        fast_open: fast_open, set_fast_open, true;
        timer_expired: timer_expired, set_timer_expired, true;
        owner_status: owner_status, set_owner_status, OwnerStatus::Other(0x7c);
        owner_comm: owner_comm, set_owner_comm, name("sixteen-bytes-7d");
        owner_uid: owner_uid, set_owner_uid, 0x7e22_3344;
        owner_holders: owner_holders, set_owner_holders, 0x7f22_3344;
        owner_container: owner_container, set_owner_container, name("sixteen-bytes-80");
        listener_inode: listener_inode, set_listener_inode, 0x8122_3344_5566_7788;
        last_pid: last_pid, set_last_pid, 0x8222_3344;
        last_comm: last_comm, set_last_comm, name("sixteen-bytes-83");
        last_uid: last_uid, set_last_uid, 0x8422_3344;
        last_container: last_container, set_last_container, name("sixteen-bytes-85");
    }
}
