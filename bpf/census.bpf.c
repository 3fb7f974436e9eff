// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The census: what all TCP connections send, summed up by peer and service.
 *
 * `connections` has an entry for each connection, from its beginning to its end. The entry says what of the
 * socket's counters is in a row already. A pass over the entries, one an interval, and the end of a connection add
 * the rest. Each segment is thus counted once.
 *
 * There are two maps of rows. Before a pass the host exchanges them. When the exchange returns, the kernel has
 * waited for the programs that used the old order of the maps (map-in-map: synchronize_rcu, since 4.20). The pass
 * alone then adds to the old rows, and the host reads them when it is over.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "census_sums.h"
#include "filter.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Connections at the same time. With the kernel's own part, 144 bytes each, allocated when the programs are loaded. */
#define MAX_CONNECTIONS 262144
/* Connections that end on one CPU while the pass reads them on another one: at most one for each CPU. */
#define MAX_CONFLICTS 4096
#define MAX_LISTENERS 16384
/* Of a map that is full: include/uapi/asm-generic/errno-base.h. */
#define E2BIG 7
/* The kernel's own limit of subflows is lower. */
#define MAX_SUBFLOWS 32

/* Set by the host before the programs are loaded. Of the filters only those of addresses, ports and namespaces. */
const volatile struct retrans_filters filters = {};

/* Always 0, which the verifier does not know: see has_address(). */
volatile __u64 search_start;

/*
 * A connection. The kernel uses the memory of a socket for the next one at once: without the ports, a connection whose
 * end the pass has not counted yet would be the one that begins at its address.
 */
struct connection_id {
	__u64 socket; /* its address */
	__u16 local_port; /* both in network byte order */
	__u16 peer_port;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONNECTIONS);
	__type(key, struct connection_id);
	__type(value, struct connection);
} connections SEC(".maps");

/* Connections that the pass or a program at their end is working on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONFLICTS);
	__type(key, struct connection_id);
	__type(value, __u8);
} claims SEC(".maps");

/* The last counters of connections that ended while the pass was working on them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONFLICTS);
	__type(key, struct connection_id);
	__type(value, struct counts);
} ended SEC(".maps");

/* A port that is listened on, when the census begins. */
struct listener {
	__u32 netns_inode;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LISTENERS);
	__type(key, struct listener);
	__type(value, __u8);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct retrans_census_control);
} control SEC(".maps");

