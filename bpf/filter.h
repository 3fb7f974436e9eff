/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decides which retransmits are recorded.
 *
 * All functions are pure: they depend on the filters and on the facts about one
 * retransmit. The probe compiles them for the kernel, and a test compiles them for
 * user space, where it compares them with the filters of `replay`
 * (host/filter/). The includer defines __u8 and so on, bool and
 * __always_inline.
 */
#ifndef RETRANS_FILTER_H
#define RETRANS_FILTER_H

#include "event.h"

#define FILTER_MAX_NETWORKS 512 /* ranges of addresses on each side; a power of two */
#define FILTER_MAX_NETNS 64
#define FILTER_MAX_CGROUPS 16
#define FILTER_PORT_WORDS 1024 /* one bit for each port */

/* The filters that are in use: bits of retrans_filters.in_use. */
enum retrans_filter {
	FILTER_IP_VERSION = 1 << 0,
	FILTER_PORT = 1 << 1,
	FILTER_LOCAL_PORT = 1 << 2,
	FILTER_PEER_PORT = 1 << 3,
	FILTER_LOCAL = 1 << 4,
	FILTER_PEER = 1 << 5,
	FILTER_KIND = 1 << 6,
	FILTER_STATE = 1 << 7,
	FILTER_NETNS = 1 << 8,
	FILTER_CGROUP = 1 << 9,
	FILTER_SAMPLE = 1 << 10,
	FILTER_MAX_RATE = 1 << 11,
};

/* An address as a number: IPv4 as ::ffff:a.b.c.d. */
struct retrans_address {
	__u64 high;
	__u64 low;
};

/* A range of addresses, both ends included. */
struct retrans_range {
	struct retrans_address first;
	struct retrans_address last;
};

/* Ranges in ascending order that do not overlap. */
struct retrans_networks {
	__u64 count;
	struct retrans_range ranges[FILTER_MAX_NETWORKS];
};

/* A control group: its number, and its depth below the root. */
struct retrans_cgroup {
	__u64 id;
	__u64 level;
};

struct retrans_filters {
	__u32 in_use;
	__u32 ip_version;
	__u32 kinds;  /* a bit for each kind */
	__u32 states; /* a bit for each state */
	__u32 sample; /* records the events of one connection of this number */
	__u32 sums_left_out; /* whether segments that are left out are summed up */
	__u32 netns_count;
	__u32 cgroup_count;
	__u64 max_rate; /* events a second */
	__u32 netns[FILTER_MAX_NETNS];
	struct retrans_cgroup cgroups[FILTER_MAX_CGROUPS];
	__u64 port[FILTER_PORT_WORDS]; /* of either side */
	__u64 local_port[FILTER_PORT_WORDS];
	__u64 peer_port[FILTER_PORT_WORDS];
	struct retrans_networks local;
	struct retrans_networks peer;
};

/* Values of retrans_subject.timer_expired. */
enum retrans_expired {
	EXPIRED_NO = 0,
	EXPIRED_YES = 1,
	EXPIRED_UNKNOWN = 2,
};

/* The facts about one retransmit that filters depend on. Facts that no filter in use needs are 0. */
struct retrans_subject {
	__u8 local_address[16]; /* as in the record */
	__u8 peer_address[16];
	__u64 cookie; /* 0: the socket has none, or not from its first retransmit on */
	__u32 netns_inode;
	__u32 end_seq;
	__u32 snd_nxt;
	__u32 tlp_high_seq;
	__u16 local_port;
	__u16 peer_port;
	__u16 tcp_flags;
	__u8 ip_version;
	__u8 state;
	__u8 origin;
	__u8 ca_state;
	__u8 timer;
	__u8 timer_expired;
};

/* Numbers of the kernel: tcp_states.h, tcp.h (tcp_ca_state), inet_connection_sock.h. */
#define SUBJECT_SYN_SENT 2
#define SUBJECT_FLAG_SYN 0x02
#define SUBJECT_FLAG_ACK 0x10
#define SUBJECT_CA_CWR 2
#define SUBJECT_CA_RECOVERY 3
#define SUBJECT_CA_LOSS 4
#define SUBJECT_LOSS_PROBE 5

/* The cause of the retransmit, as Event::classify in event/src/cause.rs determines it. */
static __always_inline enum retrans_kind kind_of(const struct retrans_subject *subject)
{
	if (subject->origin == ORIGIN_TCP_RETRANSMIT_SYNACK)
		return KIND_SYN_ACK;
	if ((subject->tcp_flags & SUBJECT_FLAG_SYN) && (subject->tcp_flags & SUBJECT_FLAG_ACK))
		return KIND_SYN_ACK;
	if (subject->state == SUBJECT_SYN_SENT || (subject->tcp_flags & SUBJECT_FLAG_SYN))
		return KIND_SYN;
	if (subject->ca_state == SUBJECT_CA_RECOVERY)
		return KIND_FAST;
	if (subject->ca_state == SUBJECT_CA_LOSS)
		return subject->timer == 0 ? KIND_TIMEOUT : KIND_LOSS_RECOVERY;
	if (subject->ca_state > SUBJECT_CA_CWR || subject->timer != SUBJECT_LOSS_PROBE)
		return KIND_UNKNOWN;
	if (subject->timer_expired == EXPIRED_NO)
		return KIND_LOSS_RECOVERY;
	if (subject->tlp_high_seq == 0 && subject->end_seq == subject->snd_nxt)
		return KIND_TAIL_LOSS_PROBE;
	return KIND_UNKNOWN;
}

