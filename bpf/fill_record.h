/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the kernel's structures into what the ring carries. Functions that set optional fields
 * return the presence bits of the first word.
 */
#ifndef RETRANS_FILL_H
#define RETRANS_FILL_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "ring_event.h"

/* Length of a jiffy in µs, set by the host: BTF does not have HZ. 0 is "unknown". */
const volatile __u32 jiffy_us = 0;

/*
 * The parts of a record that are filled: all, except where benches/probe.rs measures
 * what each of them costs. It is constant when the probe is loaded: filling all parts needs no check at run time.
 */
enum retrans_part {
	PART_ADDRESSES = 1,
	PART_SEGMENT = 2,
	PART_CONNECTION = 4,
	PART_ORIGIN = 8,
	PART_OWNER = 16,
};
const volatile __u32 parts = ~0U;

#define BIT(n) (1ULL << (n))

/*
 * Marks a field as present; `bit` is a constant. The bits are collected in the local
 * variable `present`.
 */
#define SET_PRESENT(bit)                                                      \
	do {                                                                  \
		_Static_assert((bit) < 64, "the ring's record has the first presence word alone"); \
		present |= BIT(bit);                                          \
	} while (0)

/*
 * Loads a field through its typed pointer. tp_btf programs load it directly
 * (`probed` false); the classic tracepoint passes plain addresses, which only
 * bpf_probe_read_kernel may follow. `probed` is a constant after inlining.
 */
#define LOAD(pointer, field)                                                  \
	({                                                                    \
		typeof((pointer)->field) value_;                              \
		if (probed)                                                   \
			bpf_core_read((void *)&value_, sizeof(value_),        \
				      &(pointer)->field);                     \
		else                                                          \
			value_ = (pointer)->field;                            \
		value_;                                                       \
	})

/* Sets a field, unless it has the value `none`, with which the kernel says that it is unknown. */
#define SET_UNLESS(event, bit, field, none, value)                            \
	do {                                                                  \
		typeof((event)->field) set_ = (value);                        \
		if (set_ != (none)) {                                         \
			(event)->field = set_;                                \
			SET_PRESENT(bit);                              \
		}                                                             \
	} while (0)

static __always_inline void set_ipv4(__be32 *to, __be32 address)
{
	to[2] = bpf_htonl(0xffff);
	to[3] = address;
}

/*
 * Reads the addresses of a socket or of a connection request, which both begin with
 * a sock_common, into arrays of zeros of 16 aligned bytes. Returns the version of IP.
 */
static __always_inline __u8 read_addresses(__u8 *local_address, __u8 *peer_address,
					   struct sock_common *sk, const bool probed)
{
	struct in6_addr *local = (struct in6_addr *)local_address;
	struct in6_addr *peer = (struct in6_addr *)peer_address;
	const __be32 *words = (const __be32 *)peer_address;

	if (LOAD(sk, skc_family) != AF_INET6) {
		set_ipv4((__be32 *)local_address, LOAD(sk, skc_rcv_saddr));
		set_ipv4((__be32 *)peer_address, LOAD(sk, skc_daddr));
		return 4;
	}
	*local = LOAD(sk, skc_v6_rcv_saddr);
	*peer = LOAD(sk, skc_v6_daddr);
	/* An IPv4 connection of a dual-stack socket has addresses in ::ffff:0:0/96. */
	return words[0] || words[1] || words[2] != bpf_htonl(0xffff) ? 6 : 4;
}

static __always_inline void fill_addresses(struct retrans_ring_event *event, struct sock_common *sk,
					   const bool probed)
{
	event->local_port = LOAD(sk, skc_num);
	event->peer_port = bpf_ntohs(LOAD(sk, skc_dport));
	event->family = LOAD(sk, skc_family);
	event->ip_version = read_addresses(event->local_address, event->peer_address, sk, probed);
}

/* Does tcp_retransmit_skb pass the error of the attempt (6.17+)? */
#define HAS_ERR bpf_core_field_exists(((struct trace_event_raw_tcp_retransmit_skb *)0)->err)

/* Did the attempt fail before the kernel counted it? As SendError::failed_before_counting in event/src/send_error.rs. */
static __always_inline bool failed_before_counting(__s32 error)
{
	return error == -16 /* EBUSY */ || error == -22 /* EINVAL */ || error == -12 /* ENOMEM */ ||
	       error == -113 /* EHOSTUNREACH */ || error == -11 /* EAGAIN */;
}

