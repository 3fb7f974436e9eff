/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of a connection's counters is in a row already, and how the rest is added to the sums. Without the kernel's types:
 * bpf/tests/census.c runs it in user space.
 */
#ifndef RETRANS_CENSUS_SETTLE_H
#define RETRANS_CENSUS_SETTLE_H

#include "census.h"

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
	__u32 pass; /* the last pass that has visited it */
	struct counts counted; /* what is in a row */
	__u32 bare_fins; /* retransmits of FINs without data */
	__u32 bare_fins_counted;
	__u32 is_suspect; /* the last pass found its socket closed, or used for another connection */
	__u32 is_new; /* its beginning is not counted yet */
};

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
	/* The round-trip time of a connection that has sent nothing is out of date. */
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
