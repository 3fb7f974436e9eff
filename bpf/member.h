/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One process and its network namespace: bpf/namespaces.bpf.c writes it, host/source/live/members.rs reads it. */
#ifndef RETRANS_MEMBER_H
#define RETRANS_MEMBER_H

struct retrans_member {
	__u64 begun_ns;     /* since boot */
	__u64 netns_cookie; /* 5.12+; 0 before */
	__u32 netns_inode;
	__u32 pid; /* in the reader's pid namespace */
};

#endif
