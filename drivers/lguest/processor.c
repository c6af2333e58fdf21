// SPDX-License-Identifier: GPL-2.0
/*
 * What the plain rooms of the virtual processor (env.h) ask of the kernel that surrounds them.
 */
#include <linux/string.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "lg.h"

/* The leaf by which a Guest knows lguest (CPUID's range for hypervisors begins here). */
#define CPUID_HYPERVISOR	0x40000000

u64 lg_rdtsc(void)
{
	return rdtsc_ordered();
}

/*
 * The host processor's answer, as a program of the host's gets it. Only where CPUID faults does a
 * Guest ask here; so nothing is masked that others would see.
 */
void lg_cpuid(u32 reg[4])
{
	u32 leaf = reg[0];

	if (leaf == CPUID_HYPERVISOR) {
		reg[0] = CPUID_HYPERVISOR;
		memcpy(&reg[1], "lguestlguest", 12);
		return;
	}
	cpuid_count(leaf, reg[1], &reg[0], &reg[1], &reg[2], &reg[3]);
}
