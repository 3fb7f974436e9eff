/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Selects the retransmits that are recorded, before a record is reserved in the ring:
 * reads the facts that the filters in use need, and counts what they leave out.
 *
 * `filters` is constant when the probe is loaded. The verifier removes the code of
 * filters that are not in use.
 */
#ifndef RETRANS_SELECT_H
#define RETRANS_SELECT_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "fill_record.h"
#include "filter.h"

/* Set by the host before the probe is loaded. */
const volatile struct retrans_filters filters = {};

/* Always 0, which the verifier does not know: see has_address(). */
volatile __u64 search_start;

/* The events that passed the filters in a second since boot. */
struct {
	__u64 second;
	__u64 events;
} rate;

/* What was left out, by the inode of the network namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* larger with --reconcile */
	__type(key, __u32);
	__type(value, struct retrans_left_out);
} left_out SEC(".maps");

/* An attempt to send a segment again, by what the tracepoint passes. */
struct attempt {
	struct sock *sk; /* for a SYN-ACK the listener, or the child with TCP Fast Open */
	struct tcp_sock *tp; /* `sk`, NULL for a listener */
	struct sock_common *common; /* the socket, or the request of a SYN-ACK */
	struct sk_buff *skb; /* NULL for a SYN-ACK */
	__s32 error; /* 0 where the kernel does not tell it */
};

/* The number of a socket, if it has that from its first retransmit on: not on the classic tracepoint, nor before 5.12. */
static __always_inline __u64 lasting_cookie(struct sock_common *common, const bool probed)
{
	struct net *net = LOAD(common, skc_net.net);

	return !probed && bpf_core_field_exists(net->net_cookie) ? bpf_get_socket_cookie(common)
								  : 0;
}

/* The evidence for the kind of retransmit of a full socket. */
static __always_inline void read_evidence(struct retrans_subject *subject,
					  const struct attempt *attempt, const bool probed)
{
	struct tcp_sock *tp = attempt->tp;
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct tcp_skb_cb *cb = (struct tcp_skb_cb *)&attempt->skb->cb[0];

	subject->tcp_flags = read_tcp_flags(cb, probed);
	subject->end_seq = LOAD(cb, end_seq);
	subject->snd_nxt = LOAD(tp, snd_nxt);
	subject->tlp_high_seq = LOAD(tp, tlp_high_seq);
	subject->ca_state = read_ca_state(icsk, probed);
	subject->timer = LOAD(icsk, icsk_pending);
	subject->timer_expired = EXPIRED_UNKNOWN;
	if (knows_expiry(icsk, subject->timer))
		subject->timer_expired = is_expired(icsk, probed) ? EXPIRED_YES : EXPIRED_NO;
}

static __always_inline void read_subject(struct retrans_subject *subject,
					 const struct attempt *attempt, const bool probed)
{
	struct sock_common *common = attempt->common;
	struct net *net = LOAD(common, skc_net.net);
	struct sock *sk = attempt->sk;

	subject->ip_version = read_addresses(subject->local_address, subject->peer_address, common,
					     probed);
	subject->local_port = LOAD(common, skc_num);
	subject->peer_port = bpf_ntohs(LOAD(common, skc_dport));
	subject->netns_inode = LOAD(net, ns.inum);
	/* As in the record: the request's own state is internal to the kernel. */
	subject->state = attempt->tp ? LOAD(sk, __sk_common.skc_state) : TCP_SYN_RECV;
	if (filters.in_use & FILTER_SAMPLE)
		subject->cookie = lasting_cookie(common, probed);
	if (!attempt->skb)
		subject->origin = ORIGIN_TCP_RETRANSMIT_SYNACK;
	else if (filters.in_use & FILTER_KIND)
		read_evidence(subject, attempt, probed);
}

/*
 * The number of the control group that is the ancestor at this level, or the group
 * itself. Inlined into a loop, clang would move the offset that this kernel does not
 * have out of its branch, and the verifier would refuse the program.
 */
static __attribute__((noinline)) __u64 ancestor_id(struct cgroup *cgroup, __u64 level)
{
	struct cgroup___up_to_6_0 *old = (void *)cgroup;
	__u64 id = 0;

	if (bpf_core_field_exists(cgroup->ancestors)) {
		struct cgroup *ancestor = 0;
		struct cgroup **ancestors =
			__builtin_preserve_access_index(&cgroup->ancestors[0]);

		bpf_probe_read_kernel(&ancestor, sizeof(ancestor), ancestors + level);
		return BPF_CORE_READ(ancestor, kn, id);
	}
	if (bpf_core_field_exists(old->ancestor_ids)) {
		__u64 *ids = __builtin_preserve_access_index(&old->ancestor_ids[0]);

		bpf_probe_read_kernel(&id, sizeof(id), ids + level);
	}
	return id;
}

/* Returns whether the socket's control group is one of the filter's, or below one. */
static __always_inline bool is_in_cgroup(struct sock *sk, const bool probed)
{
	struct cgroup *cgroup;
	__u32 index;
	int level;

	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return false;
	cgroup = LOAD(sk, sk_cgrp_data.cgroup);
	if (!cgroup)
		return false;
	level = LOAD(cgroup, level);
	for (index = 0; index < FILTER_MAX_CGROUPS; index++) {
		if (index >= filters.cgroup_count)
			return false;
		if ((__u64)level >= filters.cgroups[index].level &&
		    ancestor_id(cgroup, filters.cgroups[index].level) ==
			    filters.cgroups[index].id)
			return true;
	}
	return false;
}

