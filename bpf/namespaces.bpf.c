// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists the processes with their network namespaces: one pass over the tasks in the
 * reader's pid namespace. The link /proc/PID/ns/net shows the same only to those who may
 * trace the process.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "member.h"
#include "pid.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Puts the type into the object's BTF, from which the Rust type is generated. */
const struct retrans_member *unused_member __attribute__((unused));

SEC("iter/task")
int namespace_members(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct retrans_member member = {};
	struct nsproxy *nsproxy;
	struct net *net;

	/* Each thread may have a namespace of its own. /proc/PID/net is that of the main thread. */
	if (!task || task->pid != task->tgid)
		return 0;
	/*
	 * No lock is held. If the task enters other namespaces right now, the memory may already be that of
	 * others: a reader that relies on a namespace compares two passes. A task that has ended has none.
	 */
	nsproxy = task->nsproxy;
	if (!nsproxy)
		return 0;
	net = nsproxy->net_ns;
	member.netns_inode = net->ns.inum;
	if (bpf_core_field_exists(net->net_cookie))
		member.netns_cookie = net->net_cookie;
	/* The reader is the current task. */
	member.pid = pid_at(task, pid_level((struct task_struct *)bpf_get_current_task()));
	if (!member.pid)
		return 0;
	member.begun_ns = task->start_boottime;
	/* If the buffer is full, the kernel calls again for the same task with an empty buffer. */
	bpf_seq_write(ctx->meta->seq, &member, sizeof(member));
	return 0;
}
