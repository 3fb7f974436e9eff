/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of a census: what connections to one service of one peer have sent. The programs add to
 * them, host/source/census/ reads them. Key and sums are parts of the row in event/src/census.rs.
 */
#ifndef RETRANS_CENSUS_H
#define RETRANS_CENSUS_H

#define CENSUS_RTT_BUCKETS 24

/* All zeros: the row of what found no room. */
struct retrans_census_key {
	__u8 peer_address[16]; /* as in the record */
	__u32 netns_inode;
	__u16 service_port; /* the local port of an accepted connection, else the peer's */
	__u16 reserved;
};

struct retrans_census_sums {
	__u64 open;
	__u64 opened;
	__u64 closed;
	__u64 unknown; /* closed connections that were never seen before */
	__u64 segments; /* with data, retransmits included */
	__u64 retransmitted_segments;
	__u64 bytes;
	__u64 retransmitted_bytes;
	__u64 dsacks;
	__u64 rtt_sum_us;
	__u64 rtt_count;
	__u32 rtt_buckets[CENSUS_RTT_BUCKETS]; /* [n]: 2^n to 2^(n+1) µs; the last one has no end */
	__u32 unused[32 - CENSUS_RTT_BUCKETS]; /* the verifier knows that an index is below 32 */
};

/* What the census has not counted, since it began. */
struct retrans_census_losses {
	__u64 connections; /* for which there was no room */
	__u64 beyond; /* rows for which there was no room; their sums are in one row */
	__u64 stale; /* connections whose end the programs have missed */
};

/* The host's orders to the programs. */
struct retrans_census_control {
	__u32 is_counting;
	__u32 is_passing; /* a pass over the open connections is being made */
	__u32 pass; /* its number, from 1 */
	__u32 adopts_listeners; /* the scan of open files looks for listeners, else for connections */
};

#endif
