// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The probe: writes one record into the ring for each call of the kernel's tracepoints
 * tcp_retransmit_skb and tcp_retransmit_synack.
 *
 * The probe reads and counts. Its only change to the kernel is that sockets get
 * their cookies. User space determines the cause of the retransmit from the
 * evidence that is recorded here.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "ring_event.h"
#include "fill_record.h"
#include "select.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Puts the types of the record into the object's BTF, where build.rs checks them. */
const struct retrans_event *unused_event __attribute__((unused));
const struct retrans_ring_event *unused_ring_event __attribute__((unused));
const enum retrans_has *unused_has __attribute__((unused));
/* Types that the host uses. */
const enum retrans_filter *unused_filter __attribute__((unused));
const struct retrans_subject *unused_subject __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* --ring-size */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct retrans_counters);
} counters SEC(".maps");

/* Fields that are known for every full TCP socket. */
#define KNOWN_OF_SOCKET                                                           \
	(BIT(HAS_SEQ) | BIT(HAS_END_SEQ) | BIT(HAS_LENGTH) |                   \
	 BIT(HAS_SEGMENTS) | BIT(HAS_TCP_FLAGS) | BIT(HAS_SACKED) |            \
	 BIT(HAS_CA_STATE) | BIT(HAS_TIMER) | BIT(HAS_RETRANSMITS) |           \
	 BIT(HAS_BACKOFF) | BIT(HAS_FAMILY) | BIT(HAS_TLP_HIGH_SEQ) |          \
	 BIT(HAS_UNDO_MARKER) | BIT(HAS_CWND) | BIT(HAS_MSS) |                 \
	 BIT(HAS_PACKETS_OUT) | BIT(HAS_LOST_OUT) | BIT(HAS_SACKED_OUT) |      \
	 BIT(HAS_RETRANS_OUT) | BIT(HAS_SND_UNA) | BIT(HAS_SND_NXT) |          \
	 BIT(HAS_SND_WND) | BIT(HAS_TOTAL_RETRANS) | BIT(HAS_DATA_SEGS_OUT) |  \
	 BIT(HAS_DELIVERED) | BIT(HAS_DSACK_DUPS) | BIT(HAS_REORD_SEEN) |      \
	 BIT(HAS_BYTES_SENT) | BIT(HAS_BYTES_RETRANS) | BIT(HAS_NETNS_INODE) | \
	 BIT(HAS_MARK) | BIT(HAS_UID) | BIT(HAS_OWNER_STATUS))

/* Fields that are known for a connection request, which has no congestion control yet. */
#define KNOWN_OF_REQUEST                                                       \
	(BIT(HAS_SEQ) | BIT(HAS_END_SEQ) | BIT(HAS_LENGTH) |                   \
	 BIT(HAS_SEGMENTS) | BIT(HAS_TCP_FLAGS) | BIT(HAS_RETRANSMITS) |       \
	 BIT(HAS_FAMILY) | BIT(HAS_MSS) | BIT(HAS_TOTAL_RETRANS) |             \
	 BIT(HAS_NETNS_INODE) | BIT(HAS_MARK) | BIT(HAS_UID) |                 \
	 BIT(HAS_FAST_OPEN) | BIT(HAS_OWNER_STATUS))

/*
 * The number of the event on this CPU: it counts the events that are wanted, and so
 * also those that the rate or the ring refused. An atomic add that returns the value
 * needs 5.12. Read separately, two nested softirqs may see the same number, and the
 * sum of the steps is still right.
 */
static __always_inline __u64 sequence(const struct retrans_counters *counter)
{
	const volatile struct retrans_counters *now = counter;

	return filters.in_use ? now->entered - now->filtered - now->sampled_out : now->entered;
}

/* Reserves a record in the ring and sets the fields that every record has; NULL if the ring is full. */
static __always_inline struct retrans_ring_event *begin(struct retrans_counters *counter)
{
	struct retrans_ring_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&counter->ring_full, 1);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->cpu = bpf_get_smp_processor_id();
	event->boot_time_ns = bpf_ktime_get_boot_ns();
	event->cpu_sequence = sequence(counter);
	return event;
}

static __always_inline int submit(struct retrans_counters *counter,
				  struct retrans_ring_event *event, __u64 present)
{
	event->present = present;
	bpf_ringbuf_submit(event, 0);
	__sync_fetch_and_add(&counter->recorded, 1);
	return 0;
}

/*
 * Set by the host once it has given up its privileges and its plugins have started:
 * what happens before belongs to no run, and is not counted.
 */
volatile __u32 is_recording;

