/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One process that holds one TCP socket: the scan writes it, host/source/owner/scan.rs reads it. */
#ifndef RETRANS_HOLDER_H
#define RETRANS_HOLDER_H

struct retrans_holder {
	__u64 inode;
	__u64 begun_ns; /* since boot */
	__u32 pid;    /* in the reader's pid namespace */
	__u32 parent; /* in the same namespace; 0 where the parent is not in it */
	__u32 uid;    /* effective, as numbered outside of user namespaces */
	__u32 reserved;
	char comm[16];
};

#endif