/* The flags in the TCP header of a segment. */
static __always_inline __u16 read_tcp_flags(struct tcp_skb_cb *cb, const bool probed)
{
	const __u16 flags = LOAD(cb, tcp_flags);

	/* libbpf narrows a direct load; a probed one reads both bytes. */
	return probed && bpf_core_field_size(cb->tcp_flags) == 1 ? flags & 0xff : flags;
}

static __always_inline void fill_segment(struct retrans_ring_event *event, struct sk_buff *skb,
					  const bool probed)
{
	struct tcp_skb_cb *cb = (struct tcp_skb_cb *)&skb->cb[0];

	event->length = LOAD(skb, len);
	event->seq = LOAD(cb, seq);
	event->end_seq = LOAD(cb, end_seq);
	event->segments = LOAD(cb, tcp_gso_segs);
	event->sacked = LOAD(cb, sacked);
	event->tcp_flags = read_tcp_flags(cb, probed);
}

static __always_inline __u8 read_ca_state(struct inet_connection_sock *icsk, const bool probed)
{
	return probed ? BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state)
		      : BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);
}

/* Whether the pending timer has expired. Of the difference, 32 bits are enough: timers end within 24 days. */
static __always_inline bool is_expired(struct inet_connection_sock *icsk, const bool probed)
{
	return (__s32)(bpf_jiffies64() - LOAD(icsk, icsk_timeout)) >= 0;
}

/* Whether the expiry of the pending timer is known and of use: that of a loss probe, where the kernel has it. */
static __always_inline bool knows_expiry(struct inet_connection_sock *icsk, __u8 timer)
{
	return timer == ICSK_TIME_LOSS_PROBE && bpf_core_field_exists(icsk->icsk_timeout);
}

static __always_inline __u64 fill_connection(struct retrans_ring_event *event, struct tcp_sock *tp,
					     const bool probed)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct tcp_congestion_ops *ca;
	__u64 present = 0;
	__u32 srtt;

	event->ca_state = read_ca_state(icsk, probed);
	event->timer = LOAD(icsk, icsk_pending);
	if (knows_expiry(icsk, event->timer)) {
		event->timer_expired = is_expired(icsk, probed);
		SET_PRESENT(HAS_TIMER_EXPIRED);
	}
	event->retransmits = LOAD(icsk, icsk_retransmits);
	event->backoff = LOAD(icsk, icsk_backoff);
	event->tlp_high_seq = LOAD(tp, tlp_high_seq);
	event->undo_marker = LOAD(tp, undo_marker);

	/* Before the first sample, mdev_us and rtt_min have initial values. */
	srtt = LOAD(tp, srtt_us) >> 3;
	if (srtt) {
		event->srtt_us = srtt;
		event->rttvar_us = LOAD(tp, mdev_us) >> 2;
		SET_PRESENT(HAS_SRTT_US);
		SET_PRESENT(HAS_RTTVAR_US);
	}
	SET_UNLESS(event, HAS_MIN_RTT_US, min_rtt_us, ~0U, LOAD(tp, rtt_min.s[0].v));
	SET_UNLESS(event, HAS_RTO_US, rto_us, 0, LOAD(icsk, icsk_rto) * jiffy_us);
	SET_UNLESS(event, HAS_SSTHRESH, ssthresh, TCP_INFINITE_SSTHRESH, LOAD(tp, snd_ssthresh));

	event->cwnd = LOAD(tp, snd_cwnd);
	event->mss = LOAD(tp, mss_cache);
	event->packets_out = LOAD(tp, packets_out);
	event->lost_out = LOAD(tp, lost_out);
	event->sacked_out = LOAD(tp, sacked_out);
	event->retrans_out = LOAD(tp, retrans_out);
	event->snd_una = LOAD(tp, snd_una);
	event->snd_nxt = LOAD(tp, snd_nxt);
	event->snd_wnd = LOAD(tp, snd_wnd);
	event->total_retrans = LOAD(tp, total_retrans);
	event->data_segs_out = LOAD(tp, data_segs_out);
	event->delivered = LOAD(tp, delivered);
	event->dsack_dups = LOAD(tp, dsack_dups);
	event->reord_seen = LOAD(tp, reord_seen);
	event->bytes_sent = LOAD(tp, bytes_sent);
	event->bytes_retrans = LOAD(tp, bytes_retrans);

	ca = (struct tcp_congestion_ops *)LOAD(icsk, icsk_ca_ops);
	if (ca && !bpf_core_read(event->congestion_control, sizeof(event->congestion_control),
				 &ca->name))
		SET_PRESENT(HAS_CONGESTION_CONTROL);
	return present;
}

