/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C half of the switcher among its own rooms: world.c goes in and out, world_make.c makes what is
 * there before, world_host.c knows the host's CPUs. Nobody else comes here; what others
 * may ask is in lg.h.
 */
#ifndef _LGUEST_WORLD_H
#define _LGUEST_WORLD_H

#include <linux/jump_label.h>
#include <asm/fpu/types.h>
#include <asm/msr.h>

#include "watch.h"

/*
 * Tables of one vCPU's two address spaces: tops and lows for both, and the ways
 * to switcher text, state and the aliases of the exit stack.
 */
#define WORLD_TABLES 24

/* The Host's side of a vCPU that the Guest's page tables never map. */
struct lg_world {
	u64 *table[WORLD_TABLES]; /* every page-table page made here, to be freed */
	unsigned int tables;
	struct {
		u64 cr3, gdt;
	} view[LG_VIEWS]; /* what the processor gets for each */
	u64 *top[LG_VIEWS]; /* what CR3 points to */
	u64 *low[LG_VIEWS]; /* four entries of 1 GiB: shadow.c's */
	u64 guest_id; /* of the Guest, unique since the module was loaded */
	struct xregs_state *fpu; /* XSAVE area, standard format */
	u64 xcr0; /* state components that the Guest has switched on */
	u16 ds, es, fs; /* the Launcher's, while loaded */
	u64 fs_base;
	u64 efer_sce, sysenter_cs; /* the host's, while barred */
	u64 pebs, debugctl; /* the host's, while inside */
	u32 pkru; /* the Launcher's, while loaded */
	u64 host_dr[4]; /* addresses, while the Guest's are in the processor */
	int facts_of; /* the CPU that host_* in the state was read from, or -1 */
};

/* ---- world_make.c ---- */
/* T's IDT, at module load. */
void lg_make_t_idt(void);

/* ---- world_host.c: by the vCPU's task, preemption off ---- */
/* State components: of the host, and those of them that a 32-bit Guest can reach. */
extern u64 lg_host_xcr0, lg_fpu_mask;
/* There are MSRs to be switched at each entry, for one of these reasons. */
DECLARE_STATIC_KEY_FALSE(lg_switches_msrs);
/* The CPUs write records through linear addresses: BTS, PEBS. */
extern bool lg_has_debug_store, lg_has_pebs;
/* KVM reads EFER by an interrupt, and keeps it (S5). */
extern bool lg_kvm_reads_efer;

/* Interrupts off; so inline that nothing can trace them while the world is not whole. */
static __always_inline void lg_bar_syscall(struct lg_world *world)
{
	u64 efer;

	rdmsrq(MSR_EFER, efer);
	world->efer_sce = efer & EFER_SCE;
	wrmsrq(MSR_EFER, efer & ~EFER_SCE);
}

static __always_inline void lg_unbar_syscall(const struct lg_world *world)
{
	u64 efer;

	rdmsrq(MSR_EFER, efer);
	wrmsrq(MSR_EFER, efer | world->efer_sce);
}

void lg_bar_entry_points(struct lg_world *world);
void lg_unbar_entry_points(const struct lg_world *world);
/* NULL: no memory. */
struct xregs_state *lg_fpu_new(void);
unsigned int lg_fpu_bytes(void);

#endif /* _LGUEST_WORLD_H */
