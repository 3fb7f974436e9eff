//! The record of version 0.1, written out by hand, as plugins of that version know it. Must not change,
//! except for the JSON key of `owner_pid`: no host of 0.1 wrote that field.

/// Size of a record in bytes.
pub const RECORD_SIZE: usize = 288;

/// End of the last field in bytes. The four bytes after it are free.
pub const END: usize = 284;

/// Description of a field in this version.
pub struct OldField {
    pub name: &'static str,
    pub offset: usize,
    pub size: usize,
    pub format: &'static str,
    /// Position of the presence bit: byte × 8 + bit.
    pub presence_bit: Option<u32>,
    /// Object and key of the JSON form.
    pub json: (&'static str, &'static str),
}

const fn always(
    name: &'static str,
    offset: usize,
    size: usize,
    format: &'static str,
    json: (&'static str, &'static str),
) -> OldField {
    OldField {
        name,
        offset,
        size,
        format,
        presence_bit: None,
        json,
    }
}

const fn maybe(
    name: &'static str,
    offset: usize,
    size: usize,
    format: &'static str,
    bit: u32,
    json: (&'static str, &'static str),
) -> OldField {
    OldField {
        presence_bit: Some(bit),
        ..always(name, offset, size, format, json)
    }
}

/// Every field, in the order of their offsets.
#[rustfmt::skip]
pub const FIELDS: &[OldField] = &[
    always("size", 0, 4, "u32", ("", "")),
    always("cpu", 4, 4, "u32", ("record", "cpu")),
    always("sequence", 16, 8, "u64", ("", "sequence")),
    always("boot_time_ns", 24, 8, "boot-time-ns", ("record", "boot_time_ns")),
    always("wall_time_ns", 32, 8, "wall-time-ns", ("", "timestamp")),
    always("cpu_sequence", 40, 8, "u64", ("record", "cpu_sequence")),
    always("local_address", 48, 16, "address", ("source", "ip")),
    always("peer_address", 64, 16, "address", ("destination", "ip")),
    always("local_port", 80, 2, "u16", ("source", "port")),
    always("peer_port", 82, 2, "u16", ("destination", "port")),
    always("ip_version", 84, 1, "u8", ("", "ipversion")),
    always("state", 85, 1, "state", ("", "state")),
    always("kind", 86, 1, "kind", ("retransmit", "kind")),
    always("origin", 87, 1, "origin", ("retransmit", "tracepoint")),
    maybe("error", 88, 4, "send-error", 64, ("retransmit", "error")),
    maybe("seq", 92, 4, "u32", 65, ("retransmit", "seq")),
    maybe("end_seq", 96, 4, "u32", 66, ("retransmit", "end_seq")),
    maybe("length", 100, 4, "u32", 67, ("retransmit", "length")),
    maybe("segments", 104, 4, "u32", 68, ("retransmit", "segments")),
    maybe("tcp_flags", 108, 2, "tcp-flags", 69, ("retransmit", "flags")),
    maybe("sacked", 110, 1, "u8", 70, ("retransmit", "sacked")),
    maybe("ca_state", 111, 1, "ca-state", 71, ("tcp", "ca_state")),
    maybe("timer", 112, 1, "timer", 72, ("retransmit", "timer")),
    maybe("retransmits", 113, 1, "u8", 73, ("retransmit", "retransmits")),
    maybe("backoff", 114, 1, "u8", 74, ("retransmit", "backoff")),
    maybe("family", 115, 1, "u8", 75, ("socket", "family")),
    maybe("tlp_high_seq", 116, 4, "u32", 76, ("retransmit", "tlp_high_seq")),
    maybe("undo_marker", 120, 4, "u32", 77, ("retransmit", "undo_marker")),
    maybe("srtt_us", 124, 4, "duration-us", 78, ("tcp", "srtt_us")),
    maybe("rttvar_us", 128, 4, "duration-us", 79, ("tcp", "rttvar_us")),
    maybe("min_rtt_us", 132, 4, "duration-us", 80, ("tcp", "min_rtt_us")),
    maybe("rto_us", 136, 4, "duration-us", 81, ("tcp", "rto_us")),
    maybe("cwnd", 140, 4, "u32", 82, ("tcp", "cwnd")),
    maybe("ssthresh", 144, 4, "u32", 83, ("tcp", "ssthresh")),
    maybe("mss", 148, 4, "u32", 84, ("tcp", "mss")),
    maybe("packets_out", 152, 4, "u32", 85, ("tcp", "packets_out")),
    maybe("lost_out", 156, 4, "u32", 86, ("tcp", "lost_out")),
    maybe("sacked_out", 160, 4, "u32", 87, ("tcp", "sacked_out")),
    maybe("retrans_out", 164, 4, "u32", 88, ("tcp", "retrans_out")),
    maybe("snd_una", 168, 4, "u32", 89, ("tcp", "snd_una")),
    maybe("snd_nxt", 172, 4, "u32", 90, ("tcp", "snd_nxt")),
    maybe("snd_wnd", 176, 4, "u32", 91, ("tcp", "snd_wnd")),
    maybe("total_retrans", 180, 4, "u32", 92, ("tcp", "total_retrans")),
    maybe("data_segs_out", 184, 4, "u32", 93, ("tcp", "data_segs_out")),
    maybe("delivered", 188, 4, "u32", 94, ("tcp", "delivered")),
    maybe("dsack_dups", 192, 4, "u32", 95, ("tcp", "dsack_dups")),
    maybe("reord_seen", 196, 4, "u32", 96, ("tcp", "reord_seen")),
    maybe("bytes_sent", 200, 8, "u64", 97, ("tcp", "bytes_sent")),
    maybe("bytes_retrans", 208, 8, "u64", 98, ("tcp", "bytes_retrans")),
    maybe("congestion_control", 216, 16, "text", 99, ("tcp", "congestion_control")),
    maybe("netns_inode", 232, 4, "u32", 100, ("netns", "inode")),
    maybe("mark", 236, 4, "u32", 101, ("socket", "mark")),
    maybe("netns_cookie", 240, 8, "u64", 102, ("netns", "cookie")),
    maybe("cgroup_id", 248, 8, "u64", 103, ("socket", "cgroup_id")),
    maybe("uid", 256, 4, "u32", 104, ("socket", "uid")),
    maybe("interface", 260, 4, "u32", 105, ("socket", "interface")),
    maybe("socket_cookie", 264, 8, "u64", 106, ("socket", "cookie")),
    maybe("socket_inode", 272, 8, "u64", 107, ("socket", "inode")),
    maybe("owner_pid", 280, 4, "u32", 108, ("owner", "pid")),
];