/* The inode of a socket, as fstat and `ss -e` show it; 0 without a socket. */
static __always_inline unsigned long inode_of(struct socket *socket)
{
	struct socket_alloc *alloc = (struct socket_alloc *)socket;
	unsigned long inode = 0;

	/* Beyond the end of struct socket, where typed loads are not allowed. */
	if (alloc)
		bpf_core_read(&inode, sizeof(inode), &alloc->vfs_inode.i_ino);
	return inode;
}

/* User, network namespace, control group and cookie. `common` is part of the socket or of a request. */
static __always_inline __u64 fill_origin(struct retrans_ring_event *event, struct sock *sk,
					 struct sock_common *common, const bool probed)
{
	struct net *net = LOAD(common, skc_net.net);
	__u64 present = 0;

	event->uid = LOAD(sk, sk_uid.val);
	event->netns_inode = LOAD(net, ns.inum);
	if (bpf_core_field_exists(net->net_cookie)) {
		SET_UNLESS(event, HAS_NETNS_COOKIE, netns_cookie, 0, LOAD(net, net_cookie));
		/*
		 * Gives the socket a cookie if it has none yet: the cookie identifies the socket when
		 * it has lost its inode. For tracing programs since 5.12, as is net_cookie.
		 */
		if (!probed)
			bpf_get_socket_cookie(common);
	}
	SET_UNLESS(event, HAS_SOCKET_COOKIE, socket_cookie, 0, LOAD(common, skc_cookie.counter));
	SET_UNLESS(event, HAS_INTERFACE, interface, 0, LOAD(common, skc_bound_dev_if));
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		struct cgroup *cgroup = LOAD(sk, sk_cgrp_data.cgroup);
		struct kernfs_node *kn = cgroup ? LOAD(cgroup, kn) : 0;

		if (kn)
			SET_UNLESS(event, HAS_CGROUP_ID, cgroup_id, 0, LOAD(kn, id));
	}
	return present;
}

/* The evidence for the owner of a full socket: its inode, or why it has none. */
static __always_inline __u64 fill_owner(struct retrans_ring_event *event, struct sock *sk,
					struct tcp_sock *tp, const bool probed)
{
	struct socket *socket = LOAD(sk, sk_socket);
	__u64 present = 0;

	if (socket) {
		SET_UNLESS(event, HAS_SOCKET_INODE, socket_inode, 0, inode_of(socket));
		/* Created by the kernel for itself. A subflow of MPTCP belongs to a process nevertheless. */
		if (!LOAD(socket, file) &&
		    !(bpf_core_field_exists(tp->is_mptcp) && LOAD(tp, is_mptcp)))
			event->owner_status = OWNER_KERNEL;
	} else if (LOAD(sk, __sk_common.skc_flags) & BIT(SOCK_DEAD)) {
		event->owner_status = OWNER_ORPHANED;
	} else {
		event->owner_status = OWNER_NOT_ACCEPTED;
	}
	return present;
}

/* All fields of a full socket. `tp` is `sk` as a typed tcp_sock. */
static __always_inline __u64 fill_socket(struct retrans_ring_event *event, struct sock *sk,
					 struct tcp_sock *tp, const bool probed)
{
	__u64 present = 0;

	event->state = LOAD(sk, __sk_common.skc_state);
	event->mark = LOAD(sk, sk_mark);
	if (parts & PART_ADDRESSES)
		fill_addresses(event, &sk->__sk_common, probed);
	if (parts & PART_CONNECTION)
		present |= fill_connection(event, tp, probed);
	if (parts & PART_ORIGIN)
		present |= fill_origin(event, sk, &sk->__sk_common, probed);
	if (parts & PART_OWNER)
		present |= fill_owner(event, sk, tp, probed);
	return present;
}

/* Fields of the SYN-ACK itself, for which the tracepoint passes no skb. */
static __always_inline void fill_synack(struct retrans_ring_event *event, struct request_sock *req,
					const bool probed)
{
	struct tcp_request_sock *treq = (struct tcp_request_sock *)req;

	/* Beyond the end of struct request_sock, where typed loads are not allowed. */
	bpf_core_read(&event->seq, sizeof(event->seq), &treq->snt_isn);
	bpf_core_read(&event->mark, sizeof(event->mark), &treq->req.ir_mark);
	event->end_seq = event->seq + 1;
	event->segments = 1;
	event->tcp_flags = TCPHDR_SYN | TCPHDR_ACK;
	/* The kernel counts this retransmit after the tracepoint. */
	event->retransmits = LOAD(req, num_retrans) + 1;
}

#endif