static __always_inline const volatile struct retrans_census_control *orders(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

/* The ports stay until the socket is released, or connected again. */
static __always_inline struct connection_id id_of(struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	const bool probed = true;
	const struct connection_id id = {
		.socket = (__u64)sk,
		.local_port = LOAD(inet, inet_sport),
		.peer_port = LOAD(sk, __sk_common.skc_dport),
	};

	return id;
}

/*
 * Sets who is connected. Returns whether the filters admit the connection. At the end of a connection
 * its socket has no skc_num any more.
 */
static __always_inline bool identify(struct connection *connection, struct tcp_sock *tp,
				     const bool accepted, const bool probed)
{
	struct sock_common *common = &tp->inet_conn.icsk_inet.sk.__sk_common;
	struct retrans_subject subject = {};
	struct net *net = LOAD(common, skc_net.net);

	subject.ip_version =
		read_addresses(subject.local_address, subject.peer_address, common, probed);
	subject.local_port = bpf_ntohs(LOAD(tp, inet_conn.icsk_inet.inet_sport));
	subject.peer_port = bpf_ntohs(LOAD(common, skc_dport));
	subject.netns_inode = LOAD(net, ns.inum);
	if (filters.in_use && !admits(&filters, &subject, search_start))
		return false;
	__builtin_memcpy(connection->key.peer_address, subject.peer_address,
			 sizeof(subject.peer_address));
	connection->key.netns_inode = subject.netns_inode;
	connection->key.service_port = accepted ? subject.local_port : subject.peer_port;
	return true;
}

/* Was the connection accepted? Known of those that begin during the census; of others by the ports that are listened on. */
static __always_inline bool is_of_listener(struct tcp_sock *tp, const bool probed)
{
	struct net *net = LOAD(tp, inet_conn.icsk_inet.sk.__sk_common.skc_net.net);
	const struct listener listener = {
		.netns_inode = LOAD(net, ns.inum),
		.port = bpf_ntohs(LOAD(tp, inet_conn.icsk_inet.inet_sport)),
	};

	return bpf_map_lookup_elem(&listeners, &listener);
}

static __always_inline bool claim(const struct connection_id *id)
{
	const __u8 any = 0;

	return !bpf_map_update_elem(&claims, id, &any, BPF_NOEXIST);
}

static __always_inline void release(const struct connection_id *id)
{
	bpf_map_delete_elem(&claims, id);
}

/* Counts what the connection has sent at last. */
static __always_inline void end(const struct connection_id *id, struct connection *connection,
				const struct counts *last)
{
	struct retrans_census_sums *sums = sums_of(&connection->key, CURRENT);

	if (sums) {
		settle(connection, last, sums);
		__sync_fetch_and_add(&sums->closed, 1);
	}
	bpf_map_delete_elem(&connections, id);
}

/*
 * Ends a connection whose last counters are in `ended`. The end of the connection calls this after it has put them
 * there, and the pass after it has released its claim: the later one of the two gets the claim.
 */
static __always_inline void end_if_ended(const struct connection_id *id)
{
	struct connection *connection;
	struct counts *last = bpf_map_lookup_elem(&ended, id);

	if (!last || !claim(id))
		return;
	last = bpf_map_lookup_elem(&ended, id);
	connection = bpf_map_lookup_elem(&connections, id);
	if (last && connection)
		end(id, connection, last);
	bpf_map_delete_elem(&ended, id);
	release(id);
}

static __always_inline void begin_connection(struct tcp_sock *tp, bool accepted, bool is_passing)
{
	const struct connection_id id = id_of((struct sock *)tp);
	struct connection connection = { .is_new = 1 };

	if (!identify(&connection, tp, accepted, false))
		return;
	/*
	 * What was sent before, as data in a SYN, counts. The retransmits before are those of SYN and SYN-ACK,
	 * which the kernel does not count among the segments with data.
	 */
	connection.counted.retransmits = tp->total_retrans;
	if (is_passing && !bpf_map_delete_elem(&ended, &id))
		COUNT_LOSS(stale);
	if (bpf_map_update_elem(&connections, &id, &connection, 0))
		COUNT_LOSS(connections);
}

static __always_inline void end_connection(struct tcp_sock *tp, bool is_passing)
{
	const struct connection_id id = id_of((struct sock *)tp);
	struct connection *connection = bpf_map_lookup_elem(&connections, &id);
	struct retrans_census_sums *sums;
	struct counts last = {};

	if (!connection) {
		struct connection unknown = {};

		if (identify(&unknown, tp, is_of_listener(tp, false), false)) {
			sums = sums_of(&unknown.key, CURRENT);
			if (sums)
				__sync_fetch_and_add(&sums->unknown, 1);
		}
		return;
	}
	read_counts(&last, tp, false);
	if (!is_passing) {
		end(&id, connection, &last);
		return;
	}
	bpf_map_update_elem(&ended, &id, &last, 0);
	end_if_ended(&id);
}

/*
 * The beginning of a connection: it leaves the handshake. (A Fast Open child whose process closes it goes
 * from SYN_RECV to FIN_WAIT1.) Its end: CLOSE, which precedes both the release of the socket and the reset of its
 * counters in tcp_disconnect(). The tracepoint fires before the state changes.
 */
SEC("tp_btf/inet_sock_set_state")
int census_state(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const int from = (int)ctx[1];
	const int to = (int)ctx[2];
	const bool from_handshake = from == TCP_SYN_SENT || from == TCP_SYN_RECV;
	const volatile struct retrans_census_control *control;
	struct tcp_sock *tp;

	if (to == TCP_SYN_SENT || to == TCP_SYN_RECV || to == TCP_LISTEN)
		return 0;
	if (from_handshake == (to == TCP_CLOSE))
		return 0;
	if (from == TCP_CLOSE || from == TCP_LISTEN)
		return 0;
	control = orders();
	if (!control || !control->is_counting)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (to == TCP_CLOSE)
		end_connection(tp, control->is_passing);
	else
		begin_connection(tp, from == TCP_SYN_RECV, control->is_passing);
	return 0;
}

/* The socket's retransmits include FINs without data, its segments do not. */
SEC("tp_btf/tcp_retransmit_skb")
int census_retransmit(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[1];
	struct tcp_skb_cb *cb = (struct tcp_skb_cb *)&skb->cb[0];
	struct connection *connection;
	struct connection_id id;

	if (!(read_tcp_flags(cb, false) & TCPHDR_FIN) || skb->len)
		return 0;
	if (HAS_ERR && failed_before_counting((int)ctx[2]))
		return 0;
	id = id_of((struct sock *)ctx[0]);
	connection = bpf_map_lookup_elem(&connections, &id);
	if (connection)
		__sync_fetch_and_add(&connection->bare_fins, 1);
	return 0;
}

/* Does the entry belong to the connection that the socket is used for? */
static __always_inline bool is_current(const struct connection_id *id, struct sock *sk)
{
	const struct connection_id now = id_of(sk);
	const bool probed = true;

	return LOAD(sk, __sk_common.skc_state) != TCP_CLOSE &&
	       now.local_port == id->local_port && now.peer_port == id->peer_port;
}

/* The pass adds to the previous rows, to which no other program adds. */
static __always_inline void visit(const struct connection_id *id, struct connection *connection)
{
	struct sock *sk = (struct sock *)id->socket;
	struct retrans_census_sums *sums;
	struct counts now = {};

	if (!is_current(id, sk)) {
		/* Or its end is just being counted: the next pass tells. */
		if (connection->is_suspect) {
			COUNT_LOSS(stale);
			bpf_map_delete_elem(&connections, id);
			return;
		}
		connection->is_suspect = 1;
		return;
	}
	connection->is_suspect = 0;
	read_counts(&now, (struct tcp_sock *)sk, true);
	/* It has ended meanwhile, and its memory may have been used again before it was read. */
	if (bpf_map_lookup_elem(&ended, id))
		return;
	sums = sums_of(&connection->key, PREVIOUS);
	if (!sums)
		return;
	settle(connection, &now, sums);
	__sync_fetch_and_add(&sums->open, 1);
}

SEC("iter/bpf_map_elem")
int census_pass(struct bpf_iter__bpf_map_elem *ctx)
{
	const volatile struct retrans_census_control *control = orders();
	const __u8 any = 0;
	/* Read once: the verifier forgets the check of a value that is read again. */
	const struct connection_id *key = ctx->key;
	struct connection *connection;
	struct connection_id id;

	if (!key || !control)
		return 0;
	id = *key;
	connection = bpf_map_lookup_elem(&connections, &id);
	if (connection && connection->pass != control->pass && claim(&id)) {
		connection = bpf_map_lookup_elem(&connections, &id);
		if (connection) {
			connection->pass = control->pass;
			visit(&id, connection);
		}
		release(&id);
		end_if_ended(&id);
	}
	/*
	 * A read ends when its buffer is full. Without output the kernel would make the whole pass at once, without
	 * letting other tasks run.
	 */
	bpf_seq_write(ctx->meta->seq, &any, sizeof(any));
	return 0;
}

static __always_inline void adopt(struct sock *sk)
{
	const bool probed = true;
	const struct connection_id id = id_of(sk);
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct connection connection = {};
	const unsigned char state = LOAD(sk, __sk_common.skc_state);

	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT ||
	    state == TCP_SYN_RECV)
		return;
	if (!identify(&connection, tp, is_of_listener(tp, true), true))
		return;
	read_counts(&connection.counted, tp, true);
	/* One that began after the programs were attached has an entry. */
	if (bpf_map_update_elem(&connections, &id, &connection, BPF_NOEXIST) == -E2BIG)
		COUNT_LOSS(connections);
	if (LOAD(sk, __sk_common.skc_state) == TCP_CLOSE)
		bpf_map_delete_elem(&connections, &id);
}