static __always_inline bool has_port(const volatile __u64 *ports, __u16 port)
{
	return ports[port >> 6] >> (port & 63) & 1;
}

static __always_inline struct retrans_address address_of(const __u8 *bytes)
{
	struct retrans_address address;

	__builtin_memcpy(&address, bytes, sizeof(address));
	/* build.rs refuses big-endian machines. */
	address.high = __builtin_bswap64(address.high);
	address.low = __builtin_bswap64(address.low);
	return address;
}

static __always_inline struct retrans_address load_address(const volatile struct retrans_address *from)
{
	const struct retrans_address address = { from->high, from->low };

	return address;
}

static __always_inline bool is_at_most(struct retrans_address one, struct retrans_address other)
{
	return one.high < other.high || (one.high == other.high && one.low <= other.low);
}

/*
 * Returns whether the address is in one of the networks: a binary search for the
 * last range that begins at or before it. `start` is 0. The probe passes a 0 that
 * the verifier does not know as such: it would otherwise follow each of the 2^9
 * paths through the loop.
 */
static __always_inline bool has_address(const volatile struct retrans_networks *networks,
					const __u8 *bytes, __u64 start)
{
	const struct retrans_address address = address_of(bytes);
	const __u64 mask = FILTER_MAX_NETWORKS - 1;
	const volatile struct retrans_range *range;
	__u64 found = start & mask;
	__u64 step;

	for (step = FILTER_MAX_NETWORKS / 2; step; step >>= 1) {
		const __u64 next = (found + step) & mask;

		range = &networks->ranges[next];
		if (next < networks->count && is_at_most(load_address(&range->first), address))
			found = next;
	}
	range = &networks->ranges[found & mask];
	return is_at_most(load_address(&range->first), address) &&
	       is_at_most(address, load_address(&range->last));
}

static __always_inline bool has_netns(const volatile struct retrans_filters *filters, __u32 inode)
{
	__u32 index;

	for (index = 0; index < FILTER_MAX_NETNS; index++) {
		if (index >= filters->netns_count)
			return false;
		if (filters->netns[index] == inode)
			return true;
	}
	return false;
}

/* Returns whether all filters admit the event. Control group, sampling and rate are tested elsewhere. */
static __always_inline bool admits(const volatile struct retrans_filters *filters,
				   const struct retrans_subject *subject, __u64 start)
{
	const __u32 in_use = filters->in_use;

	if ((in_use & FILTER_IP_VERSION) && subject->ip_version != filters->ip_version)
		return false;
	if ((in_use & FILTER_PORT) && !has_port(filters->port, subject->local_port) &&
	    !has_port(filters->port, subject->peer_port))
		return false;
	if ((in_use & FILTER_LOCAL_PORT) && !has_port(filters->local_port, subject->local_port))
		return false;
	if ((in_use & FILTER_PEER_PORT) && !has_port(filters->peer_port, subject->peer_port))
		return false;
	/* States and kinds that this version does not know are admitted by no list. */
	if ((in_use & FILTER_STATE) && !(subject->state < 32 && filters->states >> subject->state & 1))
		return false;
	if ((in_use & FILTER_KIND) && !(filters->kinds >> kind_of(subject) & 1))
		return false;
	if ((in_use & FILTER_NETNS) && !has_netns(filters, subject->netns_inode))
		return false;
	if ((in_use & FILTER_PEER) && !has_address(&filters->peer, subject->peer_address, start))
		return false;
	if ((in_use & FILTER_LOCAL) && !has_address(&filters->local, subject->local_address, start))
		return false;
	return true;
}

/* Mixes the bits of a number so that each bit of the result depends on all of them (MurmurHash3). */
static __always_inline __u64 mix(__u64 number)
{
	number ^= number >> 33;
	number *= 0xff51afd7ed558ccdULL;
	number ^= number >> 33;
	number *= 0xc4ceb9fe1a85ec53ULL;
	number ^= number >> 33;
	return number;
}

/* A number of the connection: the same for all of its retransmits. */
static __always_inline __u64 hash_of(const struct retrans_subject *subject)
{
	const struct retrans_address local = address_of(subject->local_address);
	const struct retrans_address peer = address_of(subject->peer_address);
	__u64 hash;

	if (subject->cookie)
		return mix(subject->cookie);
	hash = mix((__u64)subject->netns_inode << 32 | (__u64)subject->local_port << 16 |
		   subject->peer_port);
	hash = mix(hash ^ local.high);
	hash = mix(hash ^ local.low);
	hash = mix(hash ^ peer.high);
	return mix(hash ^ peer.low);
}

/* Returns whether the connection is in the sample. */
static __always_inline bool is_in_sample(const volatile struct retrans_filters *filters,
					 const struct retrans_subject *subject)
{
	return hash_of(subject) % filters->sample == 0;
}

#endif
