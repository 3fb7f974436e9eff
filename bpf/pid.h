/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Process numbers: a process has one in its pid namespace and in each one around it. */
#ifndef RETRANS_PID_H
#define RETRANS_PID_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>

/* The level of the pid namespace that the process is in. The initial one has level 0. */
static __always_inline unsigned int pid_level(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, thread_pid, level);
}

/* The number of the process at this level of pid namespaces; 0 where it has none. */
static __always_inline __u32 pid_at(struct task_struct *task, unsigned int level)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 number = 0;
	void *upid;

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	upid = (void *)&pid->numbers[0] + level * bpf_core_type_size(struct upid);
	bpf_core_read(&number, sizeof(number), &((struct upid *)upid)->nr);
	return number;
}

#endif
