// SPDX-License-Identifier: GPL-2.0
/*
 * Making and breaking what a vCPU has of the switcher: the page tables of its two address spaces (S4,
 * S7, S9), its own GDT, IDT, TSS and T's. All of it stands before the vCPU first runs and stays as
 * it is; what changes with an entry is world.c's, what the Guest's part of the tables holds is
 * shadow.c's.
 */
#include <linux/gfp.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>

#include "world.h"

/* A ring-0 code and data descriptor, as Linux has them. */
#define DESC_KERNEL_CODE 0x00af9b000000ffffULL
#define DESC_KERNEL_DATA 0x00cf93000000ffffULL

/* One for all vCPUs: T's IDT, used under the Host's CR3 only. */
static gate_desc t_idt[LG_VECTORS] __page_aligned_bss;

static atomic64_t guest_ids;

/* ---- Page tables ---- */

unsigned int lg_host_levels(void)
{
	return native_read_cr4() & X86_CR4_LA57 ? 5 : 4;
}

static u64 *new_table(struct lg_world *world)
{
	u64 *table;

	if (WARN_ON_ONCE(world->tables == WORLD_TABLES))
		return NULL;
	table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (table)
		world->table[world->tables++] = table;
	return table;
}

/*
 * The table of `level` (1: page table) on the way to va below `top`; made where
 * it is missing, with `rights` in the entries that lead to it. NULL: no memory.
 */
static u64 *table_for(struct lg_world *world, u64 *top, unsigned long va,
		      unsigned int level, u64 rights)
{
	unsigned int at;
	u64 *table = top;

	for (at = lg_host_levels(); at > level; at--) {
		u64 *entry = &table[(va >> (PAGE_SHIFT + 9 * (at - 1))) & 511];

		if (!*entry) {
			u64 *next = new_table(world);

			if (!next)
				return NULL;
			*entry = __sme_pa(next) | rights;
		}
		table = __va(__sme_clr(*entry) & PHYSICAL_PAGE_MASK);
	}
	return table;
}

static int map_switcher_page(struct lg_world *world, unsigned long va, u64 pa,
			     u64 rights)
{
	const u64 table_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED;
	u64 *table = table_for(world, world->top[LG_VIEW_KERNEL], va, 1,
			       table_rights);

	if (!table)
		return -ENOMEM;
	/* S4: never the user bit. */
	table[(va >> PAGE_SHIFT) & 511] = __sme_set(pa) | rights |
					  _PAGE_PRESENT | _PAGE_ACCESSED;
	return 0;
}

/*
 * The aliases of the exit stack (S9; switcher.h): all entries of a table lead to the same next one,
 * and each sixteenth of the last to the page.
 */
static int map_aliases(struct lg_cpu *cpu)
{
	const u64 table_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED;
	const u64 page = __sme_pa(&cpu->state->self) | table_rights | _PAGE_DIRTY | _PAGE_NX;
	unsigned long va = LG_ALIAS_START(lg_host_levels());
	struct lg_world *world = cpu->world;
	u64 *tops, *middle, *last;
	unsigned int i;

	tops = table_for(world, world->top[LG_VIEW_KERNEL], va, 3, table_rights);
	middle = new_table(world);
	last = new_table(world);
	if (!tops || !middle || !last)
		return -ENOMEM;
	for (i = 0; i < LG_ALIAS_SIZE >> PUD_SHIFT; i++)
		tops[i] = __sme_pa(middle) | table_rights;
	for (i = 0; i < 512; i++)
		middle[i] = __sme_pa(last) | table_rights;
	for (i = 0; i < 512; i += LG_ALIAS_STEP / PAGE_SIZE)
		last[i] = page;
	cpu->state->alias = va + offset_in_page(&cpu->state->frame.ip);
	return 0;
}

/*
 * The two address spaces: 0-4 GiB is the Guest's, one for each view; above it
 * the same few pages of ours in both (S4).
 */
