// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists the processes that hold TCP sockets: one pass over the open files of all
 * tasks in the reader's pid namespace. Each pair of a process and a socket is
 * written once, with exceptions: the reader drops repeats.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "holder.h"
#include "pid.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Puts the type into the object's BTF, from which the Rust type is generated. */
const struct retrans_holder *unused_holder __attribute__((unused));

/*
 * The pair that was written last, for each inode modulo SLOTS. A user may have one socket open millions of
 * times: 20,000 descriptors in each of 400 processes. The files of a task come one after the other, so that
 * another socket takes a slot only where a task has more than SLOTS sockets open.
 */
#define SLOTS 4096

struct written {
	__u64 inode;
	__u32 tgid;
	__u32 pass; /* low bits of the number of the pass, which counts from 1 */
};

static struct written written[SLOTS];

/*
 * The process of the task whose file was seen last. It is read once for all files of
 * the task: reading it took three quarters of the time of a scan of many sockets.
 */
static struct {
	__u64 started; /* with the number, this identifies the task */
	__u32 number;
	__u32 pass;
	struct retrans_holder holder;
} process;

/* Reads the process of the task. The reader is the current task, whose pid namespace counts. */
static __always_inline void read_process(struct task_struct *task)
{
	const unsigned int level = pid_level((struct task_struct *)bpf_get_current_task());
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	process.holder.pid = pid_at(task, level);
	process.holder.parent = pid_at(BPF_CORE_READ(leader, real_parent), level);
	process.holder.begun_ns = BPF_CORE_READ(leader, start_boottime);
	process.holder.uid = BPF_CORE_READ(task, real_cred, euid.val);
	BPF_CORE_READ_INTO(&process.holder.comm, leader, comm);
}

SEC("iter/task_file")
int socket_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct written *last;
	struct socket *socket;
	__u16 protocol;
	__u32 tgid, pass;
	__u64 inode;

	if (!task || !file)
		return 0;
	/*
	 * Is the file a socket? bpf_sock_from_file, which compares file->f_op instead, came with 5.11. A
	 * path to a Unix socket that was opened with O_PATH has this mode too, but no private data: its
	 * protocol reads as 0.
	 */
	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	inode = file->f_inode->i_ino;
	tgid = task->tgid;
	pass = ctx->meta->session_id;
	last = &written[inode & (SLOTS - 1)];
	if (last->inode == inode && last->tgid == tgid && last->pass == pass)
		return 0;
	socket = file->private_data;
	protocol = BPF_CORE_READ(socket, sk, sk_protocol);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return 0;

	if (process.number != (__u32)task->pid || process.started != task->start_boottime ||
	    process.pass != pass) {
		read_process(task);
		process.number = task->pid;
		process.started = task->start_boottime;
		process.pass = pass;
	}
	if (!process.holder.pid)
		return 0;
	process.holder.inode = inode;
	/* If the buffer is full, the kernel calls again for the same file with an empty buffer. */
	if (bpf_seq_write(ctx->meta->seq, &process.holder, sizeof(process.holder)))
		return 0;
	last->inode = inode;
	last->tgid = tgid;
	last->pass = pass;
	return 0;
}
