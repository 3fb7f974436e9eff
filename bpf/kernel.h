/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that the probe reads, with only those fields that it reads.
 * CO-RE relocates every access to the offset of the field in the running kernel:
 * one object works on all kernels from 5.10 on, without a generated vmlinux.h.
 */
#ifndef RETRANS_KERNEL_H
#define RETRANS_KERNEL_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

/* uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

#define BPF_NOEXIST 1

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define TCPHDR_FIN 0x01
#define TCPHDR_SYN 0x02
#define TCPHDR_ACK 0x10
#define SOCK_DEAD 0 /* a bit of sk_flags */
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define TCP_CA_OPEN 0
#define TCP_INFINITE_SSTHRESH 0x7fffffff /* net/tcp.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie; /* 5.12+; an atomic64_t before, which does not match */
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	unsigned int val;
} kuid_t;

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level; /* below the root */
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* 6.1+ */
};

struct cgroup___up_to_6_0 {
	int level;
	__u64 ancestor_ids[];
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* 5.15+; a union of bits before */
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	void *private_data;
	struct inode *f_inode;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	__be16 skc_dport;
	__u16 skc_num;
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	union {
		unsigned long skc_flags;
		struct sock *skc_listener; /* of a request_sock */
	};
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	__u32 sk_mark;
	kuid_t sk_uid;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct tcp_congestion_ops {
	char name[16];
};

/* The timer of a tail loss probe, in icsk_pending. */
#define ICSK_TIME_LOSS_PROBE 5

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	unsigned long icsk_timeout; /* jiffies; not in every kernel */
	__u32 icsk_rto; /* jiffies */
	const struct tcp_congestion_ops *icsk_ca_ops;
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_backoff;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 snd_wnd;
	__u32 mss_cache;
	__u32 snd_cwnd;
	__u32 lost_out;
	__u32 sacked_out;
	__u32 tlp_high_seq;
	__u32 retrans_out;
	__u32 snd_ssthresh;
	struct minmax rtt_min; /* µs */
	__u32 data_segs_out;
	__u64 bytes_sent;
	__u32 mdev_us; /* << 2 */
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 srtt_us; /* << 3 */
	__u32 packets_out;
	__u32 delivered;
	__u32 dsack_dups;
	__u32 reord_seen;
	__u32 undo_marker;
	__u64 bytes_retrans;
	__u32 total_retrans;
	bool is_mptcp; /* where CONFIG_MPTCP=y */
};

struct list_head {
	struct list_head *next;
};

/* Of CONFIG_MPTCP. It begins with a struct sock, but is no tcp_sock: its subflows are. */
struct mptcp_sock {
	struct list_head conn_list; /* of mptcp_subflow_context.node */
};

struct mptcp_subflow_context {
	struct list_head node;
	struct sock *tcp_sock;
};

/* A connection request, which has no socket yet. */
struct request_sock {
	struct sock_common __req_common;
	__u16 mss;
	__u8 num_retrans;
};

struct inet_request_sock {
	struct request_sock req;
	__u32 ir_mark;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	__u32 snt_isn;
};

struct sk_buff {
	unsigned int len;
	char cb[48];
};

/* TCP_SKB_CB(skb) */
struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
	union {
		struct {
			__u16 tcp_gso_segs;
			__u16 tcp_gso_size;
		};
	};
	__u16 tcp_flags; /* a __u8 up to 6.14 */
	__u8 sacked;
};

struct trace_entry {
	unsigned short type;
};

/* The classic event, up to 6.16 and since 6.17. */
struct trace_event_raw_tcp_event_sk_skb {
	struct trace_entry ent;
	const void *skbaddr;
	const void *skaddr;
};

struct trace_event_raw_tcp_retransmit_skb {
	struct trace_entry ent;
	const void *skbaddr;
	const void *skaddr;
	int err; /* 6.17+ */
};

struct trace_event_raw_tcp_retransmit_synack {
	struct trace_entry ent;
	const void *skaddr;
	const void *req;
};

/* Processes and their numbers. */
struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct cred {
	kuid_t euid;
};

struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	int pid; /* of the thread */
	int tgid;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct pid *thread_pid;
	const struct cred *real_cred;
	struct nsproxy *nsproxy; /* NULL once it has ended */
	__u64 start_boottime; /* 5.5+ */
	char comm[16];
};

struct seq_file {
	unsigned long count;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct file *file;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key; /* NULL at the end */
};

#pragma clang attribute pop

#endif