static int build_tables(struct lg_cpu *cpu)
{
	const u64 low_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER |
			       _PAGE_ACCESSED;
	struct lg_world *world = cpu->world;
	unsigned long va, state = (unsigned long)cpu->state;
	enum lg_view view;
	unsigned int i;
	int err;

	for (view = 0; view < LG_VIEWS; view++) {
		world->top[view] = new_table(world);
		if (!world->top[view])
			return -ENOMEM;
	}
	for (va = (unsigned long)lg_switcher_text;
	     va < (unsigned long)lg_switcher_text_end; va += PAGE_SIZE) {
		err = map_switcher_page(
			world, va,
			PFN_PHYS(page_to_pfn(vmalloc_to_page((void *)va))), 0);
		if (err)
			return err;
	}
	for (va = state; va < state + LG_STATE_SHARED; va += PAGE_SIZE) {
		err = map_switcher_page(world, va, __pa(va),
					_PAGE_RW | _PAGE_DIRTY | _PAGE_NX);
		if (err)
			return err;
	}
	err = map_aliases(cpu);
	if (err)
		return err;
	for (i = 0; i < 512; i++)
		world->top[LG_VIEW_USER][i] = world->top[LG_VIEW_KERNEL][i];
	for (view = 0; view < LG_VIEWS; view++) {
		world->low[view] =
			table_for(world, world->top[view], 0, 3, low_rights);
		if (!world->low[view])
			return -ENOMEM;
		world->view[view].gdt = (u64)cpu->state->gdt[view];
		/*
		 * PCID 0 is none of Linux's processes, whatever the version: theirs begin at 1. Bit
		 * 63 is clear, so that a load flushes all that it has (S7).
		 */
		world->view[view].cr3 = __sme_pa(world->top[view]);
	}
	return 0;
}

u64 *lg_world_low(struct lg_cpu *cpu, enum lg_view view)
{
	return cpu->world->low[view];
}

u64 lg_world_cr3(struct lg_cpu *cpu, enum lg_view view)
{
	return cpu->world->view[view].cr3;
}

/* ---- Descriptor tables ---- */

static void set_gate(gate_desc *gate, unsigned int vector, u16 selector,
		     unsigned int ist, unsigned int dpl)
{
	unsigned long stub =
		(unsigned long)lg_switcher_text + vector * LG_STUB_SIZE;

	*gate = (gate_desc){
		.offset_low = stub,
		.offset_middle = stub >> 16,
		.offset_high = stub >> 32,
		.segment = selector,
		.bits = { .ist = ist,
			  .type = GATE_INTERRUPT,
			  .dpl = dpl,
			  .p = 1 },
	};
}

/* At module load. */
void lg_make_t_idt(void)
{
	unsigned int vector;

	for (vector = 0; vector < LG_VECTORS; vector++)
		set_gate(&t_idt[vector], vector, __KERNEL_CS, 0, 0);
}

