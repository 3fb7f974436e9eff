//! The table of fields, from which everything else about the record is generated.

use core::net::IpAddr;
use core::time::Duration;

use crate::codec;
use crate::codec::Codec;
use crate::event::Event;
use crate::field::Field;
use crate::format::Format;
use crate::name::Name;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::OwnerStatus;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;
use crate::presence::PresenceBit;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

/// Size of a record of this version in bytes.
pub const RECORD_SIZE: usize = 384;

/// Numbers of the JSON form's objects, in their order.
macro_rules! object {
    ("") => {
        0
    };
    ("source") => {
        1
    };
    ("destination") => {
        2
    };
    ("record") => {
        3
    };
    ("retransmit") => {
        4
    };
    ("tcp") => {
        5
    };
    ("netns") => {
        6
    };
    ("socket") => {
        7
    };
    ("owner") => {
        8
    };
    ("owner.last") => {
        9
    };
}
#[cfg(feature = "serde")]
pub(crate) use object;

macro_rules! fields {
    (
        core { $(
            $(#[doc = $doc:literal])+
            $name:ident, $get:ident, $set:ident: $codec:ident, $value:ty, $format:ident
            @ $offset:literal, $group:tt $key:literal, $source:literal, $since:literal;
        )+ }
        optional { $(
            $(#[doc = $opt_doc:literal])+
            $opt_name:ident, $opt_get:ident, $opt_set:ident: $opt_codec:ident, $opt_value:ty, $opt_format:ident
            @ $opt_offset:literal ? $bit:literal, $opt_group:tt $opt_key:literal, $opt_source:literal, $opt_since:literal;
        )+ }
    ) => {
        /// Every field, in the order of the JSON form: the fields of one object are next to each other.
        pub const FIELDS: &[Field] = &[
            $(Field {
                name: stringify!($name),
                offset: $offset,
                size: codec::$codec::SIZE,
                format: Format::$format,
                presence_bit: None,
                json: ($group, $key),
                object: object!($group),
                number_key: concat!($key, "_number"),
                source: $source,
                since: $since,
                doc: concat!($($doc),+).trim_ascii_start(),
            },)+
            $(Field {
                name: stringify!($opt_name),
                offset: $opt_offset,
                size: codec::$opt_codec::SIZE,
                format: Format::$opt_format,
                presence_bit: Some(PresenceBit::number($bit).position()),
                json: ($opt_group, $opt_key),
                object: object!($opt_group),
                number_key: concat!($opt_key, "_number"),
                source: $opt_source,
                since: $opt_since,
                doc: concat!($($opt_doc),+).trim_ascii_start(),
            },)+
        ];

        impl Event {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("Source: ", $source, "; Linux ", $since, ".")]
                #[inline]
                pub fn $get(&self) -> $value {
                    self.core::<codec::$codec>($offset)
                }

                #[doc = concat!("Sets [`Event::", stringify!($get), "`].")]
                pub fn $set(&mut self, value: $value) {
                    self.set_core::<codec::$codec>($offset, value);
                }
            )+
            $(
                $(#[doc = $opt_doc])+
                ///
                #[doc = concat!("Source: ", $opt_source, "; Linux ", $opt_since, ".")]
                #[inline]
                pub fn $opt_get(&self) -> Option<$opt_value> {
                    const BIT: PresenceBit = PresenceBit::number($bit);
                    self.optional::<codec::$opt_codec>(BIT, $opt_offset)
                }

                #[doc = concat!("Sets [`Event::", stringify!($opt_get), "`]; `None` makes it absent. ")]
                /// Does nothing in a record that is too short for the field.
                pub fn $opt_set(&mut self, value: Option<$opt_value>) {
                    const BIT: PresenceBit = PresenceBit::number($bit);
                    self.set_optional::<codec::$opt_codec>(BIT, $opt_offset, value);
                }
            )+
        }
    };
}

fields! {
    core {
        /// Time of day of the retransmit, since 1970-01-01T00:00:00Z.
        wall_time_ns, wall_time, set_wall_time: Nanos, Duration, WallTime
            @ 32, "" "timestamp", "host: boot_time_ns plus the offset between the clocks", "5.8";
        /// Position of the event in the host's stream, counted from 0.
        sequence, sequence, set_sequence: U64, u64, U64
            @ 16, "" "sequence", "host", "5.8";
        /// IP version of the connection, 4 or 6. An IPv4 connection of an IPv6 socket is 4.
        ip_version, ip_version, set_ip_version: U8, u8, U8
            @ 84, "" "ipversion", "addresses of struct sock_common", "5.8";
        /// State of the connection.
        state, state, set_state: TcpStateCodec, TcpState, TcpState
            @ 85, "" "state", "sock_common.skc_state", "5.8";
        /// Local address: this machine's side, which retransmits.
        local_address, local_address, set_local_address: Address, IpAddr, Address
            @ 48, "source" "ip", "sock_common.skc_rcv_saddr, skc_v6_rcv_saddr", "5.8";
        /// Local port.
        local_port, local_port, set_local_port: U16, u16, U16
            @ 80, "source" "port", "sock_common.skc_num", "5.8";
        /// Address of the peer.
        peer_address, peer_address, set_peer_address: Address, IpAddr, Address
            @ 64, "destination" "ip", "sock_common.skc_daddr, skc_v6_daddr", "5.8";
        /// Port of the peer.
        peer_port, peer_port, set_peer_port: U16, u16, U16
            @ 82, "destination" "port", "sock_common.skc_dport", "5.8";
        /// Size of the record in bytes.
        size, size, set_size: U32, u32, U32
            @ 0, "" "", "host", "5.8";
        /// CPU on which the tracepoint ran.
        cpu, cpu, set_cpu: U32, u32, U32
            @ 4, "record" "cpu", "bpf_get_smp_processor_id", "5.8";
        /// Number of the retransmit on its CPU, from 1, of those that the filters admit. Retransmits for which the
        /// ring had no room have numbers too: a missing number is an event that was lost or withheld.
        cpu_sequence, cpu_sequence, set_cpu_sequence: U64, u64, U64
            @ 40, "record" "cpu_sequence", "probe", "5.8";
        /// Time since boot, including suspended time. Events of different sockets may be out of order by up to
        /// 100 ms, because an event may wait for its owner, by up to 1 s in a burst of new sockets, and by more while
        /// the host is behind.
        boot_time_ns, time, set_time: Nanos, Duration, BootTime
            @ 24, "record" "boot_time_ns", "bpf_ktime_get_boot_ns", "5.8";
        /// Cause of the retransmit.
        kind, kind, set_kind: KindCodec, Kind, Kind
            @ 86, "retransmit" "kind", "host: from the evidence in the record", "5.8";
        /// Tracepoint that reported the retransmit.
        origin, tracepoint, set_tracepoint: TracepointCodec, Tracepoint, Tracepoint
            @ 87, "retransmit" "tracepoint", "probe", "5.8";
    }
    optional {
        /// Whether the segment was sent. False if the attempt failed, or if the segment was dropped within
        /// this host.
        sent, sent_if_known, set_sent: Bool, bool, Bool
            @ 284 ? 45, "retransmit" "sent", "host: from the error", "5.8";
        /// Return value of the attempt: 0 when the segment was sent.
        error, error, set_error: ErrorCodec, SendError, SendError
            @ 88 ? 0, "retransmit" "error", "tracepoint argument err", "6.17";
        /// Segments that the retransmit covers, as RetransSegs counts them: 0 for an attempt that
        /// failed before it became a segment.
        segments, segments, set_segments: U32, u32, U32
            @ 104 ? 4, "retransmit" "segments", "tcp_skb_cb.tcp_gso_segs; host: 0 for an attempt that was not counted", "5.8";
        /// Payload in bytes.
        length, length, set_length: U32, u32, U32
            @ 100 ? 3, "retransmit" "length", "sk_buff.len", "5.8";
        /// First sequence number of the segment.
        seq, seq, set_seq: U32, u32, U32
            @ 92 ? 1, "retransmit" "seq", "tcp_skb_cb.seq, tcp_request_sock.snt_isn", "5.8";
        /// Sequence number after the segment; SYN and FIN count as one each.
        end_seq, end_seq, set_end_seq: U32, u32, U32
            @ 96 ? 2, "retransmit" "end_seq", "tcp_skb_cb.end_seq", "5.8";
        /// Flags of the TCP header.
        tcp_flags, tcp_flags, set_tcp_flags: FlagsCodec, TcpFlags, TcpFlags
            @ 108 ? 5, "retransmit" "flags", "tcp_skb_cb.tcp_flags", "5.8";
        /// Whether this is the SYN-ACK of a TCP Fast Open connection, which may already carry data. Known for
        /// SYN-ACKs only.
        fast_open, fast_open, set_fast_open: Bool, bool, Bool
            @ 285 ? 46, "retransmit" "fast_open", "probe: the tracepoint's socket is not a listener", "5.8";
        /// State of the segment at the sender, as TCPCB_* bits: 1 SACKed, 2 retransmitted, 4 lost, 128 ever
        /// retransmitted. On 5.10, on 6.1 and from 6.17 on, 128 includes this retransmit: the value for a first
        /// tail loss probe is 128. On 6.12 to 6.16 it is 0.
        sacked, sacked, set_sacked: U8, u8, U8
            @ 110 ? 6, "retransmit" "sacked", "tcp_skb_cb.sacked", "5.8";
        /// Pending timer.
        timer, timer, set_timer: TimerCodec, Timer, Timer
            @ 112 ? 8, "retransmit" "timer", "inet_connection_sock.icsk_pending", "5.8";
        /// Evidence: whether the pending timer of a loss probe has expired, as it has when its handler sends the probe.
        /// Known where that timer is pending, on kernels that have the time in this member.
        timer_expired, timer_expired, set_timer_expired: Bool, bool, Bool
            @ 287 ? 57, "retransmit" "timer_expired", "inet_connection_sock.icsk_timeout", "5.8";
        /// Consecutive timeouts without an answer, including this one.
        retransmits, retransmits, set_retransmits: U8, u8, U8
            @ 113 ? 9, "retransmit" "retransmits", "inet_connection_sock.icsk_retransmits, request_sock.num_retrans + 1", "5.8";
        /// Number of times that the timeout was doubled.
        backoff, backoff, set_backoff: U8, u8, U8
            @ 114 ? 10, "retransmit" "backoff", "inet_connection_sock.icsk_backoff", "5.8";
        /// Evidence: snd_nxt when a tail loss probe was sent; 0 without a probe.
        tlp_high_seq, tlp_high_seq, set_tlp_high_seq: U32, u32, U32
            @ 116 ? 12, "retransmit" "tlp_high_seq", "tcp_sock.tlp_high_seq", "5.8";
        /// Evidence: the sequence number at which recovery began, if the kernel may undo it; else 0 (as after
        /// a path MTU change).
        undo_marker, undo_marker, set_undo_marker: U32, u32, U32
            @ 120 ? 13, "retransmit" "undo_marker", "tcp_sock.undo_marker", "5.8";
        /// State of congestion control.
        ca_state, ca_state, set_ca_state: CaStateCodec, CaState, CaState
            @ 111 ? 7, "tcp" "ca_state", "inet_connection_sock.icsk_ca_state", "5.8";
        /// Name of the congestion control algorithm.
        congestion_control, congestion_control, set_congestion_control: Text, Name, Text
            @ 216 ? 35, "tcp" "congestion_control", "tcp_congestion_ops.name", "5.8";
        /// Smoothed round-trip time; absent before the first sample.
        srtt_us, srtt, set_srtt: Micros, Duration, Micros
            @ 124 ? 14, "tcp" "srtt_us", "tcp_sock.srtt_us >> 3", "5.8";
        /// Mean deviation of the round-trip time, as `ss` shows it.
        rttvar_us, rttvar, set_rttvar: Micros, Duration, Micros
            @ 128 ? 15, "tcp" "rttvar_us", "tcp_sock.mdev_us >> 2", "5.8";
        /// Smallest round-trip time of the last five minutes (sysctl tcp_min_rtt_wlen).
        min_rtt_us, min_rtt, set_min_rtt: Micros, Duration, Micros
            @ 132 ? 16, "tcp" "min_rtt_us", "tcp_sock.rtt_min", "5.8";
        /// Retransmission timeout.
        rto_us, rto, set_rto: Micros, Duration, Micros
            @ 136 ? 17, "tcp" "rto_us", "inet_connection_sock.icsk_rto", "5.8";
        /// Congestion window in segments.
        cwnd, cwnd, set_cwnd: U32, u32, U32
            @ 140 ? 18, "tcp" "cwnd", "tcp_sock.snd_cwnd", "5.8";
        /// Slow start threshold in segments; absent before the first loss.
        ssthresh, ssthresh, set_ssthresh: U32, u32, U32
            @ 144 ? 19, "tcp" "ssthresh", "tcp_sock.snd_ssthresh", "5.8";
        /// Maximum segment size in bytes, for sending.
        mss, mss, set_mss: U32, u32, U32
            @ 148 ? 20, "tcp" "mss", "tcp_sock.mss_cache, request_sock.mss", "5.8";
        /// Segments in flight, including selectively acknowledged ones.
        packets_out, packets_out, set_packets_out: U32, u32, U32
            @ 152 ? 21, "tcp" "packets_out", "tcp_sock.packets_out", "5.8";
        /// Segments in flight that the sender considers lost.
        lost_out, lost_out, set_lost_out: U32, u32, U32
            @ 156 ? 22, "tcp" "lost_out", "tcp_sock.lost_out", "5.8";
        /// Segments in flight that were selectively acknowledged.
        sacked_out, sacked_out, set_sacked_out: U32, u32, U32
            @ 160 ? 23, "tcp" "sacked_out", "tcp_sock.sacked_out", "5.8";
        /// Retransmitted segments in flight, not yet including this one.
        retrans_out, retrans_out, set_retrans_out: U32, u32, U32
            @ 164 ? 24, "tcp" "retrans_out", "tcp_sock.retrans_out", "5.8";
        /// First byte that is not acknowledged.
        snd_una, snd_una, set_snd_una: U32, u32, U32
            @ 168 ? 25, "tcp" "snd_una", "tcp_sock.snd_una", "5.8";
        /// Next sequence number to send.
        snd_nxt, snd_nxt, set_snd_nxt: U32, u32, U32
            @ 172 ? 26, "tcp" "snd_nxt", "tcp_sock.snd_nxt", "5.8";
        /// The peer's receive window in bytes.
        snd_wnd, snd_wnd, set_snd_wnd: U32, u32, U32
            @ 176 ? 27, "tcp" "snd_wnd", "tcp_sock.snd_wnd", "5.8";
        /// Segments that the connection has retransmitted, including this one (unless the attempt failed
        /// before it was counted).
        total_retrans, total_retrans, set_total_retrans: U32, u32, U32
            @ 180 ? 28, "tcp" "total_retrans", "tcp_sock.total_retrans, request_sock.num_retrans + 1", "5.8";
        /// Segments with data that were sent, including retransmitted ones.
        data_segs_out, data_segs_out, set_data_segs_out: U32, u32, U32
            @ 184 ? 29, "tcp" "data_segs_out", "tcp_sock.data_segs_out", "5.8";
        /// Segments that were delivered, including retransmitted ones.
        delivered, delivered, set_delivered: U32, u32, U32
            @ 188 ? 30, "tcp" "delivered", "tcp_sock.delivered", "5.8";
        /// Duplicates that the peer reported (DSACK): unnecessary retransmits.
        dsack_dups, dsack_dups, set_dsack_dups: U32, u32, U32
            @ 192 ? 31, "tcp" "dsack_dups", "tcp_sock.dsack_dups", "5.8";
        /// Number of times that reordering was detected.
        reord_seen, reord_seen, set_reord_seen: U32, u32, U32
            @ 196 ? 32, "tcp" "reord_seen", "tcp_sock.reord_seen", "5.8";
        /// Payload bytes sent, including retransmitted ones.
        bytes_sent, bytes_sent, set_bytes_sent: U64, u64, U64
            @ 200 ? 33, "tcp" "bytes_sent", "tcp_sock.bytes_sent", "5.8";
        /// Payload bytes retransmitted, including those of this segment.
        bytes_retrans, bytes_retrans, set_bytes_retrans: U64, u64, U64
            @ 208 ? 34, "tcp" "bytes_retrans", "tcp_sock.bytes_retrans", "5.8";
        /// Inode of the network namespace, as in `ls -l /proc/PID/ns/net`.
        netns_inode, netns_inode, set_netns_inode: U32, u32, U32
            @ 232 ? 36, "netns" "inode", "net.ns.inum", "5.8";
        /// Cookie of the network namespace: never used twice.
        netns_cookie, netns_cookie, set_netns_cookie: U64, u64, U64
            @ 240 ? 38, "netns" "cookie", "net.net_cookie", "5.12";
        /// Inode of the socket, as in `ss -e` and `ls -l /proc/PID/fd`; absent once it is closed.
        socket_inode, socket_inode, set_socket_inode: U64, u64, U64
            @ 272 ? 43, "socket" "inode", "socket_alloc.vfs_inode.i_ino", "5.8";
        /// Cookie of the socket, as in `ss -e`: never used twice, and kept when the socket is closed.
        /// Before 5.12, and through the classic tracepoint, known only if another program has asked the
        /// kernel for it.
        socket_cookie, socket_cookie, set_socket_cookie: U64, u64, U64
            @ 264 ? 42, "socket" "cookie", "sock_common.skc_cookie", "5.8";
        /// Address family of the socket: 2 is AF_INET, 10 is AF_INET6.
        family, family, set_family: U8, u8, U8
            @ 115 ? 11, "socket" "family", "sock_common.skc_family", "5.8";
        /// User that created the socket (for a SYN-ACK, the listener), as numbered outside of user namespaces.
        uid, uid, set_uid: U32, u32, U32
            @ 256 ? 40, "socket" "uid", "sock.sk_uid", "5.8";
        /// Mark of the socket (SO_MARK).
        mark, mark, set_mark: U32, u32, U32
            @ 236 ? 37, "socket" "mark", "sock.sk_mark, inet_request_sock.ir_mark", "5.8";
        /// Index of the interface that the socket is bound to; absent if it is not bound.
        interface, interface, set_interface: U32, u32, U32
            @ 260 ? 41, "socket" "interface", "sock_common.skc_bound_dev_if", "5.8";
        /// Inode of the listening socket, for a connection that was not accepted yet. Known for SYN-ACKs only.
        listener_inode, listener_inode, set_listener_inode: U64, u64, U64
            @ 288 ? 52, "socket" "listener_inode", "request_sock.rsk_listener, its inode", "5.8";
        /// Control group (version 2) of the socket (for a SYN-ACK, the listener): the inode of its
        /// directory. Debian's 5.10 has it as well.
        cgroup_id, cgroup_id, set_cgroup_id: U64, u64, U64
            @ 248 ? 39, "socket" "cgroup_id", "sock.sk_cgrp_data", "5.15";
        /// Status of the owner: whether a process was found that holds the socket, or why there is none.
        owner_status, owner_status, set_owner_status: OwnerCodec, OwnerStatus, OwnerStatus
            @ 286 ? 47, "owner" "status", "sock.sk_socket, socket.file, SOCK_DEAD; host: scan of open files", "5.8";
        /// Owning process: the one that holds the socket or, for a connection that was not accepted yet, the
        /// listening socket. Of several processes, the one that an earlier event named, else the ancestor
        /// of all the others, else the lowest number.
        owner_pid, owner_pid, set_owner_pid: U32, u32, U32
            @ 280 ? 44, "owner" "pid", "host: task_struct.group_leader.thread_pid, in the host's pid namespace", "5.8";
        /// Name of the owning process.
        owner_comm, owner_comm, set_owner_comm: Text, Name, Text
            @ 304 ? 48, "owner" "comm", "host: task_struct.comm of the main thread", "5.8";
        /// Effective user of the owning process, as numbered outside of user namespaces.
        owner_uid, owner_uid, set_owner_uid: U32, u32, U32
            @ 296 ? 49, "owner" "uid", "host: task_struct.real_cred.euid", "5.8";
        /// Number of processes that held the socket when open files were scanned.
        owner_holders, owner_holders, set_owner_holders: U32, u32, U32
            @ 300 ? 50, "owner" "holders", "host: scan of open files", "5.8";
        /// Container of the owning process: the first 12 digits of its id, as `docker ps` shows it, or the
        /// beginning of its name.
        owner_container, owner_container, set_owner_container: Text, Name, Text
            @ 320 ? 51, "owner" "container", "host: /proc/PID/cgroup", "5.8";
        /// Last holder: the process that was last seen to hold a socket that is closed now, found by the
        /// socket's cookie. Through the classic tracepoint, as before 5.12, known only if another program
        /// has asked the kernel for the cookie.
        last_pid, last_pid, set_last_pid: U32, u32, U32
            @ 336 ? 53, "owner.last" "pid", "host: an earlier event of the same socket cookie", "5.12";
        /// Name of the last holder.
        last_comm, last_comm, set_last_comm: Text, Name, Text
            @ 344 ? 54, "owner.last" "comm", "host: as last_pid", "5.12";
        /// Effective user of the last holder, as numbered outside of user namespaces.
        last_uid, last_uid, set_last_uid: U32, u32, U32
            @ 340 ? 55, "owner.last" "uid", "host: as last_pid", "5.12";
        /// Container of the last holder: as `owner.container`.
        last_container, last_container, set_last_container: Text, Name, Text
            @ 360 ? 56, "owner.last" "container", "host: as last_pid", "5.12";
    }
}
