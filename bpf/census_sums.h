/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sums of a census: what a connection has in a row already, the rows, and how the rest is added to them.
 */
#ifndef RETRANS_CENSUS_SUMS_H
#define RETRANS_CENSUS_SUMS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "census.h"
#include "fill_record.h"

#define MAX_ROWS 65536
/* A round-trip time in µs of the last class. */
#define MAX_BUCKET_RTT (1U << (CENSUS_RTT_BUCKETS - 1))

/* Counters of a socket. Those of 32 bits wrap. */
struct counts {
	__u64 bytes;
	__u64 retransmitted_bytes;
	__u32 segments;
	__u32 retransmits; /* bare FINs included, which are no data */
	__u32 dsacks;
	__u32 srtt_us; /* the present value */
};

struct connection {
	struct retrans_census_key key;
	__u16 local_port;
	__u16 peer_port;
	__u32 pass; /* the last pass that has visited it */
	struct counts counted; /* what is in a row */
	__u32 bare_fins; /* retransmits of FINs without data */
	__u32 bare_fins_counted;
	__u32 is_suspect; /* the last pass found its socket closed, or used for another connection */
	__u32 is_new; /* its beginning is not counted yet */
};

struct rows {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_ROWS);
	__type(key, struct retrans_census_key);
	__type(value, struct retrans_census_sums);
} first_rows SEC(".maps"), second_rows SEC(".maps");

#define CURRENT 0
#define PREVIOUS 1

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct rows);
} rows SEC(".maps") = {
	.values = { [CURRENT] = &first_rows, [PREVIOUS] = &second_rows },
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct retrans_census_losses);
} losses SEC(".maps");

static const struct retrans_census_sums no_sums;

#define COUNT_LOSS(member)                                                    \
	do {                                                                  \
		__u32 zero_ = 0;                                              \
		struct retrans_census_losses *losses_ =                       \
			bpf_map_lookup_elem(&losses, &zero_);                 \
		if (losses_)                                                  \
			__sync_fetch_and_add(&losses_->member, 1);            \
	} while (0)

/* The sums of a key. Where there is no room for another row, those of the row that all others share. */
static __always_inline struct retrans_census_sums *sums_of(const struct retrans_census_key *key,
							   __u32 which)
{
	const struct retrans_census_key none = {};
	struct retrans_census_sums *sums;
	void *map = bpf_map_lookup_elem(&rows, &which);

	if (!map)
		return 0;
	sums = bpf_map_lookup_elem(map, key);
	if (sums)
		return sums;
	/* Fails if another CPU was faster, or if the map is full. */
	bpf_map_update_elem(map, key, &no_sums, BPF_NOEXIST);
	sums = bpf_map_lookup_elem(map, key);
	if (sums)
		return sums;
	COUNT_LOSS(beyond);
	return bpf_map_lookup_elem(map, &none);
}

static __always_inline void read_counts(struct counts *counts, struct tcp_sock *tp,
					const bool probed)
{
	counts->bytes = LOAD(tp, bytes_sent);
	counts->retransmitted_bytes = LOAD(tp, bytes_retrans);
	counts->segments = LOAD(tp, data_segs_out);
	counts->retransmits = LOAD(tp, total_retrans);
	counts->dsacks = LOAD(tp, dsack_dups);
	counts->srtt_us = LOAD(tp, srtt_us) >> 3;
}

/* The number of the highest bit. */
static __always_inline __u32 log2_of(__u32 number)
{
	__u32 log = 0;

	log |= (number > 0xffff) << 4;
	number >>= log;
	if (number > 0xff) {
		log |= 8;
		number >>= 8;
	}
	if (number > 0xf) {
		log |= 4;
		number >>= 4;
	}
	if (number > 3) {
		log |= 2;
		number >>= 2;
	}
	return log | number >> 1;
}

/* Adds what is not counted yet to the sums. */
static __always_inline void settle(struct connection *connection, const struct counts *now,
				   struct retrans_census_sums *sums)
{
	struct counts *counted = &connection->counted;
	const __u32 bare_fins = connection->bare_fins;
	const __u32 segments = now->segments - counted->segments;
	const __u32 retransmits = now->retransmits - counted->retransmits;
	const __u32 fins = bare_fins - connection->bare_fins_counted;
	__u64 bucket; /* of 32 bits, it would be extended after its range is checked */

	if (connection->is_new) {
		connection->is_new = 0;
		__sync_fetch_and_add(&sums->opened, 1);
	}
	if (segments) {
		__sync_fetch_and_add(&sums->segments, segments);
		__sync_fetch_and_add(&sums->bytes, now->bytes - counted->bytes);
	}
	if (retransmits || fins) {
		__sync_fetch_and_add(&sums->retransmitted_segments, (__u64)retransmits - fins);
		__sync_fetch_and_add(&sums->retransmitted_bytes,
				     now->retransmitted_bytes - counted->retransmitted_bytes);
	}
	if (now->dsacks != counted->dsacks)
		__sync_fetch_and_add(&sums->dsacks, (__u32)(now->dsacks - counted->dsacks));
	/* That of a connection which sends nothing is old. */
	if (segments && now->srtt_us) {
		bucket = log2_of(now->srtt_us < MAX_BUCKET_RTT ? now->srtt_us : MAX_BUCKET_RTT);
		/*
		 * A comparison of the index does not satisfy the verifier of 5.10, which follows branches that cannot
		 * be taken. It must see a mask, which clang would leave out.
		 */
		barrier_var(bucket);
		bucket &= 31;
		__sync_fetch_and_add(&sums->rtt_sum_us, now->srtt_us);
		__sync_fetch_and_add(&sums->rtt_count, 1);
		__sync_fetch_and_add(&sums->rtt_buckets[bucket], 1);
	}
	*counted = *now;
	connection->bare_fins_counted = bare_fins;
}

#endif
