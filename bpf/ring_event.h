/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the probe sends through the ring for one retransmit: the fields of the record
 * (event.h) that the kernel knows. The host copies them to their places in the record,
 * and sets the others.
 *
 * The members have the names of the fields. build.rs makes the copies from these and
 * from event/src/fields.rs; the build fails where a field of the kernel is missing
 * here, where one of the host is not, and where a size differs. The order is free:
 * neighbours in the record are neighbours here, so that they are copied together.
 * Numbers are naturally aligned, there is no padding, and every byte is initialised.
 */
#ifndef RETRANS_RING_EVENT_H
#define RETRANS_RING_EVENT_H

#include "event.h"

struct retrans_ring_event {
	__u64 present;
	__u64 boot_time_ns;
	__u64 cpu_sequence;
	__u8 local_address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 ip_version;
	__u8 state;
	__u8 origin;
	__u8 fast_open;

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

	__u64 listener_inode;
	__u32 cpu;
	__u8 owner_status;
	__u8 timer_expired;
	__u8 unused[2]; /* to a multiple of eight bytes */
};

#endif
