/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record of one retransmit, which the host completes and plugins read. What the
 * probe writes is in ring_event.h.
 * event/src/fields.rs declares the same fields, with units, sources and
 * documentation; the build fails where the two differ.
 *
 * Fields are appended, never moved: a plugin that was built against a shorter
 * record keeps working. Numbers are little-endian and naturally aligned; the
 * record has no padding, and every byte is initialised.
 */
#ifndef RETRANS_EVENT_H
#define RETRANS_EVENT_H

#define RETRANS_CC_NAME_MAX 16 /* TCP_CA_NAME_MAX */
#define RETRANS_COMM_MAX 16    /* TASK_COMM_LEN */
#define RETRANS_CONTAINER_MAX 16

/* The tracepoint that reported the event. */
enum retrans_origin {
	ORIGIN_TCP_RETRANSMIT_SKB = 0,
	ORIGIN_TCP_RETRANSMIT_SYNACK = 1,
};

/* The cause of a retransmit. Records get it from the host; filters of the probe need it too. */
enum retrans_kind {
	KIND_UNKNOWN = 0,
	KIND_SYN = 1,
	KIND_SYN_ACK = 2,
	KIND_TAIL_LOSS_PROBE = 3,
	KIND_TIMEOUT = 4,
	KIND_LOSS_RECOVERY = 5,
	KIND_FAST = 6,
};

/*
 * Numbers of the presence bits: 0 to 63 are in retrans_event.present, 64 to 127
 * in retrans_event.present_high. Every record has the fields without a bit.
 */
enum retrans_has {
	HAS_ERROR = 0,
	HAS_SEQ,
	HAS_END_SEQ,
	HAS_LENGTH,
	HAS_SEGMENTS,
	HAS_TCP_FLAGS,
	HAS_SACKED,
	HAS_CA_STATE,
	HAS_TIMER,
	HAS_RETRANSMITS,
	HAS_BACKOFF,
	HAS_FAMILY,
	HAS_TLP_HIGH_SEQ,
	HAS_UNDO_MARKER,
	HAS_SRTT_US,
	HAS_RTTVAR_US,
	HAS_MIN_RTT_US,
	HAS_RTO_US,
	HAS_CWND,
	HAS_SSTHRESH,
	HAS_MSS,
	HAS_PACKETS_OUT,
	HAS_LOST_OUT,
	HAS_SACKED_OUT,
	HAS_RETRANS_OUT,
	HAS_SND_UNA,
	HAS_SND_NXT,
	HAS_SND_WND,
	HAS_TOTAL_RETRANS,
	HAS_DATA_SEGS_OUT,
	HAS_DELIVERED,
	HAS_DSACK_DUPS,
	HAS_REORD_SEEN,
	HAS_BYTES_SENT,
	HAS_BYTES_RETRANS,
	HAS_CONGESTION_CONTROL,
	HAS_NETNS_INODE,
	HAS_MARK,
	HAS_NETNS_COOKIE,
	HAS_CGROUP_ID,
	HAS_UID,
	HAS_INTERFACE,
	HAS_SOCKET_COOKIE,
	HAS_SOCKET_INODE,
	HAS_OWNER_PID,
	HAS_SENT,
	HAS_FAST_OPEN,
	HAS_OWNER_STATUS,
	HAS_OWNER_COMM,
	HAS_OWNER_UID,
	HAS_OWNER_HOLDERS,
	HAS_OWNER_CONTAINER,
	HAS_LISTENER_INODE,
	HAS_LAST_PID,
	HAS_LAST_COMM,
	HAS_LAST_UID,
	HAS_LAST_CONTAINER,
	HAS_TIMER_EXPIRED,
};

/* Status of the socket's owner. The probe sets what the kernel knows, the host determines the rest. */
enum retrans_owner_status {
	OWNER_UNKNOWN = 0,
	OWNER_HELD = 1, /* host */
	OWNER_ORPHANED = 2,
	OWNER_NOT_ACCEPTED = 3,
	OWNER_KERNEL = 4,
};

struct retrans_event {
	/* In every record. Fields marked "host" are zero until the host sets them. */
	__u32 size;
	__u32 cpu;
	__u64 present;
	__u64 sequence; /* host */
	__u64 boot_time_ns;
	__u64 wall_time_ns; /* host */
	__u64 cpu_sequence;
	__u8 local_address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 ip_version;
	__u8 state;
	__u8 kind; /* host, from the evidence below */
	__u8 origin;

	/* The attempt to send, and the evidence for its cause. */
	__s32 error;
	__u32 seq;
	__u32 end_seq;
	__u32 length;
	__u32 segments;
	__u16 tcp_flags;
	__u8 sacked;
	__u8 ca_state;
	__u8 timer;
	__u8 retransmits;
	__u8 backoff;
	__u8 family;
	__u32 tlp_high_seq;
	__u32 undo_marker;

	/* The connection. */
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 min_rtt_us;
	__u32 rto_us;
	__u32 cwnd;
	__u32 ssthresh;
	__u32 mss;
	__u32 packets_out;
	__u32 lost_out;
	__u32 sacked_out;
	__u32 retrans_out;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 snd_wnd;
	__u32 total_retrans;
	__u32 data_segs_out;
	__u32 delivered;
	__u32 dsack_dups;
	__u32 reord_seen;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	char congestion_control[RETRANS_CC_NAME_MAX];

	/* The socket: namespace, control group, user and identity. */
	__u32 netns_inode;
	__u32 mark;
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u32 uid;
	__u32 interface;
	__u64 socket_cookie;
	__u64 socket_inode;
	__u32 owner_pid; /* host */
	__u8 sent;	 /* host, from the error */
	__u8 fast_open;
	__u8 owner_status;
	__u8 timer_expired;
	__u64 listener_inode;
	/* The owning process, set by the host. */
	__u32 owner_uid;
	__u32 owner_holders;
	char owner_comm[RETRANS_COMM_MAX];
	char owner_container[RETRANS_CONTAINER_MAX];
	/* The last holder of a closed socket, set by the host. */
	__u32 last_pid;
	__u32 last_uid;
	char last_comm[RETRANS_COMM_MAX];
	char last_container[RETRANS_CONTAINER_MAX];
	__u64 present_high; /* presence bits 64 to 127; no field uses one yet */
};

/*
 * One for each CPU. Updated by atomic additions only, because softirqs nest.
 * entered = recorded + ring_full + filtered + sampled_out + rate_limited
 */
struct retrans_counters {
	__u64 entered;
	__u64 recorded;
	__u64 ring_full;
	__u64 filtered;
	__u64 sampled_out;
	__u64 rate_limited;
};

/* What the filters have left out, for --reconcile, as the kernel counts it: one for each network namespace. */
struct retrans_left_out {
	__u64 segments;
	__u64 failed;
	__u64 syn;
};

#endif
