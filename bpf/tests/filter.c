/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The filters of the probe as a program of user space, for the test in
 * host/source/live/kernel_filters/tests.rs. Standard input: repeatedly a struct
 * retrans_filters, a number of subjects, and the subjects. Standard output: a byte for
 * each subject, with ADMITTED and IN_SAMPLE.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef int32_t __s32;
typedef unsigned long long __u64;
#undef __always_inline
#define __always_inline inline

#include "../filter.h"

#define ADMITTED 1
#define IN_SAMPLE 2

int main(void)
{
	static struct retrans_filters filters;
	struct retrans_subject subject;
	__u32 count;

	while (fread(&filters, sizeof(filters), 1, stdin) == 1) {
		if (fread(&count, sizeof(count), 1, stdin) != 1)
			return 1;
		while (count--) {
			if (fread(&subject, sizeof(subject), 1, stdin) != 1)
				return 1;
			putchar((admits(&filters, &subject, 0) ? ADMITTED : 0) |
				(is_in_sample(&filters, &subject) ? IN_SAMPLE : 0));
		}
		fflush(stdout);
	}
	return 0;
}