static void build_state(struct lg_state *state)
{
	unsigned int vector;
	struct ldttss_desc tss;
	int view;

	BUILD_BUG_ON(sizeof(struct lg_state) > LG_STATE_SIZE);
	BUILD_BUG_ON(offsetof(struct lg_state, t_gdt_table) != LG_STATE_SHARED);
	BUILD_BUG_ON(offsetofend(struct lg_state, frame) % PAGE_SIZE);
	BUILD_BUG_ON(offsetof(struct lg_state, self) != PAGE_SIZE);

	/*
	 * INT 3 and INTO may be executed by anyone, hypercall and system call
	 * as well; the rest is #GP and looked at (S1). So is the system call
	 * where its vector is the host's.
	 */
	for (vector = 0; vector < LG_VECTORS; vector++) {
		bool open = vector == X86_TRAP_BP || vector == X86_TRAP_OF ||
			    vector == LGUEST_TRAP_ENTRY ||
			    (vector == IA32_SYSCALL_VECTOR && lg_host_has_int80);

		set_gate(&state->idt[vector], vector, LG_CS,
			 vector == X86_TRAP_DF ? 1 : 0, open ? 3 : 0);
	}
	state->self = (u64)state;
	state->own_idt =
		(struct lg_desc_ptr){ sizeof(state->idt) - 1, (u64)state->idt };
	state->t_idt = (struct lg_desc_ptr){ sizeof(t_idt) - 1, (u64)t_idt };
	state->own_gdt.limit = sizeof(state->gdt[0]) - 1;
	state->t_gdt = (struct lg_desc_ptr){ sizeof(state->t_gdt_table) - 1,
					     (u64)state->t_gdt_table };

	state->tss.sp0 = (u64)(&state->frame + 1);
	state->tss.ist[0] = (u64)(state->df_stack + sizeof(state->df_stack));
	state->tss.io_bitmap =
		sizeof(state->tss); /* beyond the limit: no port is open */
	set_tssldt_descriptor(&tss, (unsigned long)&state->tss, DESC_TSS,
			      sizeof(state->tss) - 1);

	state->t_gdt_table[GDT_ENTRY_KERNEL_CS] = DESC_KERNEL_CODE;
	state->t_gdt_table[GDT_ENTRY_KERNEL_DS] = DESC_KERNEL_DATA;
	state->t_gdt_table[LG_CS / 8] = DESC_KERNEL_CODE;
	state->t_gdt_table[LG_DS / 8] = DESC_KERNEL_DATA;
	memcpy(&state->t_gdt_table[LG_TSS / 8], &tss, sizeof(tss));
	for (view = 0; view < LG_VIEWS; view++) {
		state->gdt[view][LG_CS / 8] = DESC_KERNEL_CODE;
		state->gdt[view][LG_DS / 8] = DESC_KERNEL_DATA;
	}
	state->verw = LG_DS;
}

/* ---- A vCPU ---- */

/**
 * lg_world_init() - the switcher's memory of a vCPU
 * @cpu: not yet running; its lg is set
 *
 * Return: 0 or -ENOMEM; after an error lg_world_destroy() cleans up as after
 * success.
 */
int lg_world_init(struct lg_cpu *cpu)
{
	struct lg_world *world;

	cpu->host_cpu = -1;
	world = kzalloc(sizeof(*world), GFP_KERNEL_ACCOUNT);
	if (!world)
		return -ENOMEM;
	cpu->world = world;
	world->facts_of = -1;
	world->guest_id = atomic64_inc_return(&guest_ids);
	world->fpu = lg_fpu_new();
	world->xcr0 = XFEATURE_MASK_FP;
	cpu->state = (struct lg_state *)__get_free_pages(
		GFP_KERNEL_ACCOUNT | __GFP_ZERO, LG_STATE_ORDER);
	if (!world->fpu || !cpu->state)
		return -ENOMEM;
	build_state(cpu->state);
	return build_tables(cpu);
}

/*
 * Also after a failed lg_world_init(), also without any. The vCPU does not run
 * any more.
 */
void lg_world_destroy(struct lg_cpu *cpu)
{
	struct lg_world *world = cpu->world;
	unsigned int i;

	free_pages((unsigned long)cpu->state, LG_STATE_ORDER);
	cpu->state = NULL;
	if (!world)
		return;
	for (i = 0; i < world->tables; i++)
		free_page((unsigned long)world->table[i]);
	kfree(world->fpu);
	kfree(world);
	cpu->world = NULL;
}

/* Of the Host's memory, for what lg_world_init() makes. */
u64 lg_world_bytes(struct lg_cpu *cpu)
{
	return LG_STATE_SIZE + sizeof(*cpu->world) +
	       lg_fpu_bytes() +
	       (u64)cpu->world->tables * PAGE_SIZE;
}
