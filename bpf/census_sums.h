/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of a census, and the counters of a socket that are added to them.
 */
#ifndef RETRANS_CENSUS_SUMS_H
#define RETRANS_CENSUS_SUMS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "census_settle.h"
#include "fill_record.h"

#define MAX_ROWS 65536

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

#endif
