/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sums of the census as a program of user space, for the test in host/source/census/tests.rs. Standard input:
 * repeatedly a struct counts and a number of bare FINs, of one connection, as they are at a pass. Standard output: the sums
 * after each.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef unsigned long long __u64;
#undef __always_inline
#define __always_inline inline
#define barrier_var(variable) asm volatile("" : "+r"(variable))

#include "../census_settle.h"

int main(void)
{
	static struct retrans_census_sums sums;
	static struct connection connection = { .is_new = 1 };
	struct counts now;

	/* The connection is seen first with these counters. */
	if (fread(&connection.counted, sizeof(connection.counted), 1, stdin) != 1)
		return 1;
	while (fread(&now, sizeof(now), 1, stdin) == 1) {
		if (fread(&connection.bare_fins, sizeof(connection.bare_fins), 1, stdin) != 1)
			return 1;
		settle(&connection, &now, &sums);
		fwrite(&sums, sizeof(sums), 1, stdout);
		fflush(stdout);
	}
	return 0;
}