/*
 * Returns whether the event is within --max-rate. When a second begins, CPUs that
 * notice it at the same time may let a few events more pass.
 */
static __always_inline bool is_within_rate(void)
{
	const __u64 second = bpf_ktime_get_boot_ns() / 1000000000;

	if (second > rate.second) {
		rate.events = 0;
		rate.second = second;
	}
	__sync_fetch_and_add(&rate.events, 1);
	return *(volatile __u64 *)&rate.events <= filters.max_rate;
}

/* Adds an attempt that is not recorded to the sums of its network namespace, as the kernel counts it. */
static __always_inline void sum_left_out(const struct attempt *attempt, const bool probed)
{
	struct sock_common *common = attempt->common;
	struct net *net = LOAD(common, skc_net.net);
	const __u32 inode = LOAD(net, ns.inum);
	struct retrans_left_out *sums;
	__u32 segments = 1;
	bool syn = true;

	if (failed_before_counting(attempt->error))
		return;
	if (attempt->skb) {
		struct tcp_skb_cb *cb = (struct tcp_skb_cb *)&attempt->skb->cb[0];

		segments = LOAD(cb, tcp_gso_segs);
		syn = read_tcp_flags(cb, probed) & TCPHDR_SYN;
	}
	sums = bpf_map_lookup_elem(&left_out, &inode);
	if (!sums) {
		const struct retrans_left_out none = {};

		/* Fails if another CPU was faster, or if the map is full: the segments are then missing in the comparison. */
		bpf_map_update_elem(&left_out, &inode, &none, BPF_NOEXIST);
		sums = bpf_map_lookup_elem(&left_out, &inode);
		if (!sums)
			return;
	}
	__sync_fetch_and_add(&sums->segments, segments);
	if (attempt->error)
		__sync_fetch_and_add(&sums->failed, segments);
	if (syn)
		__sync_fetch_and_add(&sums->syn, 1);
}

/* Returns whether the filters select the attempt. Counts it if they do not. */
static __always_inline bool selects(struct retrans_counters *counter,
				    const struct attempt *attempt, const bool probed)
{
	struct retrans_subject subject = {};
	__u64 *reason;

	read_subject(&subject, attempt, probed);
	if (!admits(&filters, &subject, search_start))
		reason = &counter->filtered;
	else if ((filters.in_use & FILTER_CGROUP) && !is_in_cgroup(attempt->sk, probed))
		reason = &counter->filtered;
	else if ((filters.in_use & FILTER_SAMPLE) && !is_in_sample(&filters, &subject))
		reason = &counter->sampled_out;
	else if ((filters.in_use & FILTER_MAX_RATE) && !is_within_rate())
		reason = &counter->rate_limited;
	else
		return true;
	__sync_fetch_and_add(reason, 1);
	if (filters.sums_left_out)
		sum_left_out(attempt, probed);
	return false;
}

/*
 * Functions of their own, for typed and for probed pointers: inlined, the filters
 * would cost registers, and so time, also where none is in use. The verifier removes
 * functions that are not called.
 */
#define NOINLINE static __attribute__((noinline))

NOINLINE bool selects_segment_typed(struct retrans_counters *counter, struct sock *sk,
				    struct tcp_sock *tp, struct sk_buff *skb, __s32 error)
{
	const struct attempt attempt = { sk, tp, &sk->__sk_common, skb, error };

	return selects(counter, &attempt, false);
}

NOINLINE bool selects_segment_probed(struct retrans_counters *counter, struct sock *sk,
				     struct tcp_sock *tp, struct sk_buff *skb, __s32 error)
{
	const struct attempt attempt = { sk, tp, &sk->__sk_common, skb, error };

	return selects(counter, &attempt, true);
}

NOINLINE bool selects_synack_typed(struct retrans_counters *counter, struct sock *sk,
				   struct tcp_sock *tp, struct sock_common *common)
{
	const struct attempt attempt = { sk, tp, common, 0, 0 };

	return selects(counter, &attempt, false);
}

NOINLINE bool selects_synack_probed(struct retrans_counters *counter, struct sock *sk,
				    struct tcp_sock *tp, struct sock_common *common)
{
	const struct attempt attempt = { sk, tp, common, 0, 0 };

	return selects(counter, &attempt, true);
}

/*
 * Return whether the attempt is to be recorded. `tp` is `sk`, NULL for a listener;
 * `common` is the socket, or the request of a SYN-ACK.
 */
static __always_inline bool is_segment_wanted(struct retrans_counters *counter, struct sock *sk,
					      struct tcp_sock *tp, struct sk_buff *skb,
					      __s32 error, const bool probed)
{
	if (!filters.in_use)
		return true;
	return probed ? selects_segment_probed(counter, sk, tp, skb, error)
		      : selects_segment_typed(counter, sk, tp, skb, error);
}

static __always_inline bool is_synack_wanted(struct retrans_counters *counter, struct sock *sk,
					     struct tcp_sock *tp, struct sock_common *common,
					     const bool probed)
{
	if (!filters.in_use)
		return true;
	return probed ? selects_synack_probed(counter, sk, tp, common)
		      : selects_synack_typed(counter, sk, tp, common);
}

#endif