static __always_inline void adopt_subflows(struct sock *sk)
{
	struct mptcp_sock *mptcp = (struct mptcp_sock *)sk;
	struct list_head *head, *node;
	int index;

	if (!bpf_core_type_exists(struct mptcp_subflow_context))
		return;
	head = __builtin_preserve_access_index(&mptcp->conn_list);
	node = BPF_CORE_READ(mptcp, conn_list.next);
	for (index = 0; index < MAX_SUBFLOWS; index++) {
		struct mptcp_subflow_context *subflow;
		struct sock *tcp;

		if (!node || node == head)
			return;
		subflow = (void *)node - bpf_core_field_offset(struct mptcp_subflow_context, node);
		tcp = BPF_CORE_READ(subflow, tcp_sock);
		if (tcp)
			adopt(tcp);
		node = BPF_CORE_READ(node, next);
	}
}

/*
 * Two passes over all open files when the census begins: the ports that are listened on, then the connections that
 * are there already. What they have sent so far is not counted.
 */
SEC("iter/task_file")
int census_adopt(struct bpf_iter__task_file *ctx)
{
	const volatile struct retrans_census_control *control = orders();
	const bool probed = true;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u16 protocol;

	if (!ctx->task || !file || !control)
		return 0;
	/* As in holders.bpf.c. */
	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	protocol = LOAD(sk, sk_protocol);
	if (control->adopts_listeners) {
		struct net *net = LOAD(sk, __sk_common.skc_net.net);
		const struct listener listener = {
			.netns_inode = LOAD(net, ns.inum),
			.port = LOAD(sk, __sk_common.skc_num),
		};
		const __u8 any = 0;

		if ((protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) &&
		    LOAD(sk, __sk_common.skc_state) == TCP_LISTEN)
			bpf_map_update_elem(&listeners, &listener, &any, 0);
	} else if (protocol == IPPROTO_TCP) {
		adopt(sk);
	} else if (protocol == IPPROTO_MPTCP) {
		adopt_subflows(sk);
	}
	return 0;
}