/* The counters of this CPU; NULL while the host does not record. */
static __always_inline struct retrans_counters *this_cpu(void)
{
	__u32 zero = 0;

	if (!is_recording)
		return 0;
	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline int record(struct sock *sk, struct sk_buff *skb, struct tcp_sock *tp,
				  const bool has_error, const int error, const bool probed)
{
	struct retrans_counters *counter = this_cpu();
	struct retrans_ring_event *event;
	__u64 present = KNOWN_OF_SOCKET;

	if (!counter || !tp) /* `tp` for the verifier: it is not NULL here */
		return 0;
	__sync_fetch_and_add(&counter->entered, 1);
	if (!is_segment_wanted(counter, sk, tp, skb, has_error ? error : 0, probed))
		return 0;
	event = begin(counter);
	if (!event)
		return 0;
	event->origin = ORIGIN_TCP_RETRANSMIT_SKB;
	if (has_error) {
		event->error = error;
		SET_PRESENT(HAS_ERROR);
	}
	if (parts & PART_SEGMENT)
		fill_segment(event, skb, probed);
	present |= fill_socket(event, sk, tp, probed);
	return submit(counter, event, present);
}

/*
 * `sk` is the listener. With TCP Fast Open it is the child, a full socket that
 * may have been accepted already; then `tp` is the child, else NULL.
 */
static __always_inline int record_synack(struct sock *sk, struct request_sock *req,
					 struct tcp_sock *tp, const bool probed)
{
	struct retrans_counters *counter = this_cpu();
	struct retrans_ring_event *event;
	__u64 present = KNOWN_OF_REQUEST;
	struct sock *listener = sk;

	if (!counter)
		return 0;
	__sync_fetch_and_add(&counter->entered, 1);
	if (!is_synack_wanted(counter, sk, tp, tp ? &sk->__sk_common : &req->__req_common, probed))
		return 0;
	event = begin(counter);
	if (!event)
		return 0;
	event->origin = ORIGIN_TCP_RETRANSMIT_SYNACK;
	if (tp) {
		event->fast_open = 1;
		present |= KNOWN_OF_SOCKET | fill_socket(event, sk, tp, probed);
		present &= ~BIT(HAS_SACKED);
		listener = BPF_CORE_READ(req, __req_common.skc_listener);
	} else {
		/* The request's own state, NEW_SYN_RECV, is internal to the kernel. */
		event->state = TCP_SYN_RECV;
		event->mss = LOAD(req, mss);
		event->total_retrans = LOAD(req, num_retrans) + 1;
		event->owner_status = OWNER_NOT_ACCEPTED;
		fill_addresses(event, &req->__req_common, probed);
		present |= fill_origin(event, sk, &req->__req_common, probed);
	}
	fill_synack(event, req, probed);
	/* skc_listener is in a union: the verifier does not follow pointers in unions. */
	if (event->owner_status == OWNER_NOT_ACCEPTED && listener)
		SET_UNLESS(event, HAS_LISTENER_INODE, listener_inode, 0,
			   inode_of(BPF_CORE_READ(listener, sk_socket)));
	return submit(counter, event, present);
}

/* Not the child of a Fast Open connection. CLOSE: a listener that is being closed. */
static __always_inline bool is_listener(unsigned char state)
{
	return state == TCP_LISTEN || state == TCP_CLOSE;
}

SEC("tp_btf/tcp_retransmit_skb")
int btf_retransmit_skb(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct sk_buff *skb = (struct sk_buff *)ctx[1];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	/* The third argument came with 6.17; the verifier of older kernels refuses it. */
	if (HAS_ERR)
		return record(sk, skb, tp, true, (int)ctx[2], false);
	return record(sk, skb, tp, false, 0, false);
}

SEC("tp_btf/tcp_retransmit_synack")
int btf_retransmit_synack(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct request_sock *req = (struct request_sock *)ctx[1];

	if (is_listener(sk->__sk_common.skc_state))
		return record_synack(sk, req, 0, false);
	return record_synack(sk, req, bpf_skc_to_tcp_sock(sk), false);
}

SEC("tracepoint/tcp/tcp_retransmit_skb")
int classic_retransmit_skb(void *ctx)
{
	struct sock *sk;
	struct sk_buff *skb;

	if (HAS_ERR) {
		struct trace_event_raw_tcp_retransmit_skb *event = ctx;

		sk = (struct sock *)event->skaddr;
		skb = (struct sk_buff *)event->skbaddr;
		return record(sk, skb, (struct tcp_sock *)sk, true, event->err, true);
	} else {
		struct trace_event_raw_tcp_event_sk_skb *event = ctx;

		sk = (struct sock *)event->skaddr;
		skb = (struct sk_buff *)event->skbaddr;
		return record(sk, skb, (struct tcp_sock *)sk, false, 0, true);
	}
}

SEC("tracepoint/tcp/tcp_retransmit_synack")
int classic_retransmit_synack(struct trace_event_raw_tcp_retransmit_synack *event)
{
	struct sock *sk = (struct sock *)event->skaddr;
	struct request_sock *req = (struct request_sock *)event->req;
	const bool probed = true;

	if (is_listener(LOAD(sk, __sk_common.skc_state)))
		return record_synack(sk, req, 0, true);
	return record_synack(sk, req, (struct tcp_sock *)sk, true);
}
