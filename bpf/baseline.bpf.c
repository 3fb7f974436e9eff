// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that the probe is compared with (benches/probe.rs): one that does nothing,
 * and one that records the few fields that bcc's tcpretrans prints.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct line {
	__u64 time_ns;
	__u32 pid;
	__u16 family;
	__u16 state;
	__be32 local[4];
	__be32 peer[4];
	__u16 local_port;
	__u16 peer_port;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* room for all events of a round: they are not read */
} lines SEC(".maps");

SEC("tp_btf/tcp_retransmit_skb")
int empty(void *ctx)
{
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int few_fields(__u64 *ctx)
{
	struct sock_common *sk = &((struct sock *)ctx[0])->__sk_common;
	struct line *line = bpf_ringbuf_reserve(&lines, sizeof(*line), 0);

	if (!line)
		return 0;
	__builtin_memset(line, 0, sizeof(*line));
	line->time_ns = bpf_ktime_get_boot_ns();
	line->pid = bpf_get_current_pid_tgid() >> 32;
	line->family = sk->skc_family;
	line->state = sk->skc_state;
	line->local_port = sk->skc_num;
	line->peer_port = bpf_ntohs(sk->skc_dport);
	if (line->family == AF_INET6) {
		*(struct in6_addr *)line->local = sk->skc_v6_rcv_saddr;
		*(struct in6_addr *)line->peer = sk->skc_v6_daddr;
	} else {
		line->local[0] = sk->skc_rcv_saddr;
		line->peer[0] = sk->skc_daddr;
	}
	bpf_ringbuf_submit(line, 0);
	return 0;
}
